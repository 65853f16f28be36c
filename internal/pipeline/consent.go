package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"durward"
	"durward/internal/approval"
	"durward/internal/mcpwire"
	"durward/internal/policy"
)

// noticeEvery is how often a caller that waits for people hears that it does.
const noticeEvery = 5 * time.Second

// consent is where a held call waits until people have approved it, and the
// only place that lets one through. What they approve is this caller, this
// tool as it is defined now and these arguments, once; who calls cannot answer,
// for answers come over the admin listener only.
func (g *Gateway) consent(ctx context.Context, t *transit, p durward.Peer) (durward.Reply, error) {
	if t.verdict.Effect != durward.Hold {
		return durward.Reply{}, nil
	}
	if t.ticket != "" { // it was let through when it began, and only goes on
		return durward.Reply{}, nil
	}
	terms := t.plan.terms(t.call.Target)
	if t.dry() {
		t.tellTerms(terms)
		return durward.Reply{}, nil
	}
	if g.Approvals == nil || t.call.Method == mcpwire.MethodComplete {
		return durward.Reply{}, held("This needs an approval, and there is no way to ask for one here.")
	}
	digest, args, err := t.digest()
	if err != nil {
		return durward.Reply{}, err
	}
	if t.rounds > 0 {
		return durward.Reply{}, g.Approvals.Continue(ctx, t.approval, t.call.Agent.Name, digest, t.rounds-1)
	}
	a, err := g.question(ctx, t, digest, args, terms)
	if err != nil {
		return durward.Reply{}, err
	}
	t.approval = a.ID
	if a, err = g.awaitAnswer(ctx, t, a, p); err != nil {
		return durward.Reply{}, err
	}
	return g.answered(ctx, t, a, digest)
}

func held(msg string) error {
	return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonApprovalRequired, Message: msg}
}

// question finds the question that a retry came back for, or asks it.
func (g *Gateway) question(ctx context.Context, t *transit, digest string, args []byte, terms durward.ApprovalTerms) (durward.Approval, error) {
	c := t.call
	if t.approval != "" {
		a, err := g.Approvals.Get(ctx, t.approval)
		if err != nil || a.Digest != digest || a.Agent != c.Agent.Name {
			return a, stateInvalid()
		}
		return a, nil
	}
	return g.Approvals.Ask(ctx, durward.Approval{
		Digest: digest, Agent: c.Agent.Name, Owner: t.owners(), Key: c.KeyID, Session: c.SessionID, Remote: c.Wire.Remote,
		Method: c.Method, Upstream: c.Target.Upstream, Tool: c.Target.Name, Asked: c.Asked, Args: bytes.Clone(args), Call: c.ID,
		Reason: t.verdict.Reason, Rule: t.verdict.Rule, Findings: t.findings,
	}, terms)
}

