package pipeline

import (
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// stateTTL is how long a client may take to come back with the state of a
// multi-round-trip request.
const stateTTL = 15 * time.Minute

// unseal replaces a requestState that we sealed by the upstream's own. State
// that was changed, that belongs to another agent, upstream or operation, or
// that is too old ends the call: it is attacker-controlled.
func (g *Gateway) unseal(t *transit) error {
	c := t.call
	sealed := c.Input.RequestState.Of(c.Input.Raw)
	if sealed == nil {
		return nil
	}
	invalid := &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonStateInvalid, Message: "The requestState is not valid for this call; start again without it."}
	text, ok := mcpwire.Text(sealed)
	if !ok {
		return invalid
	}
	own, err := g.sealer.Open(text, c.Received, t.stateBinding()...)
	if err != nil {
		return invalid
	}
	raw := mcpwire.Splice(c.Input.Raw, mcpwire.Edit{Span: c.Input.RequestState, New: own})
	payload, err := mcpwire.ReadPayload(raw)
	if err != nil {
		return invalid
	}
	c.Input = payload
	return nil
}

// seal hides an upstream's requestState from the client and binds it to the
// caller. The bytes are kept as they are: they come back unchanged.
func (g *Gateway) seal(t *transit, reply durward.Reply) durward.Reply {
	if !reply.Modern || reply.Result == nil {
		return reply
	}
	if kind, _ := textField(reply.Result, "resultType"); kind != "input_required" {
		return reply
	}
	own, ok := mcpwire.Field(reply.Result, "requestState")
	if !ok {
		return reply
	}
	sealed := g.sealer.Seal(own, g.Now().Add(stateTTL), t.stateBinding()...)
	reply.Result = mcpwire.SetField(reply.Result, "requestState", mcpwire.Quote(sealed))
	return reply
}

func (t *transit) stateBinding() []string {
	op := t.call.Target
	return []string{"requestState", t.call.Agent.Name, op.Upstream, t.call.Method, op.Name}
}
