package upstream

import (
	"context"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
)

// Bounds of a task that we wait for.
const (
	pollFirst   = time.Second // where a server does not say
	pollLeast   = 20 * time.Millisecond
	pollLongest = 10 * time.Second
)

// wantsTasks tells that a stateless server can answer a call only with a task,
// and nothing else is missing (MCP 2026-07-28, tasks extension).
func wantsTasks(r *Request, e *durward.RPCError) bool {
	required, _ := mcpwire.Field(e.Data, "requiredCapabilities")
	if e.Code != mcpwire.CodeMissingCapability || r.Method != mcpwire.MethodToolsCall || !mcpwire.ExtendsTasks(required) {
		return false
	}
	for name := range mcpwire.Fields(required) {
		if name != "extensions" {
			return false
		}
	}
	extensions, _ := mcpwire.Field(required, "extensions")
	for name := range mcpwire.Fields(extensions) {
		if name != mcpwire.ExtensionTasks {
			return false
		}
	}
	return true
}

// asTask makes such a call again, which the server refused before it did
// anything, as somebody who understands tasks: us. The client, of an older era,
// gets the result as of any other call.
func (s *server) asTask(ctx context.Context, r *Request, l *line, y *relay) (durward.Reply, error) {
	y.tasks = true
	a, err := l.conn.Do(ctx, s.prepareCall(r, l, y))
	if err != nil {
		s.suffer(err)
		return durward.Reply{}, err
	}
	if a.Error != nil {
		reply, _, err := s.refusal(r, l, y, a)
		return reply, err
	}
	switch mcpwire.ResultType(a.Result) {
	case "task":
		return s.await(ctx, r, l, y, a.Result)
	case "input_required":
		return s.cross(ctx, r, l, y, a.Result)
	}
	return s.settle(r, l, a)
}

// declared are the capabilities that a stateless server is told of with a call
// of an older client: the client's, and that tasks are understood where we are
// the one who understands them.
func (y *relay) declared() []byte {
	caps := []byte(or(y.profile, "{}"))
	if !y.tasks {
		return caps
	}
	extensions, ok := mcpwire.Field(caps, "extensions")
	if !ok {
		extensions = []byte("{}")
	}
	return mcpwire.SetField(caps, "extensions", mcpwire.SetField(extensions, mcpwire.ExtensionTasks, []byte("{}")))
}

// errand is a task that we wait for.
type errand struct {
	*bridge
	id    string
	asked map[string]bool // what was answered: a server may still show it
}

// await looks after a task until it ends, and puts to the client what it asks.
func (s *server) await(ctx context.Context, r *Request, l *line, y *relay, task []byte) (durward.Reply, error) {
	id, _ := mcpwire.FieldText(task, "taskId")
	if id == "" {
		return durward.Reply{}, s.protocol("started a task that has no id.", nil)
	}
	e := &errand{bridge: &bridge{server: s, r: r, line: l, relay: y, visited: map[string]string{}}, id: id, asked: map[string]bool{}}
	reply, done, err := durward.Reply{}, false, error(nil)
	for !done && err == nil {
		if err = link.Pause(ctx, pollTime(task)); err != nil {
			break
		}
		var a link.Answer
		if a, err = e.send(ctx, mcpwire.MethodTasksGet, nil); err != nil || a.Error != nil {
			reply = durward.Reply{Error: a.Error, Modern: true}
			break
		}
		task = a.Result
		reply, done, err = e.look(ctx, task)
	}
	if err != nil {
		e.abandon()
		return e.stop(err)
	}
	return reply, nil
}

func pollTime(task []byte) time.Duration {
	raw, _ := mcpwire.Field(task, "pollIntervalMs")
	ms, ok := mcpwire.Int(raw)
	if !ok || ms <= 0 {
		return pollFirst
	}
	return min(max(time.Duration(min(ms, 1<<40))*time.Millisecond, pollLeast), pollLongest)
}

// look does what the state of a task asks for.
func (e *errand) look(ctx context.Context, task []byte) (durward.Reply, bool, error) {
	switch status, _ := mcpwire.FieldText(task, "status"); status {
	case "working":
		return durward.Reply{}, false, nil
	case "input_required":
		return durward.Reply{}, false, e.answer(ctx, task)
	case "completed":
		result, ok := mcpwire.Field(task, "result")
		if !ok || !mcpwire.IsObject(result) {
			return durward.Reply{}, true, e.server.protocol("ended a task without its result.", nil)
		}
		return durward.Reply{Result: result, Modern: true}, true, nil
	case "failed":
		raw, ok := mcpwire.Field(task, "error")
		if !ok || !mcpwire.IsObject(raw) {
			return durward.Reply{}, true, e.server.protocol("ended a task without saying why.", nil)
		}
		return durward.Reply{Error: mcpwire.ReadError(raw), Modern: true}, true, nil
	}
	return durward.Reply{}, true, e.server.protocol("gave up the task that the call was.", nil)
}

// answer puts to the client what a task newly asks.
func (e *errand) answer(ctx context.Context, task []byte) error {
	all, err := e.questions(task)
	if err != nil {
		return err
	}
	fresh := all[:0]
	for _, q := range all {
		if !e.asked[q.key] {
			fresh = append(fresh, q)
		}
	}
	if len(fresh) == 0 {
		return nil // what was answered may show for a while
	}
	if len(e.asked)+len(fresh) > roundsMost*asksMost {
		return e.server.protocol("asked for input again and again.", nil)
	}
	if err := e.askAll(ctx, fresh); err != nil {
		return err
	}
	answers, err := e.join(fresh)
	if err != nil {
		return err
	}
	for _, q := range fresh {
		e.asked[q.key] = true
	}
	a, err := e.send(ctx, mcpwire.MethodTasksUpdate, answers)
	if err == nil && a.Error != nil {
		return e.server.protocol("did not take the answers that it had asked for.", a.Error)
	}
	return err
}

// send asks something about the task.
func (e *errand) send(ctx context.Context, method string, answers []byte) (link.Answer, error) {
	params := append(mcpwire.AppendQuote([]byte(`{"taskId":`), e.id), '}')
	if answers != nil {
		params = mcpwire.AddField(params, "inputResponses", answers)
	}
	s := e.server
	a, err := e.line.conn.Do(ctx, &link.Call{
		ID: s.set.nextID(), Method: method, Name: e.id, Own: true, Peer: hermit{}, Via: s.set.via(e.r.Via),
		Params: mcpwire.ModernParams(&durward.Payload{Raw: params}, mcpwire.Rewrite{}, mcpwire.RequestMeta{Capabilities: e.relay.declared(), Info: e.r.Client.Info}),
	})
	if err != nil {
		s.suffer(err)
	}
	return a, err
}

// abandon cancels a task that nobody waits for any more.
func (e *errand) abandon() {
	e.server.pool.task(func() {
		ctx, cancel := context.WithTimeout(e.server.ctx, farewellTime)
		defer cancel()
		_, _ = e.send(ctx, mcpwire.MethodTasksCancel, nil)
	})
}
