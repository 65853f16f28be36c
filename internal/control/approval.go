package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/approval"
)

// ApprovalAnswer is what an operator says to a question.
type ApprovalAnswer struct {
	Approve bool   `json:"approve"`
	Reason  string `json:"reason"`
	// Digest is what was shown to who answers; when given, it has to be the question's.
	Digest string `json:"digest,omitempty"`
}

var errNoDesk = errors.New("held calls wait in a running gateway only")

// Approvals lists the questions in a state ("" for all), newest first.
func (c *Control) Approvals(_ context.Context, by durward.Actor, state durward.ApprovalState) ([]durward.Approval, error) {
	if err := c.mayApprove(by); err != nil {
		return nil, err
	}
	return c.o.Approvals.List(context.Background(), state), nil
}

// Approval tells of one question.
func (c *Control) Approval(ctx context.Context, by durward.Actor, id string) (durward.Approval, error) {
	if err := c.mayApprove(by); err != nil {
		return durward.Approval{}, err
	}
	return c.o.Approvals.Get(ctx, id)
}

// Answer takes an operator's answer to a question.
func (c *Control) Answer(ctx context.Context, by durward.Actor, id string, in ApprovalAnswer) (durward.Approval, error) {
	if err := c.mayApprove(by); err != nil {
		return durward.Approval{}, err
	}
	return c.answer(ctx, id, in, durward.ApprovalAnswer{By: by.Name, Key: by.Key, Since: by.Since, Channel: "admin", Approve: in.Approve, Reason: in.Reason})
}

func (c *Control) mayApprove(by durward.Actor) error {
	if !by.Operator {
		return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotAllowed, Message: "Only an operator may do this."}
	}
	if c.o.Approvals == nil {
		return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: "Held calls wait in a running gateway, and none runs.", Err: errNoDesk}
	}
	return nil
}

func (c *Control) answer(ctx context.Context, id string, in ApprovalAnswer, a durward.ApprovalAnswer) (durward.Approval, error) {
	q, err := c.o.Approvals.Get(ctx, id)
	if err != nil {
		return q, err
	}
	if in.Digest != "" && in.Digest != q.Digest {
		return q, conflict("The question is not the one that the digest names.", nil)
	}
	began := c.o.Now()
	return c.o.Approvals.Answer(ctx, id, a, func(next durward.Approval) error {
		return c.o.Record(ctx, answerRecord(next, began.UTC()))
	})
}

// answerRecord is the record of an answer: who let what happen, and why.
func answerRecord(q durward.Approval, now time.Time) *durward.Record {
	a := q.Answers[len(q.Answers)-1]
	r := &durward.Record{
		Time: now, ID: strings.ToLower(rand.Text()), Lane: durward.LaneMCP, Agent: q.Agent, Key: a.Key, User: a.By, Session: q.Session,
		Transport: a.Channel, Method: "approval/approve", Upstream: q.Upstream, Tool: q.Tool, Asked: q.Asked,
		Verdict: durward.Allow.String(), Rule: a.By + ": " + a.Reason, Approval: q.ID, Findings: []durward.Finding{}, Outcome: durward.OutcomeOK,
	}
	if !a.Approve {
		r.Method, r.Verdict, r.Reason = "approval/deny", durward.Deny.String(), durward.ReasonApprovalDenied
	}
	return r
}

// Signed is an answer with the signature that vouches for it.
type Signed = approval.Signed

// SignedAnswer takes an answer that came over the webhook's way back: what
// vouches for it is the signature.
func (c *Control) SignedAnswer(ctx context.Context, id string, m Signed) (durward.Approval, error) {
	if c.o.Approvals == nil {
		return durward.Approval{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: "Held calls wait in a running gateway, and none runs.", Err: errNoDesk}
	}
	hook := c.o.Approvals.Rules().Webhook
	if !hook.Answers {
		return durward.Approval{}, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotAllowed, Message: "Signed answers are not taken here; see approvals.webhook.answers in the configuration."}
	}
	if err := approval.Verify(hook.Secret, m, c.o.Now()); err != nil {
		return durward.Approval{}, err
	}
	var in struct {
		ApprovalAnswer
		ID string `json:"id"`
		By string `json:"by"`
	}
	if err := json.Unmarshal(m.Body, &in); err != nil || in.By == "" || in.ID != id || in.Digest == "" {
		return durward.Approval{}, bad("A signed answer says id, digest, by, approve and reason.")
	}
	if err := c.mayVouch(ctx, id, in.By); err != nil {
		return durward.Approval{}, err
	}
	return c.answer(ctx, id, in.ApprovalAnswer, durward.ApprovalAnswer{By: in.By, Channel: "webhook", Approve: in.Approve, Reason: in.Reason})
}

// mayVouch refuses a person whom a signed answer names and nobody knows: neither
// an operator with a live key, nor among those who are asked.
func (c *Control) mayVouch(ctx context.Context, id, name string) error {
	q, err := c.o.Approvals.Get(ctx, id)
	if err != nil || slices.Contains(q.Terms.Approvers, name) {
		return err
	}
	m, err := c.look(ctx, durward.Actor{Operator: true})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(m.all.Keys, func(k durward.Key) bool { return k.Admin && k.Name == name && live(k, m.now) }) {
		return nil
	}
	return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotApprover, Message: words(name) + " is no operator of this gateway; see admin.operators in the configuration, or durward operator create."}
}
