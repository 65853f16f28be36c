package mcpedge

import (
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// turn is one request of an agent on its way through the table: the call, and
// the way back.
type turn struct {
	call   durward.Call
	id     []byte // raw, as the agent wrote it
	conv   *conversation
	peer   peer
	opened *durward.Session // by initialize
	slots  chan struct{}    // of a link, where requests may wait for their turn
	quit   <-chan struct{}  // closed when a link takes nothing more

	size    int64                   // of a link's request, in bytes
	keep    func() (release func()) // the same
	entered bool                    // the conversation is not to be told of it
	cancel  context.CancelCauseFunc // of a link's request
}

// answer is what a request gets.
type answer struct {
	status int               // of HTTP; 0 is 200
	result mcpwire.Pieces    // raw
	err    *durward.RPCError // instead of a result
	from   *durward.Error    // what err came from, for the headers that belong to it
	silent bool              // the agent cancelled: it expects nothing
	retry  time.Duration     // when to try again, for the header of a result
	limits []durward.LimitState
	spent  func() // as of durward.Reply
}

// message is the answer as a JSON-RPC response.
func (a answer) message(id []byte) []byte {
	if a.err != nil {
		return mcpwire.AppendError(nil, id, a.err)
	}
	return a.parts(id).Join()
}

// parts is the same, not copied together.
func (a answer) parts(id []byte) mcpwire.Pieces {
	if a.err != nil {
		return mcpwire.Pieces{a.message(id)}
	}
	return mcpwire.ResultParts(id, a.result)
}

// fill makes the call of a message that was classified.
func (t *turn) fill(m *mcpwire.Message, d mcpwire.Decision) {
	t.id = m.ID
	t.call.Method = m.Method
	t.call.Input = d.Payload
	t.call.Asked = askedOf(t.call.Method, d.Payload)
	t.call.Wire.Modern = d.Modern
	t.call.Wire.Revision = d.Revision
	t.call.Client = durward.Client{}
	if d.Modern {
		t.call.Client = durward.Client{Capabilities: d.Meta.ClientCapabilities, Info: d.Meta.ClientInfo, LogLevel: d.Meta.LogLevel}
	}
}

// askedOf is the name or URI that the params ask for; a completion, and
// nothing else, asks for what its ref names.
func askedOf(method string, p durward.Payload) string {
	name, uri := p.Name.Of(p.Raw), p.URI.Of(p.Raw)
	if ref := p.Ref.Of(p.Raw); ref != nil && method == mcpwire.MethodComplete {
		name, _ = mcpwire.Field(ref, "name")
		uri, _ = mcpwire.Field(ref, "uri")
	}
	if mcpwire.NameOf(method) == "taskId" || method == mcpwire.MethodTasksResult {
		name, uri = p.TaskID.Of(p.Raw), nil
	}
	if name == nil {
		name = uri
	}
	text, _ := mcpwire.Text(name)
	return text
}

// attach gives an admitted call what its session or connection remembers.
func (t *turn) attach(conv *conversation) {
	t.conv = conv
	if s := t.call.Session; s != nil && !t.call.Wire.Modern {
		t.call.Wire.Revision = s.Revision
		t.call.Client = s.Client
		t.call.Client.LogLevel = conv.logLevel()
	}
}

// prepare makes the peer of a turn that is about to run.
func (f *Face) prepare(t *turn, out outlet) {
	t.peer.modern, t.peer.level, t.peer.capabilities = t.call.Wire.Modern, t.call.Client.LogLevel, t.call.Client.Capabilities
	t.peer.conv, t.peer.out, t.peer.opts, t.peer.counts, t.peer.draining = t.conv, out, &f.opts, &f.counts, f.draining
}

// run answers an admitted turn. The call is known to its conversation while it
// runs, so that the agent can cancel it.
func (f *Face) run(ctx context.Context, t *turn, cancel context.CancelCauseFunc) answer {
	h := f.handlerOf(t.call.Method, t.call.Wire.Modern)
	if h == nil {
		return f.refused(ctx, t, mcpwire.MethodNotFound(t.call.Method))
	}
	if t.call.Method != mcpwire.MethodListen { // which lasts, and is bounded by connections
		defer f.calls.Add(-1)
		if f.calls.Add(1) > int64(f.opts.Calls) {
			return f.turnedAway(ctx, t, overloaded("Too many calls are under way; try again in a moment."))
		}
	}
	if t.conv != nil && !t.entered {
		n, err := t.conv.begin(t.id, cancel, f.opts.SessionCalls)
		if err != nil {
			return f.turnedAway(ctx, t, err)
		}
		defer t.conv.finish(n)
	}
	reply, err := f.survive(ctx, t, h)
	t.peer.close()
	if errors.Is(context.Cause(ctx), errCancelled) {
		return answer{silent: true, err: mcpwire.InternalError("The call was cancelled")}
	}
	if err != nil {
		return t.failed(err)
	}
	return t.replied(reply)
}

func overloaded(msg string) *durward.Error {
	return &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Message: msg, Retry: time.Second}
}

// lost says in the log that an agent did not read what it was sent.
func (f *Face) lost(c *durward.Call, messages int) {
	if messages > 0 {
		f.counts.addAll(newsLost, messages)
		f.opts.Log.Info("agent reads too slowly", "call", c.ID, "agent", c.Agent.Name, "dropped", messages)
	}
}

