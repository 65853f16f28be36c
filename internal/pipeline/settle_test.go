package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"durward/internal/upstream"
)

// unread is a house in which the upstream crm was not read yet.
func unread(t *testing.T) *house {
	h := newHouse(t)
	h.up.listings = []*upstream.Listing{{Upstream: "crm", Err: errors.New("not read yet")}, listing("files", "get")}
	h.up.changed <- struct{}{}
	go func() { _ = h.Run(t.Context()) }()
	synctest.Wait()
	return h
}

// arrives makes the first reading of crm end after a while.
func (h *house) arrives(after time.Duration, l *upstream.Listing) {
	go func() {
		time.Sleep(after)
		h.up.mu.Lock()
		h.up.listings = []*upstream.Listing{l, listing("files", "get")}
		h.up.mu.Unlock()
		h.up.changed <- struct{}{}
	}()
}

func TestTheFirstCallersWaitForTheFirstReading(t *testing.T) {
	for name, ask := range map[string]func(*testing.T, *house) string{
		"a list": func(t *testing.T, h *house) string {
			reply, err := h.List(t.Context(), h.call(t, "tools/list", `{}`))
			if err != nil {
				t.Errorf("List: %v", err)
			}
			return string(reply.Result)
		},
		"a call": func(t *testing.T, h *house) string {
			if _, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__get","arguments":{"text":"x"}}`), nil); err != nil {
				return err.Error()
			}
			return "crm__get"
		},
		"an introduction": func(t *testing.T, h *house) string {
			d, err := h.Describe(t.Context(), h.call(t, "server/discover", `{}`))
			if err != nil {
				t.Errorf("Describe: %v", err)
			}
			return strings.ReplaceAll(string(d.Capabilities), "resources", "crm__get")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := unread(t)
				h.arrives(2*time.Second, listing("crm", "get", "add"))
				began := time.Now()
				if got := ask(t, h); !strings.Contains(got, "crm__get") {
					t.Errorf("the answer is %s, want crm__get in it", got)
				}
				if took := time.Since(began); took != 2*time.Second {
					t.Errorf("it took %v, want the 2 s of the reading", took)
				}
			})
		})
	}
}

func TestNobodyWaitsForWhatIsKnownToFailOrTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := unread(t)
		h.arrives(time.Second, &upstream.Listing{Upstream: "crm", Tried: time.Now(), Err: errors.New("refused")})
		list := func() time.Duration {
			began := time.Now()
			if _, err := h.List(t.Context(), h.call(t, "tools/list", `{}`)); err != nil {
				t.Errorf("List: %v", err)
			}
			return time.Since(began)
		}
		if took := list(); took != time.Second {
			t.Errorf("the list waited %v for an upstream that failed after 1 s", took)
		}
		if took := list(); took != 0 {
			t.Errorf("the next list waited %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := unread(t) // and crm never answers
		for i, most := range []time.Duration{5 * time.Second, 0} {
			began := time.Now()
			if _, err := h.List(t.Context(), h.call(t, "tools/list", `{}`)); err != nil {
				t.Errorf("List: %v", err)
			}
			if took := time.Since(began); took != most {
				t.Errorf("list %d waited %v for an upstream that never answers, want %v", i, took, most)
			}
		}
	})
}

func TestOnlyTheUpstreamThatIsMeantIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := unread(t)
		began := time.Now()
		_, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"files__nothing","arguments":{}}`), nil)
		if err == nil || time.Since(began) != 0 {
			t.Errorf("an unknown tool of an upstream that was read: %v after %v", err, time.Since(began))
		}
		if len(h.ledger.records) != 1 {
			t.Errorf("%d records, want one", len(h.ledger.records))
		}
	})
}
