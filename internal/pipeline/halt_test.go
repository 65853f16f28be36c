package pipeline_test

import (
	"context"
	"sync"
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

// legacy makes a call of a session.
func (f *faulty) legacy(t *testing.T, session string) *durward.Call {
	t.Helper()
	c := f.call(t, "tools/call", params)
	c.Wire.Modern, c.Wire.Revision, c.SessionID = false, mcpwire.V20251125, session
	return c
}

func (f *faulty) stop(t *testing.T, halts ...durward.Halt) {
	t.Helper()
	s := f.snapshot()
	s.Halts = halts
	if err := f.Load(s); err != nil {
		t.Fatal(err)
	}
}

func TestStopsAreOfOneSessionOrKeyAndNoOther(t *testing.T) {
	f := newFaulty(t)
	open := func() string {
		c := f.call(t, "initialize", `{}`)
		if err := f.Admit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		s, err := f.OpenSession(t.Context(), c, durward.Session{Revision: mcpwire.V20251125})
		if err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	one, other := open(), open()
	var ended []string
	f.OnSessionClosed(func(s *durward.Session) { ended = append(ended, s.ID) })
	f.stop(t, durward.Halt{Kind: durward.HaltSession, Name: one, Agent: "bot", Cause: durward.ReasonKilled})
	if len(ended) != 1 || ended[0] != one {
		t.Errorf("sessions that ended: %q, want %q", ended, one)
	}
	if _, err := f.Serve(t.Context(), f.legacy(t, one), nil); durward.AsError(err).Code != durward.SessionGone {
		t.Errorf("a call of the session that was stopped: %v", err)
	}
	if reply, err := f.Serve(t.Context(), f.legacy(t, other), nil); err != nil || isRefusal(reply.Result) {
		t.Errorf("a call of another session: %s, %v", reply.Result, err)
	}
	modern := f.call(t, "tools/call", params)
	modern.SessionID = one // which means nothing on the stateless revision
	if reply, err := f.Serve(t.Context(), modern, nil); err != nil || isRefusal(reply.Result) {
		t.Errorf("a stateless call: %s, %v", reply.Result, err)
	}

	f.stop(t, durward.Halt{Kind: durward.HaltKey, Name: f.key.ID, Agent: "bot", Cause: durward.ReasonQuarantined})
	if reply, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil); err != nil || !isRefusal(reply.Result) {
		t.Errorf("a call with the key in quarantine: %s, %v", reply.Result, err)
	}
	if r, _ := f.ledger.last(t); r.Reason != durward.ReasonQuarantined || r.Rule != "halt key:"+f.key.ID || r.Outcome != durward.OutcomeRefused {
		t.Errorf("its record: %+v", r)
	}
	local := f.call(t, "tools/call", params)
	local.Credential, local.Local = durward.Credential{}, "bot"
	if reply, err := f.Serve(t.Context(), local, nil); err != nil || isRefusal(reply.Result) {
		t.Errorf("a call of the same agent without that key: %s, %v", reply.Result, err)
	}
	if _, err := f.Describe(t.Context(), f.call(t, "server/discover", `{}`)); durward.AsError(err).Reason != durward.ReasonQuarantined {
		t.Errorf("a greeting: %v", err)
	}
}

func TestAGlobalStopEndsSubscriptions(t *testing.T) {
	f := newFaulty(t)
	c := f.call(t, "subscriptions/listen", `{}`)
	if err := f.Admit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w, err := f.Watch(t.Context(), c, durward.Topics{Tools: true})
	if err != nil {
		t.Fatal(err)
	}
	f.stop(t, durward.Halt{Kind: durward.HaltAll, Cause: durward.ReasonKilled})
	for range w.Events() { // until it is closed
	}
	if _, err := f.Watch(t.Context(), f.call(t, "subscriptions/listen", `{}`), durward.Topics{Tools: true}); durward.AsError(err).Reason != durward.ReasonKilled {
		t.Errorf("another: %v", err)
	}
}

// TestOneAgentHasItsShareOfCalls: nobody takes all that there is.
func TestOneAgentHasItsShareOfCalls(t *testing.T) {
	f := newFaulty(t)
	s := f.snapshot()
	s.Limits = durward.Limits{}
	s.Runaway = durward.Runaways{}
	if err := f.Load(s); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	began := make(chan struct{}, 2048)
	f.up.does = func(ctx context.Context) (durward.Reply, error) {
		began <- struct{}{}
		<-ctx.Done()
		return durward.Reply{}, &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The call was cancelled."}
	}
	var calls sync.WaitGroup
	for range 1024 {
		c := f.call(t, "tools/call", params)
		calls.Go(func() { _, _ = f.Serve(ctx, c, nil) })
	}
	for range 1024 {
		<-began
	}
	_, err := f.Serve(ctx, f.call(t, "tools/call", params), nil)
	if e := durward.AsError(err); e.Reason != durward.ReasonOverloaded || e.Retry <= 0 {
		t.Errorf("one more than its share: %v", err)
	}
	end()
	calls.Wait()
	f.up.does = nil
	if _, err := f.Serve(t.Context(), f.call(t, "tools/call", params), nil); err != nil {
		t.Errorf("when they have ended: %v", err)
	}
}
