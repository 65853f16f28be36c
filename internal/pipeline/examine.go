package pipeline

import (
	"context"
	"crypto/rand"

	"durward"
	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// examine asks the guard about what the server answered, whatever carries it:
// texts, structured content, resources, prompts, errors, questions. What has
// to go is cut out; nothing found leaves the bytes as they are.
func (g *Gateway) examine(ctx context.Context, t *transit, reply durward.Reply) (durward.Reply, error) {
	s := t.scope()
	if s.Off() {
		return reply, nil
	}
	if reply.Error != nil {
		return g.examineError(t, s, reply), nil //nolint:nilerr // what the server answered is the reply
	}
	if reply.Result == nil {
		return reply, nil
	}
	came, named := reply.Result, false
	var seen *guard.Seen
	if _, asks := mcpwire.Field(came, "inputRequests"); asks {
		seen, named = g.readAsking(t, s, came)
	} else {
		seen = g.read(t, s, came)
	}
	seen = g.second(ctx, t, s, carrierOf(t.call.Method), came, seen)
	g.weigh(t, &guard.Seen{}, seen)
	if seen.Body != nil {
		reply.Result = seen.Body
		if named {
			reply.Result = mcpwire.NameAskers(reply.Result, t.call.Target.Upstream)
		}
	}
	switch seen.Effect {
	case durward.Deny, durward.Hold:
		return g.withhold(t, seen, came)
	case durward.Redact:
		t.decide(durward.Verdict{Effect: durward.Redact, Reason: durward.ReasonGuardRedacted, Rule: "guard " + seen.Worst().Rule})
		if s.Restores() {
			g.guard.Keep(t.call.Agent.Name, t.call.Target.Upstream, seen.Secrets)
		}
	case durward.Flag:
		t.decide(durward.Verdict{Effect: durward.Flag, Reason: durward.ReasonGuardFlagged, Rule: "guard " + seen.Worst().Rule})
	}
	reply.Result = seen.Annotate(reply.Result)
	orders := seen.Orders
	if seen.Effect == durward.Redact { // they were cut out, but whoever wrote the rest is not to be trusted
		orders = min(orders, tainted)
	}
	t.conversation(g).Heard(s, reply.Result, seen, orders)
	return reply, nil
}

// tainted is what a text counts for from which orders were cut out: it makes
// its source untrusted, and no more.
const tainted = 0.51

// readAsking inspects a result that asks a person or a model. named tells that
// its questions had the gateway's own word in them, which is not judged.
func (g *Gateway) readAsking(t *transit, s *guard.Scope, result []byte) (seen *guard.Seen, named bool) {
	bare, named := mcpwire.WithoutAskers(result, t.call.Target.Upstream)
	seen = t.listener(g).Asked(bare)
	q := g.questions(s, bare)
	if q == nil {
		return seen, named
	}
	all := &guard.Seen{Effect: durward.Allow}
	all.Merge(seen)
	all.Merge(q)
	all.Body = seen.Body
	return all, named
}

// read inspects a result, with marks around its texts where they are wanted.
func (g *Gateway) read(t *transit, s *guard.Scope, result []byte) *guard.Seen {
	from := t.listener(g)
	spot := t.plan.snapshot.Guard.Spotlight
	if spot == "all" || spot == "untrusted" && s.Untrusted() {
		return from.Spotlight(result, durward.Deny, rand.Text()[:8])
	}
	return from.Read(result, durward.Deny)
}

// listener reads what the upstream says as going on from what it said last in
// this conversation.
func (t *transit) listener(g *Gateway) guard.Listener {
	if s := t.scope(); s.Off() { // its calls leave nothing in a conversation
		return s.After(nil)
	}
	return t.conversation(g).Listen(t.scope())
}

// questions judges what a result asks of the caller's person or model
// (MCP 2026-07-28, input_required).
func (g *Gateway) questions(s *guard.Scope, result []byte) *guard.Seen {
	requests, ok := mcpwire.Field(result, "inputRequests")
	if !ok || !mcpwire.IsObject(requests) {
		return nil
	}
	var all *guard.Seen
	for key, request := range mcpwire.Fields(requests) {
		if !mcpwire.IsObject(request) {
			continue
		}
		params, ok := mcpwire.Field(request, "params")
		if !ok {
			continue
		}
		for _, f := range s.Question(params).Findings {
			if f.Rule != "elicitation.secret" {
				continue // read with the rest of the result
			}
			if all == nil {
				all = &guard.Seen{Effect: durward.Allow}
			}
			f.Where = "/inputRequests/" + key + f.Where
			all.Findings = append(all.Findings, f)
			all.Effect = min(all.Effect, guard.Effect(f.Action))
		}
	}
	return all
}

// withhold keeps a reply back. What was held can be read by the operator under
// the handle that the agent is told.
func (g *Gateway) withhold(t *transit, seen *guard.Seen, came []byte) (durward.Reply, error) {
	c := t.call
	handle := g.guard.Withhold(durward.Artefact{
		Call: c.ID, Agent: c.Agent.Name, Upstream: c.Target.Upstream, Tool: c.Target.Name, Findings: seen.Findings, Body: came,
	}, t.plan.snapshot.Guard.Quarantine)
	t.withheld = true
	t.decide(durward.Verdict{Effect: seen.Effect, Reason: durward.ReasonGuardWithheld, Rule: "guard " + seen.Worst().Rule})
	text := "The call of " + c.Asked + " was made, but the gateway keeps its reply back: do not call it again for the same." + listing(seen.Findings, seen.Effect) +
		"Tell the person whom you work for; an operator can read it with: durward guard artefact " + handle
	if t.readsToolResults() {
		return durward.Reply{Result: toolError(text), Modern: true}, nil
	}
	return durward.Reply{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonGuardWithheld, Message: text}
}

// examineError reads the error of a server: a model gets to see it, too.
func (g *Gateway) examineError(t *transit, s *guard.Scope, reply durward.Reply) durward.Reply {
	e := reply.Error
	raw := e.Raw
	if raw == nil {
		raw = mcpwire.AppendErrorObject(nil, e)
	}
	seen := t.listener(g).Read(raw, durward.Deny)
	g.weigh(t, &guard.Seen{}, seen)
	if seen.Effect == durward.Allow {
		return reply
	}
	v := durward.Verdict{Effect: seen.Effect, Reason: durward.ReasonGuardFlagged, Rule: "guard " + seen.Worst().Rule}
	switch seen.Effect {
	case durward.Deny, durward.Hold:
		v.Reason, t.withheld = durward.ReasonGuardWithheld, true
		reply.Error = &durward.RPCError{Code: e.Code, Message: "The server answered with an error whose text the gateway keeps back." + listing(seen.Findings, seen.Effect)}
	case durward.Redact:
		v.Reason = durward.ReasonGuardRedacted
		if seen.Body != nil {
			reply.Error = errorOf(e.Code, seen.Body)
		}
	}
	t.decide(v)
	return reply
}

func errorOf(code int, raw []byte) *durward.RPCError {
	e := &durward.RPCError{Code: code, Raw: raw}
	e.Message, _ = textField(raw, "message")
	if data, ok := mcpwire.Field(raw, "data"); ok {
		e.Data = data
	}
	return e
}
