package pipeline

import (
	"crypto/sha256"
	"strings"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// stateTTL is how long a client may take to come back with the state of a
// multi-round-trip request.
const stateTTL = 15 * time.Minute

// What a sealed requestState holds, told by its first byte.
const (
	stateOfUpstream = 'u' // the upstream's own state, as a JSON string
	stateOfParked   = 'p' // the ticket of a call of ours that waits
	stateOfHeld     = 'h' // the id of the approval that a held call waits for
	stateOfApproved = 'a' // the upstream's own state, of a call that was let through; see approvedState
)

// unseal opens a requestState that we sealed: it is the upstream's own, which
// takes its place in the params, or the ticket of a parked call. State that
// was changed, that belongs to another agent, operation or arguments, or that
// is too old ends the call: it is attacker-controlled.
func (g *Gateway) unseal(t *transit) error {
	c := t.call
	sealed := c.Input.RequestState.Of(c.Input.Raw)
	if sealed == nil {
		return nil
	}
	text, ok := mcpwire.Text(sealed)
	if !ok {
		return stateInvalid()
	}
	own := g.open(t, text)
	if len(own) == 0 {
		return stateInvalid()
	}
	switch own[0] {
	case stateOfParked:
		ticket, approval, _ := strings.Cut(string(own[1:]), " ")
		t.ticket, t.approval = ticket, approval
		return nil
	case stateOfHeld:
		t.approval = string(own[1:])
		return t.withoutState()
	case stateOfApproved:
		if own, ok = t.approvedState(own); !ok {
			return stateInvalid()
		}
	}
	raw := mcpwire.Splice(c.Input.Raw, mcpwire.Edit{Span: c.Input.RequestState, New: own[1:]})
	payload, err := mcpwire.ReadPayload(raw)
	if err != nil {
		return stateInvalid()
	}
	c.Input = payload
	return nil
}

// withoutState takes state that is ours alone out of what the upstream will see.
func (t *transit) withoutState() error {
	payload, err := mcpwire.ReadPayload(mcpwire.DropFields(t.call.Input.Raw, "requestState", "inputResponses"))
	if err != nil {
		return stateInvalid()
	}
	t.call.Input = payload
	return nil
}

// open finds out whose state it is: of a resource that nobody listed it may be
// any candidate's, which is then the one that goes on.
func (g *Gateway) open(t *transit, text string) []byte {
	targets := t.candidates
	if len(targets) == 0 {
		targets = []*durward.Operation{t.call.Target}
	}
	for _, op := range targets {
		t.call.Target = op
		if own, err := g.sealer.Open(text, g.Now(), t.stateBinding()...); err == nil {
			t.candidates = nil
			return own
		}
	}
	return nil
}

func stateInvalid() error {
	return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonStateInvalid, Message: "The requestState is not valid for this call; start again without it."}
}

// sealUpstream hides an upstream's requestState from the client and binds it
// to the call. The bytes are kept as they are: they come back unchanged.
func (g *Gateway) sealUpstream(t *transit, reply durward.Reply) durward.Reply {
	if !reply.Modern || reply.Result == nil {
		return reply
	}
	if kind, _ := textField(reply.Result, "resultType"); kind != "input_required" {
		return reply
	}
	t.waits = true
	own, ok := mcpwire.Field(reply.Result, "requestState")
	if !ok {
		return reply
	}
	if t.approval != "" {
		return g.seal(t, reply, stateOfApproved, t.underApproval(own))
	}
	return g.seal(t, reply, stateOfUpstream, own)
}

// sealTicket does the same for the ticket of a parked call.
func (g *Gateway) sealTicket(t *transit, reply durward.Reply) durward.Reply {
	t.waits = true
	ticket, _ := textField(reply.Result, "requestState")
	if t.approval != "" {
		ticket += " " + t.approval
	}
	return g.seal(t, reply, stateOfParked, []byte(ticket))
}

func (g *Gateway) seal(t *transit, reply durward.Reply, kind byte, state []byte) durward.Reply {
	sealed := g.sealer.Seal(append([]byte{kind}, state...), g.Now().Add(stateTTL), t.stateBinding()...)
	reply.Result = mcpwire.SetField(reply.Result, "requestState", mcpwire.Quote(sealed))
	return reply
}

// stateBinding is what carried state is bound to: a retry repeats the method,
// the operation and the arguments of the call (MCP 2026-07-28, MRTR).
func (t *transit) stateBinding() []string {
	op, in := t.call.Target, t.call.Input
	sum := sha256.Sum256(in.Arguments.Of(in.Raw))
	return []string{"requestState", t.call.Agent.Name, op.Upstream, t.call.Method, op.Name, string(sum[:])}
}
