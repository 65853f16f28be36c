package pipeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// Explain runs the checks of a call without making it and tells what each of
// them found. It is the code that serves calls, [Gateway.run], with a place to
// write to: there is no second set of rules. It leaves no record and takes
// nothing from any limit. labels are what the conversation is to have seen.
func (g *Gateway) Explain(ctx context.Context, c *durward.Call, labels ...string) durward.Explanation {
	t := g.rehearse(c)
	t.known = labels
	reply, err := g.run(ctx, t, nil)
	for g.tooSoon(ctx, t, err) {
		t = g.rehearse(c)
		t.known = labels
		reply, err = g.run(ctx, t, nil)
	}
	return t.explanation(reply, err)
}

func (g *Gateway) rehearse(c *durward.Call) *transit {
	t := g.begin(c)
	t.trace = &durward.Explanation{Asked: c.Asked, Revision: t.plan.Revision}
	return t
}

// dry tells whether the call is only rehearsed. A step that changes something
// (takes from a limit, parks a call) looks and does not touch then.
func (t *transit) dry() bool { return t.trace != nil }

// blind tells whether a rehearsal does not know the arguments; it says so once
// for each step that would have looked at them.
func (t *transit) blind(check string) bool {
	if t.trace == nil || t.call.Input.Arguments.Present() || t.call.Method != mcpwire.MethodToolsCall {
		return false
	}
	t.trace.Unsure = append(t.trace.Unsure, "the arguments are not known, so "+check+" was not judged")
	return true
}

// at says which step begins. It costs nothing on a call that is served.
func (t *transit) at(step string) *transit {
	if t.trace != nil {
		t.closeStep()
		t.trace.Steps = append(t.trace.Steps, durward.Step{Name: step})
		t.before = t.verdict
	}
	t.step = step
	t.fault(step)
	return t
}

// fault lets a test put a fault here.
func (t *transit) fault(step string) {
	if t.probe != nil {
		t.probe(step)
	}
}

// tell notes what a step saw. A step asks first whether anybody wants to know,
// so that a call that is served does not pay for the sentence:
//
//	if t.dry() {
//		t.tell("%d of %d calls are left this minute", left, limit)
//	}
func (t *transit) tell(format string, args ...any) {
	if t.trace == nil || len(t.trace.Steps) == 0 {
		return
	}
	last := &t.trace.Steps[len(t.trace.Steps)-1]
	last.Saw = append(last.Saw, fmt.Sprintf(format, args...))
}

// closeStep notes what the last step decided, if it did.
func (t *transit) closeStep() {
	if len(t.trace.Steps) == 0 || t.verdict == t.before {
		return
	}
	last := &t.trace.Steps[len(t.trace.Steps)-1]
	last.Effect, last.Reason, last.Rule = t.verdict.Effect.String(), t.verdict.Reason, t.verdict.Rule
	if t.verdict.Denies() && last.Reason == durward.ReasonNone {
		last.Reason = t.reason
	}
}

// explanation closes a rehearsal.
func (t *transit) explanation(reply durward.Reply, err error) durward.Explanation {
	t.closeStep()
	x := t.trace
	if t.call.Agent != nil {
		x.Agent = t.call.Agent.Name
	}
	if op := t.call.Target; op != nil {
		x.Upstream, x.Tool = op.Upstream, op.Name
		x.Listed = !t.view.Decide(op).Denies()
	}
	x.Verdict, x.Reason, x.Rule, x.Findings = t.verdict.Effect.String(), t.reason, t.rule, t.findings
	if x.Reason == durward.ReasonNone {
		x.Reason = t.verdict.Reason
	}
	if err != nil {
		t.refusedAt(durward.AsError(err))
	}
	if text, ok := resultText(reply.Result); ok {
		x.Message = text
	}
	return *x
}

// refusedAt notes the refusal at the step that made it.
func (t *transit) refusedAt(e *durward.Error) {
	x, last := t.trace, &t.trace.Steps[len(t.trace.Steps)-1]
	x.Verdict, x.Message = durward.Deny.String(), e.Message
	if x.Reason == durward.ReasonNone {
		x.Reason = e.Reason
	}
	last.Effect = durward.Deny.String()
	if last.Reason == durward.ReasonNone {
		last.Reason = x.Reason
	}
	if last.Rule == "" {
		last.Rule = x.Rule
	}
}

// resultText is the first text of a tool result.
func resultText(result []byte) (string, bool) {
	content, ok := mcpwire.Field(result, "content")
	if !ok || !mcpwire.IsArray(content) {
		return "", false
	}
	for item := range mcpwire.Elements(content) {
		return mcpwire.FieldText(item, "text")
	}
	return "", false
}

// tellKeys says by which keys an agent may call.
func (t *transit) tellKeys(agent *durward.Agent) {
	live := 0
	for _, k := range t.plan.snapshot.Keys {
		if k.Agent != agent.Name {
			continue
		}
		state := "live"
		switch {
		case !k.Revoked.IsZero():
			state = "revoked"
		case !k.Expires.IsZero():
			state = "until " + k.Expires.UTC().Format(time.RFC3339)
		}
		live++
		t.tell("key %s: %s", k.ID, state)
	}
	switch {
	case agent.Anonymous:
		t.tell("who calls without a credential is this agent")
	case live == 0:
		t.tell("it has no key: only this machine's own user can call as it")
	}
}

// tellTarget says what the name means.
func (t *transit) tellTarget() {
	op := t.call.Target
	if op == nil {
		t.tell("no upstream offers %s to this agent", t.call.Asked)
		return
	}
	t.tell("%s %s of upstream %s", op.Kind, op.Name, op.Upstream)
	if op.ReadOnly {
		t.tell("its server calls it read-only")
	}
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "(none)"
	}
	return strings.Join(words, ", ")
}

// Stated is what upstreams can do besides: tell how they are.
type Stated interface {
	Status() []durward.UpstreamStatus
}

// tellUpstream says how what would be called is: a breaker that is open refuses
// the call, and a server that is down would fail it.
func (g *Gateway) tellUpstream(t *transit) error {
	s, ok := g.Upstreams.(Stated)
	if !ok {
		return nil
	}
	op := t.call.Target
	for _, u := range s.Status() {
		if u.Name != op.Upstream {
			continue
		}
		t.tell("upstream %s is %s", u.Name, u.State)
		for _, b := range u.Breakers {
			if b.Tool != "" && b.Tool != op.Name {
				continue
			}
			t.tell("breaker %s: %d of the last %d calls failed", b.State, b.Failed, b.Calls)
			if left := b.Until.Sub(g.Now()); b.State == durward.BreakerOpen && left > 0 {
				t.reason, t.rule = durward.ReasonBreakerOpen, "breaker of "+strings.TrimSpace(u.Name+" "+b.Tool)
				return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonBreakerOpen, Retry: left,
					Message: fmt.Sprintf("%s failed too often and is left alone until %s.", strings.TrimSpace(u.Name+" "+b.Tool), b.Until.UTC().Format(time.RFC3339))}
			}
		}
	}
	return nil
}
