package pipeline

import (
	"strings"

	"durward"
	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// guarded is what the guard knows of a call.
type guarded struct {
	payload    *durward.Payload // that goes to the upstream in the place of what came; nil for that
	guardScope *guard.Scope     // see scope
	guardOf    *durward.Operation
	talk       *guard.Conversation // see conversation
	withheld   bool                // the reply is kept back
}

// guardCall asks the guard about what the agent sends: hostile arguments,
// credentials and planted values in them, and whether data would leave that
// this conversation has seen.
func (g *Gateway) guardCall(t *transit) (durward.Reply, error) {
	sent, s := t.sends(), t.scope()
	if s.Off() {
		t.tell("the guard is off for this agent and operation")
		g.outgoing(t, s, sent, revised{})
		return durward.Reply{}, nil
	}
	if t.blind("what they hold") {
		return durward.Reply{}, nil
	}
	seen, now := &guard.Seen{Effect: durward.Allow}, revised{}
	if sent != nil {
		now.arguments = g.weigh(t, seen, s.Arguments(sent))
	}
	if answers := t.call.Input.InputResponses.Of(t.call.Input.Raw); answers != nil {
		now.answers = g.weigh(t, seen, s.Answer(answers))
	}
	aside := t.aside()
	if aside != nil {
		now.meta = t.metaWith(g.weigh(t, seen, s.Answer(aside)))
	}
	if t.ticket == "" && !t.dry() { // a call that goes on was judged when it began
		if sent != nil {
			g.weigh(t, seen, t.conversation(g).Judge(s, t.carries(sent)))
		}
		if aside != nil {
			g.weigh(t, seen, t.conversation(g).Judge(s, aside))
		}
	}
	if seen.Effect != durward.Allow {
		if reply, err := g.act(t, seen); err != nil || reply.Result != nil {
			return reply, err
		}
	}
	g.outgoing(t, s, sent, now)
	return durward.Reply{}, nil
}

// revised are the parts of a request without what was taken out of them; nil
// where nothing was.
type revised struct{ arguments, answers, meta []byte }

// weigh adds what one look saw to the whole, and counts it.
func (g *Gateway) weigh(t *transit, all, v *guard.Seen) []byte {
	if len(v.Findings) > 0 {
		all.Merge(v)
		t.findings = append(t.findings, v.Findings...)
	}
	if !t.dry() {
		g.guard.Count(v)
	}
	return v.Body
}

// act does what the findings about a request say. A call that is
// held goes on to consent.
func (g *Gateway) act(t *transit, seen *guard.Seen) (durward.Reply, error) {
	worst := seen.Worst()
	v := durward.Verdict{Effect: seen.Effect, Reason: durward.ReasonGuardFlagged, Rule: "guard " + worst.Rule}
	switch seen.Effect {
	case durward.Deny:
		v.Reason = durward.ReasonGuardBlocked
	case durward.Hold:
		v.Reason = durward.ReasonGuardHeld
	case durward.Redact:
		v.Reason = durward.ReasonGuardRedacted
	}
	t.decide(v)
	if worst.Rule == guard.RuleHoneytoken && !t.dry() {
		g.Log.Error("planted value was used", "agent", t.call.Agent.Name, "op", t.call.Target.PolicyName, "call", t.call.ID)
	}
	if seen.Effect != durward.Deny {
		return durward.Reply{}, nil
	}
	return t.refuse(v.Reason, explainRequest(t.call.Asked, seen))
}

// decide takes a verdict over when it is stricter than what was said before.
func (t *transit) decide(v durward.Verdict) {
	if stricter := t.verdict.Stricter(v); stricter != t.verdict {
		t.verdict, t.reason, t.rule = v, v.Reason, v.Rule
	}
}

// refuse answers in the way that the model of this caller can act on: a tool
// result, or an error where there is no tool.
func (t *transit) refuse(reason durward.Reason, text string) (durward.Reply, error) {
	if t.readsToolResults() {
		return durward.Reply{Result: toolError(text), Modern: true}, nil
	}
	return durward.Reply{}, &durward.Error{Code: durward.BadRequest, Reason: reason, Message: text}
}

// sends is what of a request goes to the upstream as its own words.
func (t *transit) sends() []byte {
	c := t.call
	switch c.Method {
	case mcpwire.MethodResourcesRead:
		return c.Input.URI.Of(c.Input.Raw)
	case mcpwire.MethodComplete:
		v, _ := mcpwire.Field(c.Input.Raw, "argument")
		return v
	}
	return c.Input.Arguments.Of(c.Input.Raw)
}

// carries is what is sent as arguments, with what they aim at by its name.
func (t *transit) carries(sent []byte) []byte {
	if t.call.Method != mcpwire.MethodResourcesRead {
		return sent
	}
	return append(append([]byte(`{"uri":`), sent...), '}')
}

// outgoing notes what goes to the upstream in the place of what came, without
// what was taken out, and with the secrets that are put back. The record keeps
// what came.
func (g *Gateway) outgoing(t *transit, s *guard.Scope, sent []byte, r revised) {
	c := t.call
	var edits []mcpwire.Edit
	if r.answers != nil {
		edits = append(edits, mcpwire.Edit{Span: c.Input.InputResponses, New: r.answers})
	}
	if r.meta != nil {
		edits = append(edits, mcpwire.Edit{Span: c.Input.Meta, New: r.meta})
	}
	if now := g.restored(t, s, sent, r.arguments); now != nil && c.Input.Arguments.Present() {
		edits = append(edits, mcpwire.Edit{Span: c.Input.Arguments, New: now})
	}
	if len(edits) == 0 {
		return
	}
	payload, err := mcpwire.ReadPayload(mcpwire.Splice(c.Input.Raw, edits...))
	if err != nil { // it was well-formed before
		panic(err)
	}
	t.payload = &payload
}

// restored is what is sent, with secrets in the place of their tokens; nil
// when it is what came.
func (g *Gateway) restored(t *transit, s *guard.Scope, sent, body []byte) []byte {
	if !s.Restores() || sent == nil {
		return body
	}
	now := body
	if now == nil {
		now = sent
	}
	c := t.call
	back := s.Restore(now, func(token string) (string, bool) { return g.guard.Reveal(c.Agent.Name, c.Target.Upstream, token) })
	if back != nil {
		return back
	}
	return body
}

// scope is what the guard does for this agent and operation.
func (t *transit) scope() *guard.Scope {
	if t.guardScope == nil || t.guardOf != t.call.Target {
		t.guardScope, t.guardOf = t.plan.guard.Scope(t.call.Agent.Name, t.call.Target), t.call.Target
	}
	return t.guardScope
}

// conversation is the run of an agent that the call belongs to: its session,
// or on the stateless revision what the configuration says, else all of its calls.
func (t *transit) conversation(g *Gateway) *guard.Conversation {
	if t.talk == nil {
		key, idle := t.conversationKey(), t.plan.snapshot.Guard.Idle
		if key == t.call.Agent.Name && t.plan.snapshot.Guard.Conversation != "" {
			t.talk = g.guard.Unnamed(key, idle)
		} else {
			t.talk = g.guard.Conversation(key, idle)
		}
	}
	return t.talk
}

func (t *transit) conversationKey() string {
	c := t.call
	if c.SessionID != "" && !c.Wire.Modern {
		return sessionKey(c.Agent.Name, c.SessionID)
	}
	if name := t.plan.snapshot.Guard.Conversation; name != "" {
		if id, ok := textField(c.Input.Meta.Of(c.Input.Raw), name); ok && id != "" {
			return guard.Named(c.Agent.Name, id)
		}
	}
	return c.Agent.Name
}

func sessionKey(agent, session string) string { return agent + "\x00s" + session }

// explainRequest says to the model why a call was not made and what to change.
func explainRequest(asked string, seen *guard.Seen) string {
	return "The gateway did not make the call of " + asked + "; nothing was sent." + listing(seen.Findings, seen.Effect) + whatElse(seen.Findings)
}

// listing names the findings that did this.
func listing(findings []durward.Finding, effect durward.Effect) string {
	var b strings.Builder
	n := 0
	for _, f := range findings {
		if guard.Effect(f.Action) > effect {
			continue
		}
		if n++; n > 3 {
			break
		}
		b.WriteString("\n- ")
		if f.Where != "" {
			b.WriteString(f.Where + ": ")
		}
		b.WriteString(guard.Help(f.Rule) + " (" + f.Rule + ")")
	}
	return b.String() + "\n"
}

// whatElse says what the model can do about it.
func whatElse(findings []durward.Finding) string {
	worst := ""
	least := durward.Allow
	for _, f := range findings {
		if e := guard.Effect(f.Action); e < least {
			worst, least = f.Rule, e
		}
	}
	switch {
	case worst == "arguments.secret":
		return "Leave the credential out; the gateway adds credentials of its own where they are needed."
	case worst == "flow.destination":
		return "Send to a destination that is allowed, or ask the person whom you work for."
	case strings.HasPrefix(worst, "arguments."):
		return "Call it again with a plain value in that place."
	case strings.HasPrefix(worst, "flow."):
		return "Do not send what you read elsewhere in this conversation; tell the person whom you work for what you meant to do."
	}
	return "Tell the person whom you work for."
}
