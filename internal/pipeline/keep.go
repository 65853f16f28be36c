package pipeline

import (
	"context"
	"encoding/json"
	"fmt"

	"durward"
	"durward/internal/audit"
	"durward/internal/mcpwire"
	"durward/internal/policy"
)

// The modes of the record; in the one between, the record of a call that may
// change something is durable before its reply.
const (
	recordMust    = "must"    // an intent is durable before the call, too
	recordBatched = "batched" // nobody waits
)

// announcer is a recorder that takes intents.
type announcer interface {
	Begin(ctx context.Context, r *durward.Record) error
}

// Vault seals what the record keeps in full, so that it can be destroyed.
type Vault interface {
	Seal(r *durward.Record, field string, plain []byte) ([]byte, error)
}

// announce sees to it that a call leaves a trace, whatever becomes of us: no
// record, no call; and where the record must be, an intent is durable before
// the upstream hears of the call.
func (g *Gateway) announce(ctx context.Context, t *transit) error {
	if err := g.Records.Ready(); err != nil {
		return unrecordable(err)
	}
	if t.plan.snapshot.RecordMode != recordMust || t.reads() {
		return nil
	}
	log, ok := g.Records.(announcer)
	if !ok {
		return unrecordable(fmt.Errorf("%T takes no intents", g.Records))
	}
	r := g.heading(t)
	g.keepArguments(t, r, t.keeping())
	if err := log.Begin(context.WithoutCancel(ctx), r); err != nil {
		return unrecordable(err)
	}
	t.heading = r
	return nil
}

// heading is what the record says of who calls what. It is made once.
func (g *Gateway) heading(t *transit) *durward.Record {
	if t.heading != nil {
		return t.heading
	}
	c := t.call
	r := &durward.Record{
		Time: c.Received, ID: c.ID, Lane: durward.LaneMCP, Agent: t.holder, Key: c.KeyID, Session: c.SessionID,
		Remote: c.Wire.Remote, Transport: c.Wire.Transport, Protocol: c.Wire.Revision,
		Method: c.Method, Asked: c.Asked, Task: t.task, Revision: t.plan.Revision,
	}
	if c.Agent != nil {
		r.Agent = c.Agent.Name
	}
	if op := c.Target; op != nil {
		r.Upstream, r.Tool = op.Upstream, op.Name
	}
	return r
}

// recordRule is a compiled rule of what is kept.
type recordRule struct {
	match []func(*durward.Operation) bool
	durward.RecordRule
}

func compileRecordRules(rules []durward.RecordRule) ([]recordRule, error) {
	var out []recordRule
	for _, r := range rules {
		c := recordRule{RecordRule: r}
		for _, pattern := range r.Tools {
			m, err := policy.Matcher(pattern)
			if err != nil {
				return nil, fmt.Errorf("compile the rules of the record: %w", err)
			}
			c.match = append(c.match, m)
		}
		out = append(out, c)
	}
	return out, nil
}

// keeping is what the record keeps of a call.
type keeping struct {
	args, result audit.Keep
	class        string
}

func (t *transit) keeping() keeping {
	s, op := t.plan.snapshot, t.call.Target
	k := keeping{args: audit.Keep(s.Record), result: audit.Keep(s.Results)}
	if op == nil {
		return k
	}
	if up := t.plan.upstreams[op.Upstream]; up != nil && up.Record != "" {
		k.args = audit.Keep(up.Record)
	}
	for i := range t.plan.keeps {
		r := &t.plan.keeps[i]
		for _, match := range r.match {
			if match(op) {
				return k.under(r)
			}
		}
	}
	return k
}

func (k keeping) under(r *recordRule) keeping {
	if r.Arguments != "" {
		k.args = audit.Keep(r.Arguments)
	}
	if r.Results != "" {
		k.result = audit.Keep(r.Results)
	}
	k.class = r.Class
	return k
}

func (t *transit) recordMode() audit.Keep { return t.keeping().args }

// keepValues puts into the record what it keeps of arguments and result.
func (g *Gateway) keepValues(t *transit, r *durward.Record, reply durward.Reply) {
	k := t.keeping()
	if t.heading == nil { // else it is done
		g.keepArguments(t, r, k)
	}
	if k.result == audit.KeepDefault || k.result == audit.KeepOff || reply.Result == nil {
		return
	}
	var err error
	if r.ResultSHA256, r.Result, err = k.result.Of(reply.Result, mcpwire.Canonical); err != nil {
		r.Findings = append(r.Findings, durward.Finding{Rule: "record.result", Vector: "audit", Severity: "info", Evidence: err.Error()})
	}
	if k.result == audit.KeepFull {
		g.sealValue(r, "result", &r.Result)
	}
}

// sealValue replaces a value by its sealed form. What cannot be sealed is not kept.
func (g *Gateway) sealValue(r *durward.Record, field string, value *json.RawMessage) {
	if g.Vault == nil || len(*value) == 0 {
		return
	}
	sealed, err := g.Vault.Seal(r, field, *value)
	if err != nil {
		g.Log.Error("value could not be sealed and is not kept", "call", r.ID, "field", field, "err", err)
		sealed = []byte(`"[could not be sealed]"`)
	}
	*value = sealed
}

func (g *Gateway) keepArguments(t *transit, r *durward.Record, k keeping) {
	r.Class = k.class
	raw := t.call.Input.Arguments.Of(t.call.Input.Raw)
	if raw == nil {
		return
	}
	if err := k.args.Fill(r, raw, mcpwire.Canonical); err != nil {
		r.Findings = append(r.Findings, durward.Finding{Rule: "record.arguments", Vector: "audit", Severity: "info", Evidence: err.Error()})
	}
	if k.args == audit.KeepFull {
		g.sealValue(r, "args", &r.Args)
	}
}
