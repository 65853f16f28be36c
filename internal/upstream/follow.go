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
// the modern one. It works in a goroutine of its own, in rounds: a server that
// is slow to subscribe holds up nobody but those who watch.
type follower struct {
	server *server
	line   *line
	event  func(method string, params []byte)
	ctx    context.Context
	cancel context.CancelFunc
	worker sync.WaitGroup

	mu      sync.Mutex // guards this part
	wanted  []string
	news    bool // since the round began
	working bool
	stopped bool
	listen  *listening
	again   time.Time // before which no new listen is made
	never   bool      // the server does not know how

	// Of the worker alone.
	asked map[string]bool // subscribed to, or refused
	uris  []string        // of the listen, sorted
	pause time.Duration
}

func newFollower(s *server, l *line, event func(method string, params []byte)) *follower {
	f := &follower{server: s, line: l, event: event, asked: map[string]bool{}}
	f.ctx, f.cancel = context.WithCancel(s.ctx)
	return f
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
	followTime = 15 * time.Second // in which a round begins subscribes, and for each of them
	followOnce = 8                // subscribes at once
	ackTime    = 3 * time.Second  // for a new listen to stand before the old one ends
)

// set makes uris what is to be followed. It does not wait.
func (f *follower) set(uris []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted, f.news = uris, true
	if f.stopped || f.working || f.never || f.line.dead() || time.Now().Before(f.again) {
		return
	}
	f.working = true
	f.worker.Go(func() {
		for f.round() {
		}
	})
}

// round does a part of what is to be done; false when there is nothing, and
// the worker ends.
func (f *follower) round() bool {
	f.mu.Lock()
	uris := f.wanted
	f.news = false
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(f.ctx, followTime)
	defer cancel()
	var more bool
	if f.line.modern {
		more = f.relisten(ctx, uris)
	} else {
		more = f.subscribe(ctx, uris)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.working = (more || f.news) && f.ctx.Err() == nil && !f.never && !f.line.dead() && !time.Now().Before(f.again)
	return f.working
}

// subscribe asks for what is new and no longer for what is not wanted, as far
// as the round goes. It reports whether something is left.
func (f *follower) subscribe(ctx context.Context, uris []string) bool {
	if v, ok := mcpwire.Path(f.line.welcome.Capabilities, "resources", "subscribe"); !ok || string(v) != "true" {
		return false
	}
	due := f.due(uris)
	var asking sync.WaitGroup
	defer asking.Wait()
	room := make(chan struct{}, followOnce)
	for _, uri := range due {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return true
		}
		method := mcpwire.MethodSubscribe
		if f.asked[uri] {
			method = mcpwire.MethodUnsubscribe
			delete(f.asked, uri)
		} else {
			f.asked[uri] = true
		}
		asking.Go(func() {
			f.ask(method, uri)
			<-room
		})
		if f.outdated(uris) { // somebody else may be next now
			return true
		}
	}
	return false
}

func (f *follower) outdated(uris []string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !slices.Equal(f.wanted, uris)
}

// due returns what is wanted and was not asked for, and what was and is not
// wanted any more.
func (f *follower) due(uris []string) (due []string) {
	wanted := make(map[string]bool, len(uris))
	for _, uri := range uris {
		if wanted[uri] = true; !f.asked[uri] {
			due = append(due, uri)
		}
	}
	for uri := range f.asked {
		if !wanted[uri] {
			due = append(due, uri)
		}
	}
	return due
}

// ask subscribes or unsubscribes. A refusal is the server's last word on it,
// and so is silence.
func (f *follower) ask(method, uri string) {
	ctx, cancel := context.WithTimeout(f.ctx, followTime)
	defer cancel()
	params := append(mcpwire.AppendQuote([]byte(`{"uri":`), uri), '}')
	a, err := f.line.conn.Do(ctx, &link.Call{ID: f.server.set.nextID(), Method: method, Params: mcpwire.Whole(params), Own: true, Peer: hermit{}})
	if err == nil && a.Error != nil {
		err = a.Error
	}
	if err != nil {
		f.server.log.Info("subscription to a resource of upstream failed", "method", method, "uri", uri, "err", err)
	}
}

// relisten opens a listen with the union before it ends the one it replaces.
func (f *follower) relisten(ctx context.Context, uris []string) bool {
	uris = slices.Sorted(slices.Values(uris))
	old := f.current()
	if old != nil {
		select {
		case <-old.done:
			f.ended(old)
			return true
		default:
		}
	}
	filter := f.filter(uris)
	if filter == nil && old == nil || old != nil && slices.Equal(f.uris, uris) {
		return false
	}
	f.uris = uris
	var next *listening
	if filter != nil {
		next = f.start(filter)
		f.await(ctx, next)
		if old == nil && next.stands() {
			f.event(mcpwire.NotifyToolsChanged, nil) // what changed before the server listened to us
		}
	}
	f.replace(next)
	if old != nil {
		old.cancel()
		<-old.done
	}
	return false
}

// stands reports whether the server has acknowledged the listen.
func (l *listening) stands() bool {
	select {
	case <-l.acked:
		return true
	default:
		return false
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
	ctx, cancel := context.WithCancel(f.ctx)
	l := &listening{cancel: cancel, acked: make(chan struct{}), done: make(chan struct{}), began: time.Now()}
	params := f.server.ownParams(append(append([]byte(`{"notifications":`), filter...), '}'))
	c := &link.Call{
		ID: f.server.set.nextID(), Method: mcpwire.MethodListen, Params: params,
		Own: true, Standing: true, Peer: &listener{f: f, l: l},
	}
	go func() {
		defer f.server.keeper.wake()
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
	}
	if time.Since(l.began) > time.Minute {
		f.pause = 0
	}
	f.pause = min(max(f.pause*2, time.Second), time.Minute)
	f.mu.Lock()
	f.never, f.again = l.rpc, time.Now().Add(f.pause)
	f.mu.Unlock()
	if !l.rpc {
		f.server.keeper.refresh()
	}
}

// retryIn is how long nothing is to be tried.
func (f *follower) retryIn(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
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
	f.mu.Unlock()
	f.cancel()
	f.worker.Wait()
	if l := f.current(); l != nil {
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
