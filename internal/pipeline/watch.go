package pipeline

import (
	"context"
	"slices"
	"sync"

	"durward"
	"durward/internal/catalog"
	"durward/internal/mcpwire"
)

// Bounds of one watch.
const (
	watchQueue = 64  // events that wait for a slow reader
	watchURIs  = 500 // resources of one watch
)

// Watch tells an admitted caller of changes: lists, when what it sees of them
// changes, and resources that it may read.
func (g *Gateway) Watch(ctx context.Context, c *durward.Call, topics durward.Topics) (durward.Watch, error) {
	t := g.begin(c)
	view, err := g.viewOf(ctx, t)
	if err != nil {
		return nil, g.refuse(ctx, t, err)
	}
	w := &watch{gateway: g, agent: c.Agent.Name, endpoint: c.Endpoint, events: make(chan durward.Event, watchQueue), seen: versions(view)}
	if err := w.set(view, topics); err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.watchers[w] = struct{}{}
	g.mu.Unlock()
	w.look(g.plan.Load()) // what changed between the two
	return w, nil
}

// watch is one running subscription.
type watch struct {
	gateway         *Gateway
	agent, endpoint string
	events          chan durward.Event

	mu      sync.Mutex // guards the rest
	closed  bool
	granted durward.Topics
	seen    map[durward.Kind]string
	cancels map[string]func() // by URI
}

var listTopics = []struct {
	kinds  []durward.Kind
	method string
	wanted func(durward.Topics) bool
}{
	{[]durward.Kind{durward.KindTool}, mcpwire.NotifyToolsChanged, func(t durward.Topics) bool { return t.Tools }},
	{[]durward.Kind{durward.KindPrompt}, mcpwire.NotifyPromptsChanged, func(t durward.Topics) bool { return t.Prompts }},
	{[]durward.Kind{durward.KindResource, durward.KindTemplate}, mcpwire.NotifyResourcesChanged, func(t durward.Topics) bool { return t.Resources }},
}

// Granted implements durward.Watch.
func (w *watch) Granted() durward.Topics {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.granted
	t.URIs = slices.Clone(t.URIs)
	return t
}

// Events implements durward.Watch.
func (w *watch) Events() <-chan durward.Event { return w.events }

// Set implements durward.Watch.
func (w *watch) Set(_ context.Context, t durward.Topics) error {
	plan := w.gateway.plan.Load()
	agent, ok := plan.identity.Agent(w.agent)
	if !ok {
		return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonAgentDisabled, Message: "The agent of this subscription is disabled."}
	}
	view := plan.view(agent, w.endpoint)
	if view == nil {
		return &durward.Error{Code: durward.NotFound, Reason: durward.ReasonEndpointUnknown, Message: "There is no endpoint /mcp/" + w.endpoint + "."}
	}
	return w.set(view, t)
}

// set subscribes to what is new and ends what is no longer wanted.
func (w *watch) set(view *catalog.View, t durward.Topics) error {
	if len(t.URIs) > watchURIs {
		return &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Message: "Too many resources in one subscription; at most 500."}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	next := make(map[string]func(), len(t.URIs))
	w.granted = durward.Topics{Tools: t.Tools, Prompts: t.Prompts, Resources: t.Resources}
	for _, uri := range t.URIs {
		if next[uri] != nil {
			continue
		}
		cancel := w.cancels[uri]
		if cancel == nil {
			ops := view.Resource(uri)
			if len(ops) == 0 {
				continue // not there, or not for this caller: not granted
			}
			cancel = w.gateway.Upstreams.Watch(ops[0].Upstream, []string{uri}, w.send)
		}
		next[uri] = cancel
		w.granted.URIs = append(w.granted.URIs, uri)
	}
	for uri, cancel := range w.cancels {
		if next[uri] == nil {
			cancel()
		}
	}
	w.cancels = next
	return nil
}

// Close implements durward.Watch.
func (w *watch) Close() {
	w.gateway.mu.Lock()
	delete(w.gateway.watchers, w)
	w.gateway.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	for _, cancel := range w.cancels {
		cancel()
	}
	close(w.events)
}

// send never waits: a reader that is this far behind has events waiting that
// make it look again anyway.
func (w *watch) send(e durward.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.push(e)
}

// push is called with mu held.
func (w *watch) push(e durward.Event) {
	if w.closed {
		return
	}
	select {
	case w.events <- e:
	default:
	}
}

// wake lets every watch look at the new plan.
func (g *Gateway) wake() {
	g.mu.Lock()
	all := make([]*watch, 0, len(g.watchers))
	for w := range g.watchers {
		all = append(all, w)
	}
	g.mu.Unlock()
	plan := g.plan.Load()
	for _, w := range all {
		w.look(plan)
	}
}

// look sends what changed in the lists since the last look. An agent that is
// gone loses its watch.
func (w *watch) look(plan *Plan) {
	agent, ok := plan.identity.Agent(w.agent)
	if !ok {
		w.Close()
		return
	}
	view := plan.view(agent, w.endpoint)
	if view == nil {
		return
	}
	now := versions(view)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, topic := range listTopics {
		if topic.wanted(w.granted) && slices.ContainsFunc(topic.kinds, func(k durward.Kind) bool { return now[k] != w.seen[k] }) {
			w.push(durward.Event{Method: topic.method})
		}
	}
	w.seen = now
}

func versions(v *catalog.View) map[durward.Kind]string {
	out := make(map[durward.Kind]string, 4)
	for _, k := range []durward.Kind{durward.KindTool, durward.KindPrompt, durward.KindResource, durward.KindTemplate} {
		out[k] = v.Version(k)
	}
	return out
}
