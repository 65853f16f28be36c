package approval

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"durward"
)

// Answer takes what one person says. keep is called with the question as it
// would then stand, before that is true: what it cannot record does not happen.
func (d *Desk) Answer(ctx context.Context, id string, a durward.ApprovalAnswer, keep func(durward.Approval) error) (durward.Approval, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now().UTC()
	d.expire(ctx, now)
	e := d.all[id]
	if e == nil {
		return durward.Approval{}, gone(id)
	}
	a.Reason = strings.TrimSpace(a.Reason)
	if err := mayAnswer(&e.Approval, a); err != nil {
		return e.copy(), err
	}
	a.Time = now
	next := e.copy()
	next.Answers = append(next.Answers, a)
	switch {
	case !a.Approve:
		next.State, next.Ended = durward.ApprovalDenied, now
	case approved(next.Answers) >= next.Terms.Need:
		next.State, next.Ended, next.Expires = durward.ApprovalApproved, now, now.Add(d.rules.Expire)
	}
	if err := keep(next); err != nil {
		return e.copy(), err
	}
	if err := d.store(ctx, next); err != nil {
		return e.copy(), err
	}
	d.become(e, next)
	return next, nil
}

func approved(all []durward.ApprovalAnswer) (n int) {
	for _, a := range all {
		if a.Approve {
			n++
		}
	}
	return n
}

// mayAnswer refuses what must not count. Refusals first: nothing lets an answer through
// that was not looked at.
func mayAnswer(q *durward.Approval, a durward.ApprovalAnswer) error {
	switch {
	case q.State != durward.ApprovalPending:
		return &durward.Error{Code: durward.Conflict, Reason: durward.ReasonConflict, Message: fmt.Sprintf("Approval %s is %s; it takes no more answers.", q.ID, q.State)}
	case a.By == "":
		return notApprover("An answer needs somebody who gives it.")
	case a.Reason == "" || len(a.Reason) > maxReason:
		return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: fmt.Sprintf("Give a reason of at most %d bytes; it goes into the record.", maxReason)}
	case a.Key != "" && a.Key == q.Key:
		return notApprover("Who calls does not approve its own call.")
	case len(q.Terms.Approvers) > 0 && !slices.Contains(q.Terms.Approvers, a.By):
		return notApprover(a.By + " is not among those who may answer this: " + strings.Join(q.Terms.Approvers, ", ") + ".")
	case (q.Terms.Need > 1 || q.Terms.FourEyes) && nameless(a):
		return notApprover("This needs answers of people with names, and " + a.By + " is none; use a named operator's key: durward operator create NAME makes one, DURWARD_ADMIN_KEY is where it goes.")
	case (q.Terms.Need > 1 || q.Terms.FourEyes) && a.Approve && a.Since.After(q.Created):
		return notApprover("The key of " + a.By + " was made after this was asked, and whoever asks could have made it: answer with an older key, or let the call be asked for anew.")
	case slices.ContainsFunc(q.Answers, func(b durward.ApprovalAnswer) bool { return b.By == a.By || (b.Key != "" && b.Key == a.Key) }):
		return &durward.Error{Code: durward.Conflict, Reason: durward.ReasonConflict, Message: a.By + " has answered already; others have to."}
	case a.Approve && q.Terms.FourEyes && q.Owner != "" && slices.Contains(strings.Split(q.Owner, ","), a.By):
		return notApprover(a.By + " answers for the agent that calls, so somebody else has to approve.")
	}
	return nil
}

// nameless tells whether the answer is of a key that belongs to nobody in
// particular, or of whoever is on the gateway's machine, which agents are, too.
func nameless(a durward.ApprovalAnswer) bool {
	return a.By == "key "+a.Key || a.Key == "" && a.Channel == "admin"
}

func notApprover(msg string) error {
	return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotApprover, Message: msg}
}

// Use spends a permission on a call: from when it returns, the permission is
// used up, also for those who start again after a crash. It is refused for a
// question that is not approved, or another digest, or another agent's.
func (d *Desk) Use(ctx context.Context, id, agent, digest, call string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now().UTC()
	d.expire(ctx, now)
	e := d.all[id]
	if e == nil || e.Agent != agent || e.Digest != digest {
		return gone(id)
	}
	if e.State != durward.ApprovalApproved {
		return &durward.Error{Code: durward.Conflict, Reason: durward.ReasonApprovalUsed, Message: fmt.Sprintf("Approval %s is %s; ask again.", id, e.State)}
	}
	next := e.copy()
	next.State, next.Ended, next.UsedBy = durward.ApprovalUsed, now, call
	if err := d.store(ctx, next); err != nil {
		return err
	}
	d.become(e, next)
	return nil
}

// Continue lets a call that was let through once go on with its next round
// (MCP 2026-07-28, multi-round-trip requests): each round once, in order.
func (d *Desk) Continue(ctx context.Context, id, agent, digest string, round int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.all[id]
	if e == nil || e.Agent != agent || e.Digest != digest || e.State != durward.ApprovalUsed || e.Outcome != "" || e.Rounds != round {
		return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonStateInvalid, Message: "The requestState is not valid for this call; start again without it."}
	}
	next := e.copy()
	next.Rounds++
	if err := d.store(ctx, next); err != nil {
		return err
	}
	d.become(e, next)
	return nil
}

// Done notes how the call ended that a permission was used for.
func (d *Desk) Done(ctx context.Context, id string, o durward.Outcome) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.all[id]
	if e == nil || e.State != durward.ApprovalUsed || e.Outcome != "" {
		return nil
	}
	next := e.copy()
	next.Outcome, next.Ended = o, d.o.Now().UTC()
	if o == durward.OutcomeUnknown {
		next.State = durward.ApprovalUnknown
	}
	if err := d.store(ctx, next); err != nil {
		return err
	}
	d.become(e, next)
	return nil
}

// Left is how long a question or a permission lasts yet.
func Left(a durward.Approval, now time.Time) time.Duration { return max(a.Expires.Sub(now), 0) }
