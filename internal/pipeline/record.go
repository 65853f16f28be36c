package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"durward"
	"durward/internal/audit"
	"durward/internal/catalog"
	"durward/internal/guard"
	"durward/internal/limit"
	"durward/internal/mcpwire"
	"durward/internal/once"
	"durward/internal/runaway"
)

// transit is one call on its way, with what was found out about it.
type transit struct {
	plan       *Plan
	call       *durward.Call
	view       *catalog.View
	candidates []*durward.Operation // who may serve an unlisted resource
	holder     string               // agent of the presented key, even when it was refused
	verdict    durward.Verdict      // the zero value denies
	reason     durward.Reason
	rule       string
	findings   []durward.Finding
	ticket     string            // of the parked call that this one resumes
	task       string            // the upstream's own id of the task that this is about, or that it started
	tasked     bool              // the caller wants a task (MCP 2025-11-25)
	asked      bool              // the upstream was asked
	waits      bool              // the answer is a question to the caller
	booking    *limit.Booking    // in limits; nil when none speaks of the call
	standing   *durward.Standing // of the target, when it is in use and not as approved
	sign       runaway.Sign      // of an agent that goes in circles
	probe      func(step string) // of tests: what goes wrong, and where; nil
	broke      bool              // a bug of ours ended it
	cancel     context.CancelCauseFunc
	crew       *crew // while it is under way, with its neighbours
	next, prev *transit
	guarded    // what the guard knows of it
	upstreamUS int64
	heading    *durward.Record      // of a call that was announced
	approval   string               // that the call waits for, was let through by, or goes on under
	rounds     int                  // that it went on for, after it was let through
	known      []string             // labels, of a rehearsal
	claims     []*once.Claim        // of a call that is made once
	onceKeys   []string             // that they are for
	step       string               // that the call is in
	trace      *durward.Explanation // of a dry run; nil on a call that is served
	before     durward.Verdict      // of a dry run: when the step began
}

// begin opens the record of a call: whatever happens next, end closes it.
func (g *Gateway) begin(c *durward.Call) *transit {
	return &transit{plan: g.plan.Load(), call: c, probe: g.probe}
}

// end closes the record. The answer to a call with a side effect leaves only
// when the record is safe; if it cannot be, the caller hears that instead.
func (g *Gateway) end(ctx context.Context, t *transit, reply durward.Reply, err error) (durward.Reply, error) {
	mode := audit.Durable
	if t.plan.snapshot.RecordMode == recordBatched || t.onlyReads() && t.plan.snapshot.Reads != "durable" {
		mode = audit.Batched
	}
	rec := g.record(t, reply, err)
	g.settleApproval(ctx, t, rec)
	g.paced(t, rec)
	// The record outlives a caller who went away; the log does not wait for ever for a disk that hangs.
	if failed := g.Records.Append(context.WithoutCancel(ctx), rec, mode); failed != nil {
		g.Log.Error("call could not be recorded", "call", rec.ID, "agent", rec.Agent, "err", failed)
		return durward.Reply{}, unrecordable(failed)
	}
	return reply, named(err, rec)
}

// named gives the error of a call the id of its record.
func named(err error, rec *durward.Record) error {
	var e *durward.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	told := *e
	told.Call = rec.ID
	return &told
}

// onlyReads tells whether a call changed nothing: it never got to an
// upstream, or what it called is a read.
func (t *transit) onlyReads() bool { return t.reads() || !t.asked && t.heading == nil }

// reads tells whether what is called is a read.
func (t *transit) reads() bool {
	switch t.call.Method {
	case mcpwire.MethodTasksGet, mcpwire.MethodTasksResult:
		return true
	}
	return t.call.Target == nil || t.call.Target.ReadOnly
}

func unrecordable(cause error) error {
	return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonRecordUnavailable, Retry: 5 * time.Second, Err: cause,
		Message: "The gateway cannot keep a record at the moment and therefore serves no calls; its operator has to look."}
}

