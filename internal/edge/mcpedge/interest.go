package mcpedge

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"slices"
	"sync"
	"time"
)

// maxURIs bounds the resources that one session or listen stream follows.
const maxURIs = 500

// interest is what a session of the stateful revisions wants to hear of: the
// list changes while somebody listens, and the resources it subscribed to. The
// watch behind it is open only while there is either.
type interest struct {
	mu      sync.Mutex // guards what follows; held while the gateway is asked
	uris    []string
	watch   durward.Watch
	hearers []*hearer   // the newest is the last
	gap     bool        // there was no watch since somebody heard
	wait    *time.Timer // for an agent to come back
	ended   bool
}

// subscribe adds a resource.
func (i *interest) subscribe(ctx context.Context, gw Gateway, c *durward.Call, uri string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if slices.Contains(i.uris, uri) {
		return nil
	}
	if len(i.uris) >= maxURIs {
		full := overloaded("This session follows too many resources; unsubscribe from some.")
		gw.Refused(ctx, c, full)
		return full
	}
	before := i.uris
	i.uris = append(slices.Clip(before), uri)
	err := i.follow(ctx, gw, c)
	if err == nil && !slices.Contains(i.watch.Granted().URIs, uri) {
		err = mcpwire.ToLegacyError(mcpwire.MethodResourcesRead, mcpwire.ResourceNotFound(uri))
	}
	if err == nil {
		return nil
	}
	i.uris = before
	i.settle(ctx)
	return err
}

// unsubscribe takes a resource away; one that was not there is no error.
func (i *interest) unsubscribe(ctx context.Context, uri string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.uris = slices.DeleteFunc(slices.Clone(i.uris), func(u string) bool { return u == uri })
	i.settle(ctx)
}

// hearer is one stream on which a session's agent could hear the news. They go
// to the newest; when that is gone, to the one before it.
type hearer struct{ moved chan struct{} } // closed when whose turn it is has changed

// maxHearers bounds the streams of one session that only listen.
const maxHearers = 4

// listen adds a stream. gap tells that there may have been news for nobody.
func (i *interest) listen(ctx context.Context, gw Gateway, c *durward.Call) (h *hearer, gap bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.follow(ctx, gw, c); err != nil {
		return nil, false, err
	}
	if i.wait != nil {
		i.wait.Stop()
	}
	h = &hearer{moved: make(chan struct{})}
	i.pass()
	if i.hearers = append(i.hearers, h); len(i.hearers) > maxHearers {
		close(i.hearers[0].moved)
		i.hearers = slices.Delete(i.hearers, 0, 1)
	}
	gap, i.gap = i.gap, false
	return h, gap, nil
}

// pass tells the newest stream that its turn is over, or has come. Called with
// mu held.
func (i *interest) pass() {
	if n := len(i.hearers); n > 0 {
		close(i.hearers[n-1].moved)
		i.hearers[n-1].moved = make(chan struct{})
	}
}

// turn returns where a stream hears the news, nil when it is not its turn, and
// what is closed when that changes; false when it is to end.
func (i *interest) turn(h *hearer) (events <-chan durward.Event, moved <-chan struct{}, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	at := slices.Index(i.hearers, h)
	if at < 0 || i.watch == nil {
		return nil, nil, false
	}
	if at == len(i.hearers)-1 {
		events = i.watch.Events()
	}
	return events, h.moved, true
}

// leave takes a stream away. When it was the last, the watch goes on for a
// while, and what it hears waits for the next.
func (i *interest) leave(h *hearer, most time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	at := slices.Index(i.hearers, h)
	if at < 0 {
		return
	}
	if i.hearers = slices.Delete(i.hearers, at, at+1); len(i.hearers) > 0 {
		i.pass()
		return
	}
	i.hearers = nil
	if most == 0 || i.ended {
		i.settle(context.Background())
		return
	}
	if i.wait != nil {
		i.wait.Reset(most)
		return
	}
	i.wait = time.AfterFunc(most, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.settle(context.Background())
	})
}

// everything is news of all that may have changed.
func (i *interest) everything() (all []durward.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.watch == nil {
		return nil
	}
	t := i.watch.Granted()
	for _, list := range [...]struct {
		is     bool
		method string
	}{{t.Tools, mcpwire.NotifyToolsChanged}, {t.Prompts, mcpwire.NotifyPromptsChanged}, {t.Resources, mcpwire.NotifyResourcesChanged}} {
		if list.is {
			all = append(all, durward.Event{Method: list.method})
		}
	}
	for _, uri := range t.URIs {
		params := append(mcpwire.AppendQuote([]byte(`{"uri":`), uri), '}')
		all = append(all, durward.Event{Method: mcpwire.NotifyResourceUpdated, Params: params})
	}
	return all
}

// lost forgets a watch that ended by itself, so that a later reader gets a new one.
func (i *interest) lost(events <-chan durward.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.watch != nil && i.watch.Events() == events {
		i.watch.Close()
		i.watch, i.gap = nil, true
		i.pass()
	}
}

func (i *interest) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
	i.uris = nil
	if i.wait != nil {
		i.wait.Stop()
	}
	for _, h := range i.hearers {
		close(h.moved)
	}
	i.hearers = nil
	i.settle(context.Background())
}

// follow opens the watch or brings it up to date. Called with mu held.
func (i *interest) follow(ctx context.Context, gw Gateway, c *durward.Call) (err error) {
	if i.ended {
		return sessionGone()
	}
	if i.watch == nil {
		i.watch, err = gw.Watch(ctx, c, i.topics())
		return err
	}
	return i.watch.Set(ctx, i.topics())
}

// settle closes the watch when nobody wants it, or narrows it. Called with mu held.
func (i *interest) settle(ctx context.Context) {
	switch {
	case i.watch == nil:
	case len(i.hearers) == 0 && len(i.uris) == 0:
		i.watch.Close()
		i.watch, i.gap = nil, true
	default:
		_ = i.watch.Set(ctx, i.topics()) // it then tells more than is wanted, and the agent may ignore it
	}
}

func (i *interest) topics() durward.Topics {
	return durward.Topics{Tools: true, Prompts: true, Resources: true, URIs: i.uris}
}
