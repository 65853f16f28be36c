package pipeline

import (
	"context"
	"reflect"
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
	matters := allowedFor // lists that change are told of, whenever they do
	if len(topics.URIs) > 0 {
		matters = all
	}
	view, err := g.viewOf(ctx, t, matters)
	if err != nil {
		return nil, g.refuse(ctx, t, err)
	}
	w := &watch{gateway: g, call: about(c), agent: c.Agent.Name, endpoint: c.Endpoint, events: make(chan durward.Event, watchQueue), seen: versions(view)}
	if err := w.set(ctx, t.plan, view, topics); err != nil {
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
	call            durward.Call // what is known of who asked, for records
	agent, endpoint string
	events          chan durward.Event

	mu      sync.Mutex // guards the rest
	closed  bool
	granted durward.Topics
	seen    map[durward.Kind]string
	follows map[string]follow // by URI
}

// follow is one resource that is followed, and at which upstream as declared.
type follow struct {
	at     *durward.Upstream
	cancel func()
}

// about is what records of a watch need of the call that opened it; the call's
// own bytes are not kept.
func about(c *durward.Call) durward.Call {
	return durward.Call{ID: c.ID, Wire: c.Wire, Endpoint: c.Endpoint, SessionID: c.SessionID, Method: c.Method, Agent: c.Agent, KeyID: c.KeyID}
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
func (w *watch) Set(ctx context.Context, t durward.Topics) error {
	plan := w.gateway.plan.Load()
	agent, ok := plan.identity.Agent(w.agent)
	if !ok {
		return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonAgentDisabled, Message: "The agent of this subscription is disabled."}
	}
	view := plan.view(agent, w.endpoint)
	if view == nil {
		return &durward.Error{Code: durward.NotFound, Reason: durward.ReasonEndpointUnknown, Message: "There is no endpoint /mcp/" + w.endpoint + "."}
	}
	return w.set(ctx, plan, view, t)
}

// set subscribes to what is new and ends what is no longer wanted. Who asks for
// resources leaves a record: what is not there, or not for this caller, is not
// granted, and that is a refusal.
func (w *watch) set(ctx context.Context, plan *Plan, view *catalog.View, t durward.Topics) error {
	if len(t.URIs) > watchURIs {
		over := &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Message: "Too many resources in one subscription; at most 500."}
		return w.record(ctx, t.URIs[0], over)
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.granted = durward.Topics{Tools: t.Tools, Prompts: t.Prompts, Resources: t.Resources}
	added, refused, why := w.follow(plan, view, t.URIs)
	w.mu.Unlock()
	switch {
	case refused != "":
		_ = w.record(ctx, refused, why) // told by what is granted
	case added != "":
		return w.record(ctx, added, nil)
	}
	return nil
}

// follow makes the URIs, as far as the view has them, the ones that are
// followed. It tells one that is new, and one that is not granted and why. It
// is called with mu held.
func (w *watch) follow(plan *Plan, view *catalog.View, uris []string) (added, refused string, why error) {
	next := make(map[string]follow, len(uris))
	for _, uri := range uris {
		if _, twice := next[uri]; twice {
			continue
		}
		ops, err := view.Resource(uri)
		if err != nil {
			refused, why = uri, err
			continue
		}
		at := plan.upstreams[ops[0].Upstream]
		f, known := w.follows[uri]
		if !known || !reflect.DeepEqual(f.at, at) { // another server has the name now
			cancel, err := w.gateway.Upstreams.Watch(at.Name, w.agent, []string{ops[0].Name}, w.sendAs(ops[0].Name, uri))
			if err != nil {
				refused, why = uri, err
				continue
			}
			f = follow{at: at, cancel: cancel}
		}
		if !known {
			added = uri
		}
		next[uri] = f
		w.granted.URIs = append(w.granted.URIs, uri)
	}
	for uri, f := range w.follows {
		if kept, ok := next[uri]; !ok || !reflect.DeepEqual(kept.at, f.at) {
			f.cancel()
		}
	}
	w.follows = next
	return added, refused, why
}

// record keeps that resources were asked for, and returns err.
func (w *watch) record(ctx context.Context, uri string, err error) error {
	c := w.call
	c.Asked, c.Received = uri, w.gateway.Now()
	t := w.gateway.begin(&c)
	if err == nil {
		t.verdict = durward.Verdict{Effect: durward.Allow}
	}
	_, err = w.gateway.end(ctx, t, durward.Reply{}, err)
	return err
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
	for _, f := range w.follows {
		f.cancel()
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

// sendAs sends what concerns a resource under the URI that it was asked for by.
func (w *watch) sendAs(own, asked string) func(durward.Event) {
	if own == asked {
		return w.send
	}
	return func(e durward.Event) {
		if uri, ok := mcpwire.FieldText(e.Params, "uri"); ok && uri == own {
			e.Params = mcpwire.SetField(e.Params, "uri", mcpwire.Quote(asked))
		}
		w.send(e)
	}
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
	if !ok || plan.halts.ofCall(&w.call) != nil {
		w.Close()
		return
	}
	view := plan.view(agent, w.endpoint)
	if view == nil {
		w.Close()
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
	if uris := w.granted.URIs; len(uris) > 0 { // a role may have lost them, an upstream may be another
		w.granted.URIs = nil
		_, _, _ = w.follow(plan, view, uris) // what is refused now is not granted any more
	}
}

func versions(v *catalog.View) map[durward.Kind]string {
	out := make(map[durward.Kind]string, 4)
	for _, k := range []durward.Kind{durward.KindTool, durward.KindPrompt, durward.KindResource, durward.KindTemplate} {
		out[k] = v.Version(k)
	}
	return out
}
