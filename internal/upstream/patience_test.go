package upstream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
)

// short is what an upstream may take: enough for a slow machine.
const short = 6 * time.Second

// late answers after more than that.
func late() *peer {
	return &peer{answer: func(string, []byte) ([]byte, error) {
		time.Sleep(short + time.Second)
		return []byte(`{"action":"accept","content":{"b":"x"}}`), nil
	}}
}

// A person who thinks about an answer takes none of the server's time.
func TestWaitingForTheClientIsNotTheServersTime(t *testing.T) {
	for _, kind := range []string{"legacy", "sse", "stdio legacy"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			up := kinds[kind](t, kit())
			up.Timeout = short
			s := newSet(t, nil, up)
			call(t, s, older(elicits), "echo", `{"text":"x"}`) // connected
			reply, err := s.Do(brief(t), older(elicits).request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), late())
			if err != nil || !strings.Contains(string(reply.Result), "user said accept") {
				t.Errorf("ask = %s %v, %v", reply.Result, reply.Error, err)
			}
		})
	}
	t.Run("modern", func(t *testing.T) {
		t.Parallel()
		r := &rounds{turns: []string{fmt.Sprintf(askForm, ""), fmt.Sprintf(askForm, ""), done}}
		up := script{modern: true, caps: `{"tools":{}}`, answer: r.answer}.up(t)
		up.Timeout = short
		reply, err := newSet(t, nil, up).Do(brief(t), older(elicits).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), late())
		if err != nil || len(r.seen()) != 3 {
			t.Errorf("ask = %s %v, %v after %d calls", reply.Result, reply.Error, err, len(r.seen()))
		}
	})
}

// The server's own time still ends, after an answer as before it.
func TestTheServersTimeEndsAfterAnAnswer(t *testing.T) {
	t.Parallel()
	up := durward.Upstream{Name: "up", Command: lanes.Command, Args: []string{"server", "asks and hangs"}, Era: "legacy", Timeout: short}
	s := newSet(t, nil, up)
	p := late()
	began := time.Now()
	_, err := s.Do(brief(t), older(elicits).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), p)
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamTimeout || len(p.asked) != 1 {
		t.Errorf("the call ended with %v after %v questions", err, p.asked)
	}
	if took := time.Since(began); took < 2*short || took > 10*short {
		t.Errorf("it took %v", took)
	}
}

// All answers of a call together have a bound; then the server is told that
// there is none.
func TestAnswersTogetherHaveABound(t *testing.T) {
	t.Parallel()
	up := kinds["stdio legacy"](t, nil)
	s := newSet(t, func(o *upstream.Options) { o.Answers = time.Second }, up)
	call(t, s, older(elicits), "echo", `{"text":"x"}`)
	began := time.Now()
	reply, err := s.Do(brief(t), older(elicits).request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), slow{})
	if err != nil || !strings.Contains(string(reply.Result), `"isError":true`) || time.Since(began) > time.Minute {
		t.Errorf("ask = %s %v, %v after %v, want the tool's own error", reply.Result, reply.Error, err, time.Since(began))
	}
}

// slow never answers.
type slow struct{}

func (slow) Notify(string, []byte) {}
func (slow) Ask(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
