package pipeline

import (
	"durward"
	"durward/internal/mcpwire"
)

// Members that mean something in results of 2026-07-28 only. From an upstream
// of an older revision they are noise at best.
var modernMembers = []string{"resultType", "inputRequests", "requestState", "ttlMs", "cacheScope"}

// honest holds a reply against what its upstream may say to this caller: an
// older server has no way to ask for input, and a modern one may ask only for
// what the client said it can give (MCP 2026-07-28, capabilities).
func (t *transit) honest(reply durward.Reply) (durward.Reply, error) {
	c := t.call
	if reply.Result == nil || !c.Wire.Modern {
		return reply, nil
	}
	if !reply.Modern {
		reply.Result = mcpwire.DropFields(reply.Result, modernMembers...)
		return reply, nil
	}
	switch kind := mcpwire.ResultType(reply.Result); kind {
	case "complete":
		if c.Method != mcpwire.MethodTasksGet {
			return reply, nil
		}
		return reply, t.mayAsk(reply.Result) // a task asks in what it says of itself
	case "task":
		if c.Method == mcpwire.MethodToolsCall && mcpwire.ExtendsTasks(c.Client.Capabilities) {
			return reply, nil
		}
		return durward.Reply{}, misbehaves(c.Target.Upstream, "answered with a task, which this client did not say that it understands")
	case "input_required":
		return reply, t.mayAsk(reply.Result)
	default:
		return durward.Reply{}, misbehaves(c.Target.Upstream, "answered with a result of a kind that this client did not ask for")
	}
}

// mayAsk checks that the client declared what it is asked for.
func (t *transit) mayAsk(result []byte) error {
	c := t.call
	switch c.Method {
	case mcpwire.MethodToolsCall, mcpwire.MethodPromptsGet, mcpwire.MethodResourcesRead, mcpwire.MethodTasksGet:
	default:
		return misbehaves(c.Target.Upstream, "asked for input where that is not possible")
	}
	requests, ok := mcpwire.Field(result, "inputRequests")
	if !ok {
		return nil // state alone: come back later
	}
	if !mcpwire.IsObject(requests) {
		return misbehaves(c.Target.Upstream, "asked for input in a way that cannot be understood")
	}
	for _, request := range mcpwire.Fields(requests) {
		if !declared(c.Client.Capabilities, request) {
			return misbehaves(c.Target.Upstream, "asked for something that this client cannot give")
		}
	}
	return nil
}

// declared tells whether the capabilities cover one input request.
func declared(capabilities, request []byte) bool {
	if capabilities == nil || !mcpwire.IsObject(request) {
		return false
	}
	method, _ := mcpwire.FieldText(request, "method")
	switch method {
	case mcpwire.MethodRoots:
		return has(capabilities, "roots")
	case mcpwire.MethodSample:
		return has(capabilities, "sampling")
	case mcpwire.MethodElicit:
		params, _ := mcpwire.Field(request, "params")
		if params == nil {
			return false
		}
		if mode, _ := mcpwire.FieldText(params, "mode"); mode == "url" {
			return has(capabilities, "elicitation", "url")
		}
		return has(capabilities, "elicitation") // an empty object means forms
	}
	return false
}

func has(obj []byte, path ...string) bool {
	_, ok := mcpwire.Path(obj, path...)
	return ok
}

func misbehaves(upstream, how string) error {
	return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonUpstreamProtocol, Message: "The upstream " + upstream + " " + how + "."}
}
