package pipeline

import (
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
)

// mayPark tells whether the upstream may ask a stateless caller something
// that only another request can answer.
func (t *transit) mayPark() bool {
	c := t.call
	if !c.Wire.Modern || c.Client.Capabilities == nil || t.plan.catalog.Modern(c.Target.Upstream) {
		return false
	}
	switch c.Method { // the methods that may answer input_required
	case mcpwire.MethodToolsCall, mcpwire.MethodPromptsGet, mcpwire.MethodResourcesRead:
	default:
		return false
	}
	for _, capability := range []string{"elicitation", "sampling", "roots"} {
		if _, ok := mcpwire.Field(c.Client.Capabilities, capability); ok {
			return true
		}
	}
	return false
}

// owner is whose memory the bodies of the call may go on to serve. Only of
// plain tool calls it is known that nobody keeps a part of them: not of those
// that are held, carried on, made once, or of a task.
func (t *transit) owner() string {
	c := t.call
	if c.Method != mcpwire.MethodToolsCall || c.Agent.Anonymous || t.tasked ||
		t.approval != "" || t.ticket != "" || t.task != "" || len(t.claims) > 0 {
		return ""
	}
	return c.Agent.Name
}

func (t *transit) request() *upstream.Request {
	c := t.call
	r := &upstream.Request{
		Upstream: c.Target.Upstream, Method: c.Method, Payload: &c.Input,
		Client: c.Client, Modern: c.Wire.Modern, Revision: c.Wire.Revision,
		Agent: c.Agent.Name, Session: c.SessionID, Via: c.Via, ParamHeaders: c.Target.ParamHeaders, Safe: c.Target.ReadOnly,
		Owner: t.owner(),
	}
	if t.payload != nil {
		r.Payload = t.payload
	}
	switch {
	case isTaskMethod(c.Method):
		r.TaskID, r.ParamHeaders, r.Safe = t.task, nil, false
	case c.Target.Kind == durward.KindTool:
		r.Name, r.AsTask, r.NeedsTask = c.Target.Name, t.tasked, c.Target.TaskSupport == mcpwire.TaskRequired
	case c.Target.Kind == durward.KindPrompt:
		r.Name = c.Target.Name
	default:
		r.URI = c.Target.Name
	}
	return r
}
