package pipeline

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"durward"
	"durward/internal/limit"
	"durward/internal/mcpwire"
	"durward/internal/policy"
)

// Keys of our own in the _meta of results, documented in docs/limits.md.
const (
	metaLimits  = "durward/limits"
	metaRefusal = "durward/refusal"
)

// told bounds how many limits a caller hears of.
const told = 4

func compileLimits(s *durward.Snapshot) (*limit.Program, error) {
	return limit.Compile(s.Limits, s.Agents, func(pattern string) (limit.Matcher, error) {
		return policy.Matcher(pattern)
	})
}

// take books the call in every limit that speaks of it, or in none. A tool's
// model hears in a result when to try again. What goes on with a call that was
// parked is the same call still.
func (g *Gateway) take(ctx context.Context, t *transit) (durward.Reply, error) {
	c := t.call
	if !t.plan.limits.Applies(c.Agent) || t.ticket != "" {
		return durward.Reply{}, nil
	}
	subject := limit.Subject{Agent: c.Agent, Key: c.KeyID, User: c.User, Op: c.Target, Bytes: int64(len(c.Input.Raw))}
	if t.dry() {
		return g.peek(t, subject)
	}
	booking, refused, err := g.desk.Take(ctx, t.plan.limits, subject, g.Now())
	if err != nil { // nobody can say how much was used: then nothing may be
		return durward.Reply{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Retry: time.Second, Err: err,
			Message: "The gateway cannot count at the moment; try again in a moment."}
	}
	if refused != nil {
		return t.limited(refused)
	}
	t.booking = booking
	return durward.Reply{}, nil
}

// peek tells what a rehearsed call would count in, and takes nothing.
func (g *Gateway) peek(t *transit, s limit.Subject) (durward.Reply, error) {
	states, refused := g.desk.Peek(t.plan.limits, s, g.Now())
	for _, l := range states {
		t.tell("limit %s: %d of %d %s left", l.Name, l.Left, l.Most, l.Unit)
	}
	if refused != nil {
		return t.limited(refused)
	}
	return durward.Reply{}, nil
}

// limited is the refusal of a limit.
func (t *transit) limited(r *limit.Refused) (durward.Reply, error) {
	t.rule = "limit " + r.Limit.Name
	e := &durward.Error{Code: durward.Limited, Reason: limitReason(r), Message: limitSentence(r), Retry: r.Retry, Limits: []durward.LimitState{r.State}}
	return t.refusal(e)
}

// refusal tells a caller why not: a model in the result of its tool, others as
// an error.
func (t *transit) refusal(e *durward.Error) (durward.Reply, error) {
	t.reason = e.Reason
	if !t.readsToolResults() {
		return durward.Reply{}, e
	}
	t.verdict = durward.Verdict{Effect: durward.Deny, Reason: e.Reason, Rule: t.rule}
	meta := append([]byte(`{"`+metaRefusal+`":`), t.refusalMeta(e)...)
	if len(e.Limits) > 0 {
		meta = append(append(meta, `,"`+metaLimits+`":`...), limitsMeta(e.Limits)...)
	}
	out := append([]byte(`{"resultType":"complete","content":[{"type":"text","text":`), mcpwire.Quote(e.Message)...)
	out = append(append(append(out, `}],"isError":true,"_meta":`...), meta...), "}}"...)
	return durward.Reply{Result: out, Modern: true, Retry: e.Retry, Limits: e.Limits}, nil
}

func (t *transit) refusalMeta(e *durward.Error) []byte {
	out := append([]byte(`{"reason":`), mcpwire.Quote(string(e.Reason))...)
	out = append(append(out, `,"call":`...), mcpwire.Quote(t.call.ID)...)
	if e.Retry > 0 {
		out = strconv.AppendInt(append(out, `,"retryAfterMs":`...), e.Retry.Milliseconds(), 10)
	}
	return append(out, '}')
}

func limitReason(r *limit.Refused) durward.Reason {
	switch {
	case r.NoRoom:
		return durward.ReasonOverloaded
	case r.Limit.Unit == durward.UnitConcurrency:
		return durward.ReasonConcurrency
	case r.Limit.Unit == durward.UnitCost:
		return durward.ReasonBudgetSpent
	case r.Limit.Calendar != "":
		return durward.ReasonQuotaExceeded
	}
	return durward.ReasonRateLimited
}

