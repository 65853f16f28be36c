package mcpedge

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
)

// handler answers one admitted request.
type handler func(ctx context.Context, t *turn) (durward.Reply, error)

// method is who answers a method on the stateful revisions and on 2026-07-28;
// nil where it does not exist.
type method struct{ legacy, modern handler }

// table is every method that agents may call. To support the next revision,
// start here.
func (f *Face) table() map[string]method {
	return map[string]method{
		mcpwire.MethodInitialize:    {legacy: f.initialize},
		mcpwire.MethodDiscover:      {modern: f.discover},
		mcpwire.MethodPing:          {legacy: f.ping},
		mcpwire.MethodSetLevel:      {legacy: f.setLevel},
		mcpwire.MethodToolsList:     {f.list, f.list},
		mcpwire.MethodPromptsList:   {f.list, f.list},
		mcpwire.MethodResourcesList: {f.list, f.list},
		mcpwire.MethodTemplatesList: {f.list, f.list},
		mcpwire.MethodToolsCall:     {f.serve, f.serve},
		mcpwire.MethodPromptsGet:    {f.serve, f.serve},
		mcpwire.MethodResourcesRead: {f.serve, f.serve},
		mcpwire.MethodComplete:      {f.serve, f.serve},
		mcpwire.MethodSubscribe:     {legacy: f.subscribe},
		mcpwire.MethodUnsubscribe:   {legacy: f.unsubscribe},
		mcpwire.MethodListen:        {modern: f.listen},
		mcpwire.MethodTasksGet:      {f.task, f.task},
		mcpwire.MethodTasksCancel:   {f.task, f.task},
		mcpwire.MethodTasksResult:   {legacy: f.task},
		mcpwire.MethodTasksUpdate:   {modern: f.task},
	}
}

func (f *Face) handlerOf(name string, modern bool) handler {
	if modern {
		return f.methods[name].modern
	}
	return f.methods[name].legacy
}

// notified takes a notification of the agent. Those that we do not act on are
// dropped, as JSON-RPC wants. conv is nil where nothing can be meant: over HTTP
// a stateless agent cancels by closing the connection.
func (f *Face) notified(conv *conversation, m *mcpwire.Message) {
	switch m.Method {
	case mcpwire.NotifyInitialized, mcpwire.NotifyRootsChanged, mcpwire.NotifyProgress:
	case mcpwire.NotifyCancelled:
		id, _ := mcpwire.Field(m.Params, "requestId")
		if id == nil || conv == nil || !conv.cancel(id) {
			f.counts.add(cancelsLate)
		}
	default:
		f.counts.add(noticesUnknown)
	}
}

// answered takes an answer to a question of a server.
func (f *Face) answered(conv *conversation, m *mcpwire.Message) {
	if !conv.answered(*m) {
		f.counts.add(answersUnasked)
	}
}

// serve passes on to the gateway what upstreams answer.
func (f *Face) serve(ctx context.Context, t *turn) (durward.Reply, error) {
	return f.gw.Serve(ctx, &t.call, &t.peer)
}

func (f *Face) list(ctx context.Context, t *turn) (durward.Reply, error) {
	return f.gw.List(ctx, &t.call)
}

func (f *Face) ping(context.Context, *turn) (durward.Reply, error) { return done() }

func (f *Face) setLevel(_ context.Context, t *turn) (durward.Reply, error) {
	level, _ := mcpwire.FieldText(t.call.Input.Raw, "level")
	if mcpwire.LogRank(level) < 0 {
		return durward.Reply{}, mcpwire.InvalidParams("Invalid params: level is not a log level")
	}
	t.conv.setLogLevel(level)
	return done()
}

func (f *Face) subscribe(ctx context.Context, t *turn) (durward.Reply, error) {
	if t.call.Asked == "" {
		return durward.Reply{}, mcpwire.InvalidParams("Invalid params: uri is missing")
	}
	if err := t.conv.interest.subscribe(ctx, f.gw, &t.call, t.call.Asked); err != nil {
		return durward.Reply{}, err
	}
	return done()
}

func (f *Face) unsubscribe(ctx context.Context, t *turn) (durward.Reply, error) {
	t.conv.interest.unsubscribe(ctx, t.call.Asked)
	return done()
}

// done is the empty result of the stateful revisions.
func done() (durward.Reply, error) { return durward.Reply{Result: []byte("{}")}, nil }