// awaitAnswer waits while the question is open, for as long as a caller of
// this era can be kept. One that is told hears now and then that it waits.
func (g *Gateway) awaitAnswer(ctx context.Context, t *transit, a durward.Approval, p durward.Peer) (durward.Approval, error) {
	if a.State != durward.ApprovalPending {
		return a, nil
	}
	rules := t.plan.approvals()
	patience := rules.Patience
	if t.call.Wire.Modern {
		patience = rules.Wait
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer t.notices(wait, p, a)()
	now, err := g.Approvals.Wait(wait, a.ID)
	if err == nil && ctx.Err() != nil {
		return now, &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The caller went away.", Err: context.Cause(ctx)}
	}
	return now, err
}

// notices tells a caller that asked for progress what it waits for, until the
// returned function is called.
func (t *transit) notices(ctx context.Context, p durward.Peer, a durward.Approval) (stop func()) {
	token, ok := mcpwire.Path(t.call.Input.Meta.Of(t.call.Input.Raw), "progressToken")
	if !ok || p == nil {
		return func() {}
	}
	done, quit := make(chan struct{}), make(chan struct{})
	token = bytes.Clone(token)
	go func() {
		defer close(done)
		tick := time.NewTicker(noticeEvery)
		defer tick.Stop()
		for n := 1; ; n++ {
			p.Notify("notifications/progress", waiting(token, n, a.ID))
			select {
			case <-tick.C:
			case <-quit:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

func waiting(token []byte, n int, id string) []byte {
	out := append([]byte(`{"progressToken":`), token...)
	// Far below what the tool itself will report: progress has to grow.
	out = strconv.AppendFloat(append(out, `,"progress":`...), float64(n)/1e6, 'f', -1, 64)
	out = append(append(out, `,"message":`...), mcpwire.Quote("Waits for approval "+id)...)
	return append(out, '}')
}

// answered does what people have said.
func (g *Gateway) answered(ctx context.Context, t *transit, a durward.Approval, digest string) (durward.Reply, error) {
	switch a.State {
	case durward.ApprovalApproved:
		if err := g.stillMay(t, digest); err != nil {
			return durward.Reply{}, err
		}
		return durward.Reply{}, g.Approvals.Use(ctx, a.ID, t.call.Agent.Name, digest, t.call.ID)
	case durward.ApprovalPending:
		return g.comeBack(t, a)
	case durward.ApprovalDenied:
		t.verdict = durward.Verdict{Effect: durward.Deny, Reason: durward.ReasonApprovalDenied, Rule: t.verdict.Rule}
		last := a.Answers[len(a.Answers)-1]
		return t.heldBack(durward.ReasonApprovalDenied, fmt.Sprintf("This call was not approved (%s): %s. It was not made; do not try to reach the same by other means.", a.ID, strings.TrimSuffix(last.Reason, ".")))
	case durward.ApprovalExpired:
		return t.heldBack(durward.ReasonApprovalExpired, fmt.Sprintf("Nobody answered in time whether this call may be made (%s). It was not made; calling again asks again.", a.ID))
	case durward.ApprovalUnknown:
		return t.heldBack(durward.ReasonOutcomeUnknown, fmt.Sprintf("This call was approved (%s) and begun, and its end was never seen: it may have been made. Find out before you call again.", a.ID))
	}
	return t.heldBack(durward.ReasonApprovalUsed, fmt.Sprintf("Approval %s was for one call, which was made; calling again without its requestState asks anew.", a.ID))
}

// stillMay looks again at who calls what: people take their time, and a key
// may be revoked, a role changed or a tool redefined while they do. The call
// goes on with what holds now.
func (g *Gateway) stillMay(t *transit, digest string) error {
	now := g.plan.Load()
	if now == t.plan {
		return nil
	}
	c := *t.call
	c.Agent, c.Target = nil, nil
	again := &transit{plan: now, call: &c, step: t.step}
	if c.Credential.IsZero() && c.Local == "" {
		c.Local = t.call.Agent.Name // it was admitted without one
	}
	for _, step := range []func() error{func() error { return g.identify(again) }, again.stopped, func() error { return g.resolve(again) }, again.pinned, again.permit, func() error { return g.reweigh(again) }} {
		if err := step(); err != nil {
			t.reason, t.rule = again.reason, again.rule
			return err
		}
	}
	if other, _, err := again.digest(); err != nil || other != digest {
		return &durward.Error{Code: durward.Conflict, Reason: durward.ReasonApprovalUsed, Err: err,
			Message: "The tool is no longer what was approved; call again, and people are asked anew."}
	}
	t.plan, t.view, t.candidates = now, again.view, nil
	t.call.Agent, t.call.Target = c.Agent, c.Target
	return nil
}

// comeBack lets a stateless caller retry; one of an older era gets a result
// that says what to do.
func (g *Gateway) comeBack(t *transit, a durward.Approval) (durward.Reply, error) {
	t.reason = durward.ReasonApprovalRequired
	if !t.call.Wire.Modern {
		return t.heldBack(durward.ReasonApprovalRequired, fmt.Sprintf(
			"This call waits for the approval of a person (%s), until %s. It was not made. Call again with the very same arguments: it goes on from here.",
			a.ID, a.Expires.Format(time.RFC3339)))
	}
	t.waits = true
	reply := durward.Reply{Result: []byte(`{"resultType":"input_required"}`), Modern: true}
	return g.seal(t, reply, stateOfHeld, []byte(a.ID)), nil
}

// heldBack tells that the call was not made: as a tool result, so that the
// model hears it, where there can be one.
func (t *transit) heldBack(r durward.Reason, text string) (durward.Reply, error) {
	t.reason = r
	if !t.readsToolResults() {
		return durward.Reply{}, &durward.Error{Code: durward.Forbidden, Reason: r, Message: text}
	}
	e := &durward.Error{Reason: r, Message: text}
	return durward.Reply{Result: withMeta(toolError(text), metaRefusal, t.refusalMeta(e)), Modern: true}, nil
}

// settleApproval notes how a call ended that a permission was used for.
func (g *Gateway) settleApproval(ctx context.Context, t *transit, rec *durward.Record) {
	if t.approval == "" || !t.asked || t.waits || g.Approvals == nil {
		return
	}
	outcome := rec.Outcome
	if outcome == durward.OutcomeCancelled {
		outcome = durward.OutcomeUnknown
	}
	if err := g.Approvals.Done(context.WithoutCancel(ctx), t.approval, outcome); err != nil {
		g.Log.Warn("end of an approved call could not be noted", "approval", t.approval, "call", rec.ID, "err", err)
	}
}

// digest binds an approval to who calls, what as it is defined now, and with
// which arguments, however those are spelled.
func (t *transit) digest() (digest string, args []byte, err error) {
	c := t.call
	raw := c.Input.Arguments.Of(c.Input.Raw)
	if raw == nil {
		raw = []byte("{}")
	}
	canonical, err := mcpwire.Canonical(nil, raw)
	if err != nil {
		return "", nil, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonArgumentsInvalid, Err: err,
			Message: "The arguments cannot be put into the form that an approval is bound to."}
	}
	op := c.Target
	definition := sha256.Sum256(op.Definition)
	return approval.Digest("durward approval 1", c.Agent.Name, c.Method, op.Upstream, op.Name, hex.EncodeToString(definition[:]), string(canonical)), raw, nil
}

// owners are who answers for the caller, for four eyes.
func (t *transit) owners() string {
	var all []string
	if o := t.call.Agent.Owner; o != "" {
		all = append(all, o)
	}
	for i := range t.plan.snapshot.Keys {
		if k := &t.plan.snapshot.Keys[i]; k.ID == t.call.KeyID && k.ID != "" && k.Owner != "" {
			all = append(all, k.Owner)
		}
	}
	return strings.Join(all, ",")
}

// approvals are the rules in force.
func (p *Plan) approvals() durward.ApprovalRules {
	if p.snapshot.Approvals.Need < 1 {
		return durward.ApprovalDefaults()
	}
	return p.snapshot.Approvals
}

// terms are those of the first rule that names the operation.
func (p *Plan) terms(op *durward.Operation) durward.ApprovalTerms {
	rules := p.approvals()
	for _, r := range rules.Rules {
		for _, pattern := range r.Tools {
			if policy.Matches(pattern, op) {
				return r.ApprovalTerms
			}
		}
	}
	return rules.ApprovalTerms
}

func (t *transit) tellTerms(terms durward.ApprovalTerms) {
	who := "any operator"
	if len(terms.Approvers) > 0 {
		who = strings.Join(terms.Approvers, ", ")
	}
	t.tell("waits for %d to approve, of: %s", terms.Need, who)
	if terms.FourEyes {
		t.tell("not by who answers for the agent: %s", orNone(strings.Split(t.owners(), ",")))
	}
}

// underApproval is upstream state that belongs to a call that was let through:
// the approval and the round come with it.
func (t *transit) underApproval(own []byte) []byte {
	return append(fmt.Appendf(nil, "%s %d ", t.approval, t.rounds), own...)
}

// approvedState takes that apart again; what remains begins with a byte that
// stands for its kind.
func (t *transit) approvedState(state []byte) (own []byte, ok bool) {
	parts := bytes.SplitN(state[1:], []byte(" "), 3)
	if len(parts) != 3 {
		return nil, false
	}
	round, err := strconv.Atoi(string(parts[1]))
	if err != nil {
		return nil, false
	}
	t.approval, t.rounds = string(parts[0]), round+1
	return append([]byte{stateOfUpstream}, parts[2]...), true
}
