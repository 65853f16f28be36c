package mcpedge

import (
	"context"

	"durward"
	"durward/internal/mcpwire"
)

// task answers what is about a task, for callers who can have one: on
// 2026-07-28 those who declare the extension with the request, on 2025-11-25
// those to whom the capability was declared.
func (f *Face) task(ctx context.Context, t *turn) (durward.Reply, error) {
	if bad := t.lacksTasks(); bad != nil {
		f.gw.Refused(ctx, &t.call, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonCapabilityMissing, Message: bad.Message})
		return durward.Reply{}, bad
	}
	about, err := f.gw.Describe(ctx, &t.call)
	if err != nil {
		return durward.Reply{}, err
	}
	if !mcpwire.ServesTasks(about.Capabilities) && !mcpwire.ExtendsTasks(about.Capabilities) {
		bad := mcpwire.MethodNotFound(t.call.Method)
		f.gw.Refused(ctx, &t.call, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: bad.Message})
		return durward.Reply{}, bad
	}
	if t.call.Asked == "" {
		bad := mcpwire.InvalidParams("Invalid params: taskId is missing")
		f.gw.Refused(ctx, &t.call, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: bad.Message})
		return durward.Reply{}, bad
	}
	return f.gw.Serve(ctx, &t.call, &t.peer)
}

// lacksTasks tells a stateless caller that it has to declare the extension.
func (t *turn) lacksTasks() *durward.RPCError {
	if !t.call.Wire.Modern || mcpwire.ExtendsTasks(t.call.Client.Capabilities) {
		return nil
	}
	return mcpwire.MissingCapability([]byte(`{"extensions":{"` + mcpwire.ExtensionTasks + `":{}}}`))
}
