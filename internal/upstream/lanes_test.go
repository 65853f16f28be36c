package upstream_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
)

var lanes = durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "lanes"}, Era: "legacy"}

func inSession(n int) agent {
	return agent{revision: mcpwire.V20251125, name: "a", session: fmt.Sprint("s", n), caps: elicits}
}

// hang makes a call that lasts until the returned function ends it, and waits
// until the server has it.
func hang(t testing.TB, s *upstream.Set, a agent) (pid string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p, ended := &peer{}, make(chan error, 1)
	r := a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"hang","arguments":{}}`)
	r.Answers, r.Client.LogLevel = r.Modern, "info"
	go func() {
		_, err := s.Do(ctx, r, p)
		ended <- err
	}()
	until(t, s, "the call hangs", func() bool { return len(p.of(mcpwire.NotifyMessage)) == 1 })
	data, _ := mcpwire.Field([]byte(p.of(mcpwire.NotifyMessage)[0]), "data")
	return string(data), func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Minute):
			return fmt.Errorf("the call did not end")
		}
	}
}

// A call that hangs holds up its own session and no other, and every session
// stays with the process that it knows.
func TestAHungCallHoldsUpItsOwnSession(t *testing.T) {
	s := newSet(t, nil, lanes)
	hung, end := hang(t, s, inSession(1))
	second := call(t, s, inSession(2), "x", "{}")
	if strings.Contains(second, hung) {
		t.Errorf("the other session is served by the process that hangs, %s", hung)
	}
	third := call(t, s, inSession(3), "x", "{}")
	if third != second {
		t.Errorf("a third session got %s, want the line that was free, %s", third, second)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Do(ctx, inSession(1).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x"}`), &peer{})
	if err == nil {
		t.Error("a call of the session that hangs did not wait")
	}
	if e := durward.AsError(end()); e.Code != durward.Cancelled {
		t.Errorf("the hung call ended with %v", e)
	}
	if own := call(t, s, inSession(1), "x", "{}"); !strings.Contains(own, hung) {
		t.Errorf("the first session got %s, want its own process %s", own, hung)
	}
}

// The lines of one key are bounded; who finds them all in use waits for the
// first that is free.
func TestLinesOfOneKeyAreBounded(t *testing.T) {
	s := newSet(t, nil, lanes)
	pids := map[string]bool{}
	var ends []func() error
	for n := range 8 {
		pid, end := hang(t, s, inSession(n))
		pids[pid] = true
		ends = append(ends, end)
	}
	if len(pids) != 8 {
		t.Errorf("eight calls run in %d processes, want 8", len(pids))
	}
	got := make(chan string, 2)
	for n := range 2 {
		go func() { got <- call(t, s, inSession(8+n), "x", "{}") }()
	}
	select {
	case text := <-got:
		t.Errorf("a ninth call was served: %s", text)
	case <-time.After(200 * time.Millisecond):
	}
	_ = ends[3]()
	for range 2 {
		select {
		case text := <-got:
			if !strings.Contains(text, "pid") {
				t.Errorf("a waiting call got %s", text)
			}
		case <-time.After(time.Minute):
			t.Fatal("nobody was served when a line was free")
		}
	}
	for n, end := range ends {
		if n != 3 {
			_ = end()
		}
	}
}

// Calls of a modern client belong to no session: one that waits for an answer
// of its client holds up none of the others.
func TestParkedCallsDoNotWaitForEachOther(t *testing.T) {
	s := newSet(t, nil, lanes)
	a := agent{revision: mcpwire.V20260728, name: "a", caps: elicits}
	one, endOne := hang(t, s, a)
	two, endTwo := hang(t, s, a)
	if one == two {
		t.Errorf("two calls share the process %s, where nobody can tell whose a question is", one)
	}
	_, _ = endOne(), endTwo()
}

// With as many processes as an upstream may have, sessions wait instead of failing.
func TestLanesWaitWhereNoProcessIsLeft(t *testing.T) {
	s := newSet(t, func(o *upstream.Options) { o.Processes, o.Waiting = 1, 1 }, lanes)
	_, end := hang(t, s, inSession(1))
	type outcome struct {
		text string
		err  error
	}
	got := make(chan outcome, 2)
	for n := range 2 { // one waits, the other finds that one does
		go func() {
			reply, err := s.Do(brief(t), inSession(2+n).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), &peer{})
			got <- outcome{string(reply.Result), err}
		}()
	}
	if first := <-got; durward.AsError(first.err).Reason != durward.ReasonOverloaded {
		t.Errorf("one session too many got %s %v, want overloaded", first.text, first.err)
	}
	_ = end()
	if second := <-got; second.err != nil || !strings.Contains(second.text, "pid") {
		t.Errorf("the call that waited got %s %v", second.text, second.err)
	}
}

// What a server asks when its call was given up already is no question of the
// call that comes next.
func TestLateQuestionsAreNobodys(t *testing.T) {
	late := lanes
	late.Args = []string{"server", "late"}
	s := newSet(t, func(o *upstream.Options) { o.Processes = 1 }, late)
	for n := range 5 {
		_, end := hang(t, s, inSession(1))
		if e := durward.AsError(end()); e.Code != durward.Cancelled {
			t.Fatalf("the hung call ended with %v", e)
		}
		p := &peer{answer: func(string, []byte) ([]byte, error) { return []byte(`{"action":"accept"}`), nil }}
		if _, err := s.Do(brief(t), inSession(1).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), p); err != nil {
			t.Fatal(err)
		}
		if len(p.asked) > 0 {
			t.Fatalf("call %d was asked %v, which belongs to the call before", n, p.asked)
		}
	}
}