func (g *Gateway) record(t *transit, reply durward.Reply, err error) *durward.Record {
	r := g.heading(t)
	r.Task, r.Reason, r.Rule, r.Findings = t.task, t.reason, t.rule, slices.Concat(r.Findings, t.call.Findings, t.kept())
	r.LatencyUS, r.UpstreamUS = g.Now().Sub(t.call.Received).Microseconds(), t.upstreamUS
	g.keepValues(t, r, reply)
	r.Outcome, r.Verdict = t.outcome(reply, err), t.verdict.Effect.String()
	if t.waits && t.asked {
		r.Reason = durward.ReasonInputRequired
	}
	if err != nil && r.Reason == durward.ReasonNone {
		r.Reason = durward.AsError(err).Reason
	}
	if r.Reason == durward.ReasonNone && t.verdict.Effect == durward.Hold {
		r.Reason = t.verdict.Reason
	}
	if r.Outcome == durward.OutcomeRefused {
		r.Step = t.step
	}
	r.Approval = t.approval
	return r
}

// kept is what the record keeps of the findings. What they quote of a call has
// passed no policy and is not sealed: unless the operator wants it, its shape
// has to do.
func (t *transit) kept() []durward.Finding {
	mode := t.plan.snapshot.Evidence
	if len(t.findings) == 0 || mode == evidenceText {
		return t.findings
	}
	out := slices.Clone(t.findings)
	for i := range out {
		f := &out[i]
		switch {
		case !guard.Quotes(f.Rule) || f.Evidence == "":
		case f.Rule == guard.RuleArguments || f.Rule == guard.RuleNumber:
			f.Evidence, _, _ = strings.Cut(f.Evidence, ":") // the rule of the schema
		case mode == evidenceOff:
			f.Evidence = ""
		default:
			f.Evidence = shape(f.Evidence, t.recordMode())
		}
	}
	return out
}

// What is kept of what findings quote; "" stands for the shape.
const (
	evidenceOff  = "off"
	evidenceText = "text"
)

// shape is what may be known of a quoted text: how long it is, and a digest by
// which the same attack is known again, where the record keeps digests.
func shape(text string, of audit.Keep) string {
	out := "[" + strconv.Itoa(utf8.RuneCountInString(text)) + " characters"
	if of != audit.KeepOff {
		sum := sha256.Sum256([]byte(text))
		out += ", sha256 " + hex.EncodeToString(sum[:6])
	}
	return out + "]"
}

// outcome tells how the call ended. A call that was let through keeps its
// verdict even if the upstream then failed.
func (t *transit) outcome(reply durward.Reply, err error) durward.Outcome {
	switch {
	case t.broke && t.asked: // nobody saw how it ended
		return durward.OutcomeUnknown
	case err != nil && !t.asked:
		t.verdict = durward.Verdict{Effect: durward.Deny}
		return durward.OutcomeRefused
	case err != nil && (durward.AsError(err).Code == durward.Cancelled || durward.AsError(err).Code == durward.Stopped):
		return durward.OutcomeCancelled
	case err != nil || reply.Error != nil:
		return durward.OutcomeError
	case t.withheld:
		return durward.OutcomeOK // it was done; only its reply is kept back
	case t.verdict.Denies(), t.verdict.Effect == durward.Hold && !t.asked:
		return durward.OutcomeRefused
	case t.call.Method == mcpwire.MethodToolsCall && isToolError(reply.Result): // a long list is not searched for it
		return durward.OutcomeToolError
	}
	return durward.OutcomeOK
}

func isToolError(result []byte) bool {
	v, ok := mcpwire.Field(result, "isError")
	return ok && string(v) == "true"
}

func (t *transit) argumentsMode() string {
	mode := t.plan.snapshot.Arguments
	if up := t.plan.upstreams[t.call.Target.Upstream]; up != nil && up.Arguments != "" {
		mode = up.Arguments
	}
	return mode // "" enforces
}