// limitSentence says what is used up and what to do.
func limitSentence(r *limit.Refused) string {
	l := r.Limit
	var what string
	switch {
	case r.NoRoom:
		return "The gateway counts too many things at the moment; try again in a minute."
	case l.Unit == durward.UnitConcurrency:
		what = fmt.Sprintf("%d calls at a time are allowed here and are under way", l.Most)
	case l.Unit == durward.UnitBytes:
		what = fmt.Sprintf("The limit of %d bytes %s is used up", l.Most, span(l))
	case l.Unit == durward.UnitCost && r.Retry <= 0:
		return fmt.Sprintf("This call costs %d units, more than the budget of %d %s ever allows at once (limit %s). Do not try it again; use a cheaper tool.", r.Asked, l.Most, span(l), l.Name)
	case l.Unit == durward.UnitCost:
		what = fmt.Sprintf("The budget of %d units %s does not cover this call, which costs %d", l.Most, span(l), r.Asked)
	default:
		what = fmt.Sprintf("The limit of %d calls %s is used up", l.Most, span(l))
	}
	return fmt.Sprintf("%s (limit %s): try again in %s.", what, l.Name, wait(r.Retry))
}

func span(l durward.Limit) string {
	switch {
	case l.Calendar != "":
		return "a " + l.Calendar
	case l.Every == time.Second:
		return "a second"
	case l.Every == time.Minute:
		return "a minute"
	case l.Every == time.Hour:
		return "an hour"
	}
	return "in " + l.Every.String()
}

// wait is a time to wait, rounded up, as a model reads it best.
func wait(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", max(s, 1))
	case s < 2*3600:
		return fmt.Sprintf("%d min", (s+59)/60)
	}
	return fmt.Sprintf("%d h", (s+3599)/3600)
}

// release gives back what was not used, and tells what is left. It is called
// once for each call, whatever became of it.
func (g *Gateway) release(ctx context.Context, t *transit, reply durward.Reply, err error) (durward.Reply, error) {
	b := t.booking
	if b == nil {
		return reply, err
	}
	t.booking = nil
	states := b.States(told)
	if failed := g.desk.Close(context.WithoutCancel(ctx), b, g.Now(), t.asked, int64(len(reply.Result))); failed != nil {
		g.Log.Error("use of limits could not be counted", "call", t.call.ID, "err", failed)
	}
	if err == nil && t.asked && reply.Result != nil {
		reply.Limits = states
		reply.Result = withMeta(reply.Result, metaLimits, limitsMeta(states))
	}
	return reply, err
}

// limitsMeta is the states as JSON.
func limitsMeta(states []durward.LimitState) []byte {
	out := []byte{'['}
	for i, s := range states {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, `{"name":`...), mcpwire.Quote(s.Name)...)
		out = append(append(out, `,"unit":`...), mcpwire.Quote(string(s.Unit))...)
		out = strconv.AppendInt(append(out, `,"limit":`...), s.Most, 10)
		out = strconv.AppendInt(append(out, `,"remaining":`...), s.Left, 10)
		if s.Window > 0 {
			out = strconv.AppendInt(append(out, `,"windowSeconds":`...), int64(s.Window/time.Second), 10)
			out = strconv.AppendInt(append(out, `,"resetSeconds":`...), int64((s.Reset+time.Second-1)/time.Second), 10)
		}
		out = append(out, '}')
	}
	return append(out, ']')
}

// withMeta puts a member into the _meta of a result. A server's own member of
// that name is replaced: it speaks for us.
func withMeta(result []byte, key string, value []byte) []byte {
	if !mcpwire.IsObject(result) {
		return result
	}
	meta, ok := mcpwire.Field(result, "_meta")
	if !ok || !mcpwire.IsObject(meta) {
		return mcpwire.SetField(result, "_meta", append(append(append([]byte(`{"`), key...), `":`...), append(value, '}')...))
	}
	return mcpwire.SetField(result, "_meta", mcpwire.SetField(meta, key, value))
}
