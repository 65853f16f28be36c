package upstream

import (
	"context"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"slices"
	"sync"
	"time"
)

// follower keeps one conversation subscribed to what is watched: by
// resources/subscribe in the older eras, by one shared subscriptions/listen in
// the modern one. set is called from one goroutine.
type follower struct {
	server *server
	line   *line
	event  func(method string, params []byte)
	wake   func()

	mu      sync.Mutex // guards stopped and listen
	stopped bool
	listen  *listening

	uris  []string // followed now
	pause time.Duration
	again time.Time // before which no new listen is made
	never bool      // the server does not know how
}

// listening is one running subscriptions/listen.
type listening struct {
	cancel context.CancelFunc
	acked  chan struct{}
	done   chan struct{}
	began  time.Time
	err    error // set before done
	rpc    bool  // the server refused
}

const (
	followTime = 15 * time.Second // for one subscribe
	ackTime    = 3 * time.Second  // for a new listen to stand before the old one ends
)

// set makes uris what is followed.
func (f *follower) set(ctx context.Context, uris []string) {
	if f.never || f.line.dead() {
		return
	}
	if f.line.modern {
		f.setModern(ctx, uris)
		return
	}
	if v, ok := mcpwire.Path(f.line.welcome.Capabilities, "resources", "subscribe"); !ok || string(v) != "true" {
		return
	}
	for _, uri := range uris {
		if !slices.Contains(f.uris, uri) {
			if !f.ask(ctx, mcpwire.MethodSubscribe, uri) {
				return // what is left is tried again
			}
			f.uris = append(f.uris, uri)
		}
	}
	for _, uri := range slices.Clone(f.uris) {
		if !slices.Contains(uris, uri) {
			if !f.ask(ctx, mcpwire.MethodUnsubscribe, uri) {
				return
			}
			f.uris = slices.DeleteFunc(f.uris, func(u string) bool { return u == uri })
		}
	}
}

// ask subscribes or unsubscribes. A refusal is the server's last word on it;
// false means that the server did not answer.
func (f *follower) ask(ctx context.Context, method, uri string) bool {
	ctx, cancel := context.WithTimeout(ctx, followTime)
	defer cancel()
	params := append(mcpwire.AppendQuote([]byte(`{"uri":`), uri), '}')
	a, err := f.line.conn.Do(ctx, &link.Call{ID: f.server.set.nextID(), Method: method, Params: params, Own: true, Peer: hermit{}})
	answered := err == nil
	if answered && a.Error != nil {
		err = a.Error
	}
	if err != nil {
		f.server.log.Info("subscription to a resource of upstream failed", "method", method, "uri", uri, "err", err)
	}
	return answered
}

// setModern opens a listen with the union before it closes the one it replaces.
func (f *follower) setModern(ctx context.Context, uris []string) {
	filter := f.filter(uris)
	old := f.current()
	if old != nil {
		select {
		case <-old.done:
			f.ended(old)
			old = nil
		default:
		}
	}
	switch {
	case f.never || filter == nil && old == nil:
		return
	case old != nil && slices.Equal(f.uris, uris):
		return
	case old == nil && time.Now().Before(f.again):
		return
	}
	f.uris = uris
	var next *listening
	if filter != nil {
		next = f.start(filter)
		f.await(ctx, next)
	}
	f.replace(next)
	if old != nil {
		old.cancel()
		<-old.done
	}
}

func (f *follower) await(ctx context.Context, l *listening) {
	timer := time.NewTimer(ackTime)
	defer timer.Stop()
	select {
	case <-l.acked:
	case <-l.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// filter is what to listen for, nil when there is nothing.
func (f *follower) filter(uris []string) []byte {
	out := []byte("{")
	add := func(name string, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(mcpwire.AppendQuote(out, name), ':'), value...)
	}
	caps := f.line.welcome.Capabilities
	for _, of := range [...]struct{ capability, topic string }{
		{"tools", "toolsListChanged"}, {"prompts", "promptsListChanged"}, {"resources", "resourcesListChanged"},
	} {
		if v, _ := mcpwire.Path(caps, of.capability, "listChanged"); string(v) == "true" {
			add(of.topic, []byte("true"))
		}
	}
	if v, _ := mcpwire.Path(caps, "resources", "subscribe"); string(v) == "true" && len(uris) > 0 {
		list := []byte("[")
		for i, uri := range uris {
			if i > 0 {
				list = append(list, ',')
			}
			list = mcpwire.AppendQuote(list, uri)
		}
		add("resourceSubscriptions", append(list, ']'))
	}
	if len(out) == 1 {
		return nil
	}
	return append(out, '}')
}

func (f *follower) start(filter []byte) *listening {
	ctx, cancel := context.WithCancel(f.server.ctx)
	l := &listening{cancel: cancel, acked: make(chan struct{}), done: make(chan struct{}), began: time.Now()}
	params := f.server.ownParams(append(append([]byte(`{"notifications":`), filter...), '}'))
	c := &link.Call{
		ID: f.server.set.nextID(), Method: mcpwire.MethodListen, Params: params,
		Own: true, Standing: true, Peer: &listener{f: f, l: l},
	}
	go func() {
		defer f.wake()
		defer close(l.done)
		a, err := f.line.conn.Do(ctx, c)
		l.err, l.rpc = err, err == nil && a.Error != nil
		if l.rpc {
			l.err = a.Error
		}
	}()
	return l
}

// ended decides what the end of a listen means. What changed while nobody
// listened is read.
func (f *follower) ended(l *listening) {
	f.replace(nil)
	if l.rpc {
		f.server.log.Info("upstream does not tell of changes", "err", l.err)
		f.never = true
		return
	}
	if time.Since(l.began) > time.Minute {
		f.pause = 0
	}
	f.pause = min(max(f.pause*2, time.Second), time.Minute)
	f.again = time.Now().Add(f.pause)
	f.server.keeper.refresh()
}

// retryIn is how long nothing is to be tried.
func (f *follower) retryIn(now time.Time) time.Duration {
	if f.again.After(now) {
		return f.again.Sub(now)
	}
	return time.Hour
}

func (f *follower) current() *listening {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.listen
}

func (f *follower) replace(l *listening) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listen = l
	if f.stopped && l != nil {
		l.cancel()
	}
}

// stop ends the subscription with the conversation, and waits for it.
func (f *follower) stop() {
	f.mu.Lock()
	f.stopped = true
	l := f.listen
	f.mu.Unlock()
	if l != nil {
		l.cancel()
		<-l.done
	}
}

// listener is the peer of a subscriptions/listen.
type listener struct {
	hermit
	f     *follower
	l     *listening
	acked sync.Once
}

// Notify implements durward.Peer.
func (y *listener) Notify(method string, params []byte) {
	if method == mcpwire.NotifyAcknowledged {
		y.acked.Do(func() { close(y.l.acked) })
		return
	}
	if link.IsEvent(method) {
		y.f.event(method, params)
	}
}
