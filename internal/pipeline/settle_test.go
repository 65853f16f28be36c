package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/upstream"
)

// unread is a house in which the upstream crm was not read yet.
func unread(t *testing.T) *house {
	h := newHouse(t)
	h.up.listings = []*upstream.Listing{{Upstream: "crm"}, listing("files", "get")}
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

func TestNobodyWaitsForWhatIsKnownToFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := unread(t)
		h.arrives(300*time.Millisecond, &upstream.Listing{Upstream: "crm", Tried: time.Now(), Err: errors.New("refused")})
		for i, want := range []time.Duration{300 * time.Millisecond, 0} {
			if _, took := h.asks(t, "tools/list", `{}`); took != want {
				t.Errorf("list %d waited %v for an upstream that failed after 300 ms, want %v", i, took, want)
			}
		}
	})
}

// reachesAll lets the caller have all upstreams.
func (h *house) reachesAll(t *testing.T) {
	s := snapshotOf(h)
	s.Roles[0].Allow = []string{"*"}
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
}

// asks answers a request as text, with how long it took.
func (h *house) asks(t *testing.T, method, params string) (string, time.Duration) {
	began := time.Now()
	c := h.call(t, method, params)
	switch method {
	case "tools/list", "prompts/list":
		reply, err := h.List(t.Context(), c)
		if err != nil {
			return err.Error(), time.Since(began)
		}
		return string(reply.Result), time.Since(began)
	case "server/discover":
		d, err := h.Describe(t.Context(), c)
		if err != nil {
			return err.Error(), time.Since(began)
		}
		return string(d.Capabilities), time.Since(began)
	}
	reply, err := h.Serve(t.Context(), c, nil)
	if err != nil {
		return err.Error(), time.Since(began)
	}
	return string(reply.Result), time.Since(began)
}

// An upstream that never answers costs what is not about it a moment, and is
// told of.
func TestAnUpstreamThatNeverAnswersDelaysNothing(t *testing.T) {
	const grace, glance = 3 * time.Second, 500 * time.Millisecond
	for _, c := range []struct {
		name, method, params string
		most                 time.Duration
		want                 string
	}{
		{"a list", "tools/list", `{}`, grace, `"durward/unavailable":[{"upstream":"crm","reason":"The upstream crm has not answered yet; it may still be starting."}]`},
		{"another list", "prompts/list", `{}`, grace, `"ttlMs":5000`},
		{"an introduction", "server/discover", `{}`, glance, `"prompts":{"listChanged":true}`},
		{"a bare name", "tools/call", `{"name":"get","arguments":{"text":"x"}}`, grace, ""},
		{"an unknown name", "tools/call", `{"name":"nosuch","arguments":{}}`, grace, "Unknown tool"},
		{"an unknown prefix", "tools/call", `{"name":"no__such","arguments":{}}`, grace, "Unknown tool"},
		{"a resource", "resources/read", `{"uri":"x://y"}`, grace, ""},
		{"another's name", "tools/call", `{"name":"files__nothing","arguments":{}}`, 0, "Unknown tool"},
		{"its own name", "tools/call", `{"name":"crm__get","arguments":{}}`, 5 * time.Second, "cannot be asked at the moment whether it has crm__get"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := unread(t)
				h.reachesAll(t)
				for i, most := range []time.Duration{c.most, 0} {
					got, took := h.asks(t, c.method, c.params)
					if took > most {
						t.Errorf("time %d: it took %v, want at most %v", i, took, most)
					}
					if !strings.Contains(got, c.want) {
						t.Errorf("time %d: the answer is %s, want %s in it", i, got, c.want)
					}
				}
			})
		})
	}
}

// A list has some seconds for servers that answer, if late: until an
// interpreter runs, or a busy machine gets to it.
func TestAListWaitsForServersThatStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := unread(t)
		h.reachesAll(t)
		h.arrives(2*time.Second, listing("crm", "get", "add"))
		for i, want := range []time.Duration{2 * time.Second, 0} {
			if got, took := h.asks(t, "tools/list", `{}`); took != want || !strings.Contains(got, `"crm__get"`) {
				t.Errorf("list %d took %v: %s, want crm__get in it after %v", i, took, got, want)
			}
		}
	})
}

// What needs no more than is there by now does not wait for a server that hangs.
func TestWhatIsFoundWaitsForNobody(t *testing.T) {
	for _, c := range []struct {
		name, method, params string
		took                 time.Duration
		want                 string
	}{
		{"a bare name", "tools/call", `{"name":"get","arguments":{"text":"x"}}`, 300 * time.Millisecond, ""},
		{"a full name", "tools/call", `{"name":"files__get","arguments":{"text":"x"}}`, 300 * time.Millisecond, ""},
		{"an introduction", "server/discover", `{}`, 500 * time.Millisecond, `"completions":{},"logging":{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				s := snapshotOf(h)
				s.Roles[0].Allow = []string{"*"}
				if err := h.Load(s); err != nil {
					t.Fatal(err)
				}
				h.up.listings = []*upstream.Listing{{Upstream: "crm"}, {Upstream: "files"}}
				h.up.changed <- struct{}{}
				go func() { _ = h.Run(t.Context()) }()
				synctest.Wait()
				h.arrives(300*time.Millisecond, &upstream.Listing{Upstream: "crm"}) // it hangs; files is read
				got, took := h.asks(t, c.method, c.params)
				if took != c.took || !strings.Contains(got, c.want) || strings.Contains(got, "Unknown") {
					t.Errorf("after %v: %s, want %s after %v", took, got, c.want, c.took)
				}
			})
		})
	}
}

// Who asks for one slow upstream alone waits for it: nothing else is delayed.
func TestWhatIsAboutOneSlowUpstreamWaitsForIt(t *testing.T) {
	for name, ask := range map[string]func(*durward.Call){
		"a call":       func(*durward.Call) {},
		"its endpoint": func(c *durward.Call) { c.Endpoint = "crm" },
		"a client over stdio, for a list": func(c *durward.Call) {
			c.Wire.Transport, c.Method = "stdio", "tools/list"
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := unread(t)
				h.reachesAll(t)
				h.arrives(2*time.Second, listing("crm", "get", "add"))
				c := h.call(t, "tools/call", `{"name":"crm__get","arguments":{"text":"x"}}`)
				ask(c)
				began := time.Now()
				do := h.Serve
				if c.Method == "tools/list" {
					do = func(ctx context.Context, c *durward.Call, _ durward.Peer) (durward.Reply, error) {
						reply, err := h.List(ctx, c)
						if !bytes.Contains(reply.Result, []byte(`"crm__get"`)) {
							t.Errorf("the list is %s, want crm__get in it", reply.Result)
						}
						return reply, err
					}
				}
				if _, err := do(t.Context(), c, nil); err != nil || time.Since(began) != 2*time.Second {
					t.Errorf("after %v: %v, want an answer after 2 s", time.Since(began), err)
				}
			})
		})
	}
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
