package upstream_test

import (
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ailing answers as its health is: tools named bad fail while it is sick.
type ailing struct {
	sick  atomic.Bool
	calls atomic.Int64
	end   chan struct{} // of slow calls
}

// leftAlone is for how long the breakers of an ailing server stay open: a call
// comes sooner, also where the machine is slow.
const leftAlone = 3 * time.Second

func (a *ailing) up(t testing.TB) durward.Upstream {
	up := script{modern: true, caps: `{"tools":{}}`, answer: func(m *mcpwire.Message) string {
		if m.Method != mcpwire.MethodToolsCall {
			return `{"resultType":"complete","tools":[],"ttlMs":60000,"cacheScope":"private"}`
		}
		a.calls.Add(1)
		name, _ := mcpwire.FieldText(m.Params, "name")
		switch {
		case name == "slow":
			<-a.end
		case name == "bad" && a.sick.Load():
			return `error {"code":-32603,"message":"broken"}`
		case name == "wrong":
			return `{"resultType":"complete","content":[],"isError":true}`
		}
		return done
	}}.up(t)
	up.Breaker = durward.Breaker{Calls: 4, Window: time.Minute, Open: leftAlone}
	return up
}

func ask(t testing.TB, s *upstream.Set, name string) (*durward.RPCError, *durward.Error) {
	t.Helper()
	r := modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"`+name+`","arguments":{}}`)
	r.Name = name
	reply, err := s.Do(brief(t), r, &peer{})
	var e *durward.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%s: %v", name, err)
	}
	return reply.Error, e
}

// retried asks until the breaker lets a call through.
func retried(t testing.TB, s *upstream.Set, name string) (*durward.RPCError, *durward.Error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		rpc, err := ask(t, s, name)
		if err == nil || err.Reason != durward.ReasonBreakerOpen || time.Now().After(deadline) {
			return rpc, err
		}
	}
}

func TestABreakerLeavesAToolAloneAndTriesAgain(t *testing.T) {
	t.Parallel()
	a := &ailing{}
	a.sick.Store(true)
	s := newSet(t, nil, a.up(t))
	for range 4 {
		if rpc, err := ask(t, s, "bad"); err != nil || rpc == nil {
			t.Fatalf("the tool's own failure came as %v, %v", rpc, err)
		}
	}
	before := a.calls.Load()
	_, err := ask(t, s, "bad")
	if err == nil || err.Reason != durward.ReasonBreakerOpen || err.Retry <= 0 || err.Retry > leftAlone || a.calls.Load() != before {
		t.Fatalf("after four failures: %+v, %d calls sent", err, a.calls.Load()-before)
	}
	if rpc, err := ask(t, s, "good"); rpc != nil || err != nil {
		t.Errorf("another tool of the server: %v, %v", rpc, err)
	}
	if st := s.Status()[0]; len(st.Breakers) != 1 || st.Breakers[0].Tool != "bad" || st.Breakers[0].State != durward.BreakerOpen {
		t.Errorf("Status = %+v", st.Breakers)
	}
	if rpc, err := retried(t, s, "bad"); err != nil || rpc == nil {
		t.Fatalf("the probe: %v, %v", rpc, err)
	}
	if _, err = ask(t, s, "bad"); err == nil || err.Retry <= leftAlone {
		t.Fatalf("after a probe that failed: %+v, want a longer time", err)
	}
	a.sick.Store(false)
	if rpc, err := retried(t, s, "bad"); rpc != nil || err != nil {
		t.Fatalf("the probe when it works again: %v, %v", rpc, err)
	}
	for range 5 {
		if rpc, err := ask(t, s, "bad"); rpc != nil || err != nil {
			t.Fatalf("after it works again: %v, %v", rpc, err)
		}
	}
	if st := s.Status()[0]; len(st.Breakers) != 0 {
		t.Errorf("Status = %+v, want all closed", st.Breakers)
	}
}

func TestAnswersOfToolsOpenNoBreaker(t *testing.T) {
	a := &ailing{}
	s := newSet(t, nil, a.up(t))
	for range 20 {
		if rpc, err := ask(t, s, "wrong"); rpc != nil || err != nil {
			t.Fatalf("isError: %v, %v", rpc, err)
		}
	}
}

func TestAServerThatSaysNothingIsGivenUpEarly(t *testing.T) {
	t.Parallel()
	a := &ailing{end: make(chan struct{})}
	up := a.up(t)
	t.Cleanup(func() { close(a.end) }) // before the server is closed, which waits for them
	up.FirstByte = 2 * time.Second
	s := newSet(t, nil, up)
	if rpc, err := ask(t, s, "good"); rpc != nil || err != nil {
		t.Fatalf("good: %v, %v", rpc, err)
	}
	var calls sync.WaitGroup
	for range 5 {
		calls.Go(func() {
			if _, err := ask(t, s, "slow"); err == nil || err.Reason != durward.ReasonUpstreamTimeout {
				t.Errorf("slow = %+v, want that it is given up", err)
			}
		})
	}
	calls.Wait()
	if _, err := ask(t, s, "slow"); err == nil || err.Reason != durward.ReasonBreakerOpen || !strings.Contains(err.Message, "try again in ") {
		t.Errorf("after five timeouts: %+v", err)
	}
}

func TestNoBreakerWhenTheOperatorSaysSo(t *testing.T) {
	a := &ailing{}
	a.sick.Store(true)
	up := a.up(t)
	up.Breaker.Disabled = true
	s := newSet(t, nil, up)
	for range 12 {
		if _, err := ask(t, s, "bad"); err != nil {
			t.Fatalf("bad: %v", err)
		}
	}
}

// A client that answers nothing, or cannot be asked, makes a tool fail for
// itself, and for nobody else.
func TestWhoAnswersNothingOpensNoBreaker(t *testing.T) {
	up := durward.Upstream{Name: "up", Command: lanes.Command, Args: []string{"server", "asker"}, Era: "legacy"}
	up.Breaker = durward.Breaker{Calls: 4, Percent: 50}
	for _, caps := range []string{elicits, "{}"} {
		s := newSet(t, nil, up)
		for n := range 12 {
			reply, err := s.Do(brief(t), older(caps).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), &peer{})
			if err != nil || reply.Error == nil || reply.Error.Code != mcpwire.CodeInternal {
				t.Fatalf("call %d with %s = %s %v, %v, want the server's own error", n, caps, reply.Result, reply.Error, err)
			}
		}
	}
	r := &rounds{turns: []string{strings.Replace(askForm, "elicitation/create", "sampling/createMessage", 1)}}
	r.turns[0] = fmt.Sprintf(r.turns[0], "")
	modern := script{modern: true, caps: `{"tools":{}}`, answer: r.answer}.up(t)
	modern.Breaker = up.Breaker
	s := newSet(t, nil, modern)
	for n := range 12 {
		reply, err := s.Do(brief(t), older(ableToAll).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), &peer{})
		if err != nil || reply.Error == nil || !strings.Contains(reply.Error.Message, "rejected") {
			t.Fatalf("call %d = %s %v, %v, want that the client rejected it", n, reply.Result, reply.Error, err)
		}
	}
}
