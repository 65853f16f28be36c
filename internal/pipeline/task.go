package pipeline

import (
	"context"
	"strings"

	"durward"
	"durward/internal/catalog"
	"durward/internal/mcpwire"
)

// A task is an upstream's: we keep nothing of it. The id that the caller gets
// is a name that holds where the task lives, what the upstream calls it and
// which tool it runs, and that opens for this caller only. Each request about
// the task is decided like a call of that tool, and recorded like one.

// taskIDMost bounds the ids of upstreams: ours have to fit into Mcp-Name.
const taskIDMost = 1 << 10

// isTaskMethod tells the methods that are about a task.
func isTaskMethod(method string) bool {
	switch method {
	case mcpwire.MethodTasksGet, mcpwire.MethodTasksResult, mcpwire.MethodTasksUpdate, mcpwire.MethodTasksCancel:
		return true
	}
	return false
}

// task finds the tool whose call became the task that is asked about.
func (g *Gateway) task(t *transit) (*durward.Operation, error) {
	c := t.call
	opened, err := g.sealer.Named(c.Asked, taskBinding, c.Agent.Name)
	if err != nil {
		return nil, unknownTask()
	}
	parts := strings.SplitN(string(opened), "\x00", 3)
	if len(parts) != 3 {
		return nil, unknownTask()
	}
	op := t.view.Tool(parts[0], parts[1])
	if op == nil || t.plan.catalog.Modern(op.Upstream) != c.Wire.Modern { // tasks stay in their era
		return nil, unknownTask()
	}
	t.task = parts[2]
	return op, nil
}

const taskBinding = "task"

func (g *Gateway) nameTask(t *transit, own string) string {
	op := t.call.Target
	return g.sealer.Name([]byte(op.Upstream+"\x00"+op.Name+"\x00"+own), taskBinding, t.call.Agent.Name)
}

// unknownTask is the one answer to a task that does not exist, that is
// another's, or whose tool the caller must not use.
func unknownTask() *durward.Error {
	return &durward.Error{Code: durward.NotFound, Reason: durward.ReasonOperationUnknown, Message: "Unknown task."}
}

// wantsTask tells whether the caller asks for a task in the way of 2025-11-25,
// and refuses it where it cannot be had: an answer of another kind than the
// caller waits for would come after the deed. A server that has no tasks at all
// takes no notice of the wish (MCP 2025-11-25, tasks).
func (t *transit) wantsTask() error {
	c := t.call
	if c.Method != mcpwire.MethodToolsCall || c.Wire.Modern || !c.Input.Task.Present() {
		return nil
	}
	switch {
	case !t.view.HasTasks(catalog.Encoding{Revision: c.Wire.Revision}):
	case c.Target.TaskSupport == "":
		return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid,
			Message: "The tool " + c.Asked + " does not run as a task; call it without one."}
	default:
		t.tasked = true
	}
	return nil
}

// readsToolResults tells whether the caller takes the result of a tool for an
// answer: who asks for a task waits for a task.
func (t *transit) readsToolResults() bool {
	return t.call.Method == mcpwire.MethodToolsCall && (t.call.Wire.Modern || !t.call.Input.Task.Present())
}

// nameTasks gives the tasks in a reply the names that the caller knows them by.
func (g *Gateway) nameTasks(t *transit, reply durward.Reply) (durward.Reply, error) {
	c := t.call
	switch {
	case reply.Result == nil, t.withheld:
	case isTaskMethod(c.Method):
		return t.renamed(reply), nil
	case c.Method != mcpwire.MethodToolsCall:
	case reply.Modern && mcpwire.ResultType(reply.Result) == "task":
		own, _ := mcpwire.FieldText(reply.Result, "taskId")
		if own == "" || len(own) > taskIDMost {
			return durward.Reply{}, misbehaves(c.Target.Upstream, "started a task that cannot be named")
		}
		t.task = own
		reply.Result = mcpwire.SetField(reply.Result, "taskId", mcpwire.Quote(g.nameTask(t, own)))
	case t.tasked:
		own, _ := mcpwire.FieldText(mcpwire.TaskMember(reply.Result), "taskId")
		if own == "" || len(own) > taskIDMost {
			return durward.Reply{}, misbehaves(c.Target.Upstream, "was asked for a task and started none that can be named")
		}
		t.task = own
		reply.Result = mcpwire.SetTaskMember(reply.Result, g.nameTask(t, own))
	}
	return reply, nil
}

// renamed answers about a task under the name that it was asked about.
func (t *transit) renamed(reply durward.Reply) durward.Reply {
	if t.call.Method == mcpwire.MethodTasksResult {
		reply.Result = mcpwire.RelatedTask(reply.Result, t.call.Asked)
		return reply
	}
	if _, ok := mcpwire.Field(reply.Result, "taskId"); ok {
		reply.Result = mcpwire.SetField(reply.Result, "taskId", mcpwire.Quote(t.call.Asked))
	}
	return reply
}

// taskPeer is the caller's side of a tasks/result: what the upstream asks
// meanwhile names the task as the caller knows it (MCP 2025-11-25, related-task).
type taskPeer struct {
	durward.Peer
	name string
}

// Notify implements durward.Peer.
func (p taskPeer) Notify(method string, params []byte) {
	p.Peer.Notify(method, mcpwire.RelatedTask(params, p.name))
}

// Ask implements durward.Peer.
func (p taskPeer) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	return p.Peer.Ask(ctx, method, mcpwire.RelatedTask(params, p.name))
}
