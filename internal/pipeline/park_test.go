package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
)

const declares = `{"elicitation":{"form":{}}}`

// asking is an upstream of the stateful era: it asks twice at once, then once
// more, and answers with what it heard.
type asking struct {
	behind
	calls, ended atomic.Int32
}

func (a *asking) Do(ctx context.Context, r *upstream.Request, p durward.Peer) (durward.Reply, error) {
	a.calls.Add(1)
	defer a.ended.Add(1)
	p.Notify("notifications/progress", []byte(`{"n":1}`))
	var heard [3]string
	errs := make(chan error, 2)
	for i := range 2 {
		go func() {
			answer, err := p.Ask(ctx, "elicitation/create", fmt.Appendf(nil, `{"message":"question %d"}`, i))
			heard[i] = string(answer)
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			return durward.Reply{}, err
		}
	}
	p.Notify("notifications/progress", []byte(`{"n":2}`))
	answer, err := p.Ask(ctx, "roots/list", nil)
	if err != nil {
		return durward.Reply{}, err
	}
	heard[2] = string(answer)
	return durward.Reply{Result: fmt.Appendf(nil, `{"content":[],"heard":%q}`, strings.Join(heard[:], "|"))}, nil
}

type listener struct{ heard []string }

func (l *listener) Notify(method string, params []byte) { l.heard = append(l.heard, string(params)) }
func (l *listener) Ask(context.Context, string, []byte) ([]byte, error) {
	return nil, durward.ErrCannotAsk
}

func newAsking(t *testing.T) (*house, *asking) {
	h := newHouse(t)
	up := &asking{behind: behind{listings: h.up.listings, watched: map[string]func(durward.Event){}, owner: map[string]int{}}}
	h.Gateway.Upstreams = up
	return h, up
}

// leg sends one request of a modern client and returns the requestState that
// it got, "" at the end.
func (h *house) leg(t *testing.T, ctx context.Context, p durward.Peer, more string) (reply durward.Reply, state string, err error) {
	t.Helper()
	c := h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}`+more+`}`)
	c.Client.Capabilities = []byte(declares)
	reply, err = h.Serve(ctx, c, p)
	if reply.Result != nil {
		if v, ok := mcpwire.Field(reply.Result, "requestState"); ok {
			state = string(v)
		}
	}
	return reply, state, err
}

func TestAParkedCallIsResumedAndNeverRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, up := newAsking(t)
		ctx := t.Context()
		first := &listener{}
		reply, state, err := h.leg(t, ctx, first, "")
		if err != nil || !strings.Contains(string(reply.Result), `"q1":{"method":"elicitation/create","params":{"message":"question`) || !strings.Contains(string(reply.Result), `"q2"`) {
			t.Fatalf("first leg: %s, %v", reply.Result, err)
		}
		if r, _ := h.ledger.last(t); r.Reason != durward.ReasonInputRequired || r.Verdict != "allow" {
			t.Errorf("record of the first leg: %+v", r)
		}
		// One answer of two: the other question is asked again, with new state.
		reply, state2, err := h.leg(t, ctx, first, `,"inputResponses":{"q1":{"action":"accept"},"stranger":{}},"requestState":`+state)
		if err != nil || strings.Contains(string(reply.Result), `"q1"`) || !strings.Contains(string(reply.Result), `"q2"`) || state2 == state {
			t.Fatalf("second leg: %s, %v", reply.Result, err)
		}
		if _, _, err := h.leg(t, ctx, first, `,"inputResponses":{"q1":{"action":"accept"}},"requestState":`+state); durward.AsError(err).Reason != durward.ReasonStateInvalid {
			t.Errorf("state was good twice: %v", err)
		}
		third := &listener{}
		reply, state3, err := h.leg(t, ctx, third, `,"inputResponses":{"q2":{"action":"decline"}},"requestState":`+state2)
		if err != nil || !strings.Contains(string(reply.Result), `"q3":{"method":"roots/list","params":{}}`) {
			t.Fatalf("third leg: %s, %v", reply.Result, err)
		}
		reply, _, err = h.leg(t, ctx, third, `,"inputResponses":{"q3":{"roots":[]}},"requestState":`+state3)
		if err != nil || !strings.Contains(string(reply.Result), "accept") || !strings.Contains(string(reply.Result), "decline") || !strings.Contains(string(reply.Result), "roots") {
			t.Fatalf("last leg: %s, %v", reply.Result, err)
		}
		if up.calls.Load() != 1 || up.ended.Load() != 1 {
			t.Errorf("the upstream was called %d times and ended %d, want once", up.calls.Load(), up.ended.Load())
		}
		if len(first.heard) != 1 || len(third.heard) != 1 {
			t.Errorf("notifications: %v, %v; want each leg its own", first.heard, third.heard)
		}
	})
}

func TestParkedStateIsBoundToItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newAsking(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, state, err := h.leg(t, ctx, &listener{}, "")
		if err != nil {
			t.Fatal(err)
		}
		for what, params := range map[string]string{
			"other arguments": `{"name":"crm__add","arguments":{"text":"y"},"requestState":` + state + `}`,
			"another tool":    `{"name":"crm__get","arguments":{"text":"x"},"requestState":` + state + `}`,
		} {
			if _, err := h.Serve(ctx, h.call(t, "tools/call", params), &listener{}); durward.AsError(err).Reason != durward.ReasonStateInvalid {
				t.Errorf("%s: %v, want state_invalid", what, err)
			}
		}
		cancel()
		runAndEnd(t, h)
	})
}

func TestACallerWhoNeverComesBackIsCleanedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, up := newAsking(t)
		_, state, err := h.leg(t, t.Context(), &listener{}, "")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if up.ended.Load() != 1 {
			t.Errorf("the upstream call still waits after the time is over")
		}
		if _, _, err := h.leg(t, t.Context(), &listener{}, `,"inputResponses":{},"requestState":`+state); durward.AsError(err).Reason != durward.ReasonStateInvalid {
			t.Errorf("a late retry: %v, want state_invalid", err)
		}
	})
}

func TestParkedCallsOfOneAgentAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, up := newAsking(t)
		var err error
		n := 0
		for ; err == nil && n < 100; n++ {
			_, _, err = h.leg(t, t.Context(), &listener{}, "")
		}
		if durward.AsError(err).Code != durward.Overloaded || n != 65 {
			t.Errorf("call %d: %v, want Overloaded at the 65th", n, err)
		}
		runAndEnd(t, h)
		if up.ended.Load() != up.calls.Load() {
			t.Errorf("%d of %d upstream calls ended", up.ended.Load(), up.calls.Load())
		}
	})
}

// Calls that nobody comes back to keep no new ones out.
func TestAnOldParkedCallMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, up := newAsking(t)
		_, first, err := h.leg(t, t.Context(), &listener{}, "")
		for range 63 {
			if err == nil {
				_, _, err = h.leg(t, t.Context(), &listener{}, "")
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if _, _, err := h.leg(t, t.Context(), &listener{}, ""); err != nil {
			t.Errorf("call 65 after a while: %v", err)
		}
		if _, _, err := h.leg(t, t.Context(), &listener{}, `,"inputResponses":{},"requestState":`+first); durward.AsError(err).Reason != durward.ReasonStateInvalid {
			t.Errorf("the oldest call: %v, want that it has ended", err)
		}
		runAndEnd(t, h)
		if up.ended.Load() != up.calls.Load() {
			t.Errorf("%d of %d upstream calls ended", up.ended.Load(), up.calls.Load())
		}
	})
}

// TestBytesOfParkedCallsAreBounded: what is kept of the requests counts, not
// only how many they are; and what is no longer kept does not.
func TestBytesOfParkedCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, up := newAsking(t)
		pad := `,"pad":"` + strings.Repeat("x", 1<<20) + `"`
		for range 2 {
			for n := range 16 {
				_, _, err := h.leg(t, t.Context(), &listener{}, pad)
				if full := err != nil && durward.AsError(err).Code == durward.Overloaded; full != (n == 15) {
					t.Fatalf("call %d of a little over 1 MiB: %v, want room for 15", n+1, err)
				}
			}
			runAndEnd(t, h)
		}
		if up.ended.Load() != up.calls.Load() {
			t.Errorf("%d of %d upstream calls ended", up.ended.Load(), up.calls.Load())
		}
	})
}

func TestAModernCallerWhoLeavesCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, up := newAsking(t)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(10 * time.Millisecond); cancel() }() // within the time that questions are gathered
		_, _, err := h.leg(t, ctx, &listener{}, "")
		synctest.Wait()
		if durward.AsError(err).Code != durward.Cancelled || up.ended.Load() != 1 {
			t.Errorf("Serve = %v, upstream calls ended: %d", err, up.ended.Load())
		}
	})
}

// buggy is an upstream with a bug of ours in the way to it.
type buggy struct{ behind }

func (*buggy) Do(context.Context, *upstream.Request, durward.Peer) (durward.Reply, error) {
	panic("a bug of ours")
}

// TestABugEndsOneCallThatMayPark: such a call runs on a goroutine of its own,
// where a panic would end the process.
func TestABugEndsOneCallThatMayPark(t *testing.T) {
	h := newHouse(t)
	h.Gateway.Upstreams = &buggy{behind{listings: h.up.listings}}
	_, _, err := h.leg(t, t.Context(), &listener{}, "")
	if e := durward.AsError(err); e.Code != durward.Internal {
		t.Errorf("Serve = %v, want an internal error", err)
	}
	if r, _ := h.ledger.last(t); r.Outcome != durward.OutcomeError || r.Tool != "add" {
		t.Errorf("record = %+v, want the call and its error", r)
	}
}

// runAndEnd ends the gateway's life, and with it what is parked.
func runAndEnd(t *testing.T, h *house) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Run(ctx); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}
