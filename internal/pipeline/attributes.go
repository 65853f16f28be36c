package pipeline

import (
	"strings"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/policy"
)

// attributes asks the attribute rules. What they deny is listed all the same, for
// lists know no arguments; so the model hears of it, and may do otherwise.
func (g *Gateway) attributes(t *transit) (durward.Reply, error) {
	if t.plan.attributes == nil || t.call.Method == mcpwire.MethodComplete {
		return durward.Reply{}, nil
	}
	c := t.call
	f := policy.Facts{
		Agent: c.Agent, Key: c.KeyID, User: c.User, Session: c.SessionID, Op: c.Target, Method: c.Method,
		Args: c.Input.Arguments.Of(c.Input.Raw), Labels: t.known, Now: g.Now(), Source: c.Wire.Remote,
	}
	if t.plan.attributes.Labelled() {
		f.Labels = g.labels(t)
	}
	// What a task was started with was judged when it was; its own requests have no arguments.
	f.Blind = t.dry() && f.Args == nil && c.Method == mcpwire.MethodToolsCall || isTaskMethod(c.Method)
	d := t.plan.attributes.Decide(&f, t.verdict)
	if t.dry() {
		for _, name := range d.Unsure {
			t.trace.Unsure = append(t.trace.Unsure, "policy "+name+" looks at the arguments, which are not known")
		}
		if d.Err != nil {
			t.tell("%s: %v", d.Verdict.Rule, d.Err)
		}
	}
	if d.Err != nil {
		g.Log.Warn("condition could not be evaluated and denies", "rule", d.Verdict.Rule, "call", c.ID, "err", d.Err)
	}
	for _, name := range d.Flags {
		t.findings = append(t.findings, durward.Finding{Rule: "policy." + name, Vector: "policy", Severity: "low"})
	}
	if d.Verdict != t.verdict {
		t.verdict, t.rule = d.Verdict, d.Verdict.Rule
		t.reason = d.Verdict.Reason
	}
	if !d.Verdict.Denies() {
		return durward.Reply{}, nil
	}
	return t.refusal(&durward.Error{Code: durward.Forbidden, Reason: d.Verdict.Reason, Message: deniedBy(d)})
}

// labels are what the conversation has seen. A rehearsal looks without
// beginning one, and may be told other labels.
func (g *Gateway) labels(t *transit) []string {
	if !t.dry() {
		return t.conversation(g).Labels()
	}
	if len(t.known) == 0 {
		t.known = g.guard.LabelsOf(t.conversationKey())
	}
	t.tell("labels of the conversation: %s", orNone(t.known))
	return t.known
}

func deniedBy(d policy.Decision) string {
	name := strings.TrimPrefix(d.Verdict.Rule, "policy ")
	switch {
	case d.Message != "":
		return d.Message
	case d.Err != nil:
		return "A rule of this gateway (" + name + ") could not be applied to this call, which was therefore not made; its operator has to look."
	}
	return "A rule of this gateway (" + name + ") does not allow this call. It was not made."
}

// reweigh is attributes, as an error.
func (g *Gateway) reweigh(t *transit) error {
	reply, err := g.attributes(t)
	if err != nil || reply.Result == nil {
		return err
	}
	text, _ := resultText(reply.Result)
	return &durward.Error{Code: durward.Forbidden, Reason: t.reason, Message: text}
}