// survive keeps a bug of ours from ending more than one call.
func (f *Face) survive(ctx context.Context, t *turn, h handler) (reply durward.Reply, err error) {
	defer f.rescue(&t.call, func(bug error) { err = bug })
	if err := t.queue(ctx); err != nil {
		f.gw.Refused(ctx, &t.call, err)
		return durward.Reply{}, err
	}
	defer t.leaveQueue()
	return h(ctx, t)
}

// rescue is deferred around what a message of an agent can bring about,
// because much of it runs on goroutines of its own, where a bug of ours would
// end the process. The log says what happened, and told is given the error.
func (f *Face) rescue(c *durward.Call, told func(error)) {
	if bug := recover(); bug != nil {
		f.opts.Log.Error("call panicked", "call", c.ID, "method", c.Method, "panic", bug, "stack", string(debug.Stack()))
		told(durward.AsError(fmt.Errorf("panic: %v", bug)))
	}
}

// queue waits for the turn, where there is a queue. Who was cancelled meanwhile
// gets none, though it may come at the same moment.
func (t *turn) queue(ctx context.Context) *durward.Error {
	if t.slots == nil {
		return nil
	}
	cancelled := func() *durward.Error {
		return &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The call was cancelled before its turn came.", Err: context.Cause(ctx)}
	}
	select {
	case t.slots <- struct{}{}:
		if ctx.Err() != nil {
			t.leaveQueue()
			return cancelled()
		}
		return nil
	case <-ctx.Done():
		return cancelled()
	}
}

func (t *turn) leaveQueue() {
	if t.slots != nil {
		<-t.slots
	}
}

// replied puts a reply into the agent's era.
func (t *turn) replied(r durward.Reply) answer {
	if r.Error != nil {
		return t.rpcFailed(r.Error)
	}
	a := t.converted(r)
	a.retry, a.limits, a.spent = r.Retry, r.Limits, r.Spent
	return a
}

func (t *turn) converted(r durward.Reply) answer {
	w := t.call.Wire
	if r.Modern == w.Modern {
		return answer{result: mcpwire.Pieces{r.Result}}
	}
	if w.Modern {
		return answer{result: mcpwire.Pieces{mcpwire.ToModernResult(t.call.Method, r.Result, mcpwire.Hints{})}}
	}
	if kind, ok := mcpwire.FieldText(r.Result, "resultType"); ok && kind != "complete" {
		return t.rpcFailed(mcpwire.InternalError("The server answered " + clip(kind) + ", which this protocol revision cannot express"))
	}
	return answer{result: mcpwire.ToLegacyResult(t.call.Method, w.Revision, r.Result)}
}

// failed tells an error by the table of edge.
func (t *turn) failed(err error) answer {
	var rpc *durward.RPCError
	if errors.As(err, &rpc) {
		return t.rpcFailed(rpc)
	}
	e := durward.AsError(err)
	told := edge.RPC(e)
	if e.Code == durward.NotFound && t.call.Method == mcpwire.MethodResourcesRead && !t.call.Wire.Modern {
		told.Code = mcpwire.CodeLegacyResourceNotFound
	}
	return answer{status: edge.MCPStatus(e), err: told, from: e}
}

// rejected is failed for what was not admitted: the status says so.
func rejected(err error) answer {
	e := durward.AsError(err)
	return answer{status: edge.Status(e), err: edge.RPC(e), from: e}
}

// rpcFailed tells an error that is one of JSON-RPC already.
func (t *turn) rpcFailed(e *durward.RPCError) answer {
	w := t.call.Wire
	if !w.Modern {
		if e.Code == mcpwire.CodeURLElicitationRequired && !has(t.call.Client.Capabilities, "elicitation", "url") {
			e = mcpwire.VisitFirst(e)
		}
		return answer{err: mcpwire.ToLegacyError(t.call.Method, e)}
	}
	e = mcpwire.ToModernError(t.call.Method, t.call.Asked, e)
	return answer{status: modernStatus(e.Code), err: e}
}

// modernStatus is the HTTP status that MCP 2026-07-28 wants with an error.
func modernStatus(code int) int {
	switch code {
	case mcpwire.CodeMethodNotFound:
		return 404
	case mcpwire.CodeHeaderMismatch, mcpwire.CodeMissingCapability, mcpwire.CodeUnsupportedVersion:
		return 400
	}
	return 200
}

// turnedAway records what there is no room for, and tells it.
func (f *Face) turnedAway(ctx context.Context, t *turn, err error) answer {
	f.gw.Refused(ctx, &t.call, durward.AsError(err))
	return t.failed(err)
}

// refused records what this face refuses by itself, and tells it.
func (f *Face) refused(ctx context.Context, t *turn, e *durward.RPCError) answer {
	code := durward.BadRequest
	if e.Code == mcpwire.CodeHeaderMismatch {
		code = durward.HeaderMismatch
	}
	f.gw.Refused(ctx, &t.call, &durward.Error{Code: code, Reason: durward.ReasonRequestInvalid, Message: e.Message})
	return t.rpcFailed(e)
}
