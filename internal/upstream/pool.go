package upstream

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"errors"
	"sync"
	"time"
)

// key tells which calls may share a session or a process: those of one agent
// or one session of it, where they are kept apart at all, for clients that can
// do the same, in the same revision.
type key struct {
	agent, session    string // "" for all
	profile, revision string
	lane              int // see lanes.go
}

// keyOf returns the key of a call. Sessions of an agent's own are the rule:
// what a session gathers belongs to who filled it. A server without sessions
// has nothing to keep apart.
func (s *server) keyOf(r *Request) key {
	k := key{revision: mcpwire.Negotiate(r.Revision)} // the newest for a modern client
	if !r.Modern || r.Answers {
		k.profile = s.set.profiles.of(k.revision, r.Client.Capabilities)
	}
	switch s.up.Sharing {
	case "shared":
	case "session":
		k.agent, k.session = r.Agent, r.Session
	default:
		if s.up.Sharing == "principal" || s.isStdio() || k.profile != "" || !s.stateless.Load() {
			k.agent = r.Agent
		}
	}
	return k
}

// pool holds the sessions or processes of one upstream that calls use.
type pool struct {
	server *server
	most   int

	mu      sync.Mutex // guards the rest
	slots   map[key]*slot
	waiting map[key][]*waiter // for a lane of the key
	closed  bool

	tasks drain // what opens and closes lines
}

// slot is one session or process, or the attempt to open it.
type slot struct {
	key   key
	ready chan struct{} // closed when line or err is set
	line  *line
	err   error

	// Guarded by the pool.
	users int
	used  time.Time
	held  bool      // by the one call that may use it
	owner string    // the session that used it last, if it is for one call at a time
	until time.Time // that tasks live on it
}

// acquire returns the line of a key, opening it if need be; the slot is to be released.
func (p *pool) acquire(ctx context.Context, k key) (*slot, error) {
	for range 3 {
		sl, err := p.enter(k)
		if err != nil {
			return nil, err
		}
		select {
		case <-sl.ready:
		case <-ctx.Done():
			p.release(sl)
			return nil, ctx.Err()
		}
		if sl.err != nil {
			p.release(sl)
			return nil, sl.err
		}
		if !sl.line.dead() {
			return sl, nil
		}
		p.release(sl)
		p.drop(sl)
	}
	return nil, p.server.unavailable("ends as soon as it has started.", nil)
}

// enter returns the slot of a key, as one more user of it.
func (p *pool) enter(k key) (*slot, error) {
	sl, fresh, evicted, err := p.place(k)
	if evicted != nil {
		p.end(evicted)
	}
	if fresh {
		p.task(func() { p.open(sl) })
	}
	return sl, err
}

func (p *pool) place(k key) (sl *slot, fresh bool, evicted *slot, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sl = p.slots[k]; sl != nil {
		sl.users++
		return sl, false, nil, nil
	}
	if p.closed {
		return nil, false, nil, p.server.unavailable("is being closed.", nil)
	}
	if err := p.server.gate.admit(); err != nil {
		return nil, false, nil, err
	}
	evicted, ok := p.room(k.agent)
	if !ok {
		return nil, false, nil, p.server.overloaded("has as many sessions as it may, all of them in use.")
	}
	sl = &slot{key: k, ready: make(chan struct{}), users: 1}
	p.slots[k] = sl
	return sl, true, evicted, nil
}

// task runs fn beside the caller, or, once nobody would wait for it, at once.
func (p *pool) task(fn func()) {
	if !p.tasks.enter() {
		fn()
		return
	}
	go func() {
		defer p.tasks.leave()
		fn()
	}()
}

// open connects for everybody who waits, whoever of them leaves.
func (p *pool) open(sl *slot) {
	s := p.server
	ctx, cancel := context.WithTimeout(s.ctx, or(s.up.Connect, s.set.o.Connect))
	defer cancel()
	asks := mayAsk(sl.key.profile)
	w := &wish{revision: sl.key.revision, caps: []byte(or(sl.key.profile, "{}")), stream: asks, asks: asks}
	w.event = func(method string, params []byte) { s.keeper.hear(sl, method, params) }
	l, err := s.dial(ctx, w)
	if err != nil {
		sl.err = s.connectError(ctx, err)
		s.gate.fail(sl.err)
		s.become("failed", sl.err)
		p.remove(sl)
		close(sl.ready)
		return
	}
	l.exclusive = l.shared && !l.modern && mayAsk(sl.key.profile)
	s.gate.pass()
	s.become("ready", nil)
	sl.line = l
	if l.modern && !l.shared {
		p.remove(sl) // all calls share the server's own
	}
	close(sl.ready)
	s.keeper.opened(sl)
}

// connectError explains what went wrong before there was a call.
func (s *server) connectError(ctx context.Context, err error) error {
	if ready := (*durward.Error)(nil); errors.As(err, &ready) { // it was explained where it happened
		return ready
	}
	if ctx.Err() != nil && s.ctx.Err() == nil {
		return s.timedOut(err)
	}
	if link.CutOff(err) {
		return s.unavailable("broke off the connection before a call was made.", err)
	}
	if kind, ok := link.KindOf(err); ok && kind == link.Lost {
		return s.unavailable("ended the session before a call was made.", err)
	}
	return s.explain(s.ctx, ctx, err)
}

func (p *pool) release(sl *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sl.users--
	sl.used = time.Now()
}

// remove takes a slot out of the pool; false when it was not there any more.
func (p *pool) remove(sl *slot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slots[sl.key] != sl {
		return false
	}
	delete(p.slots, sl.key)
	return true
}

// drop ends a line that is dead or wrong. A process that did not live long
// counts as a failure, so that what crashes at once is not started in a circle;
// a stream that a server let go is only opened again, or one agent's call
// could take the server from all.
func (p *pool) drop(sl *slot) {
	if !p.remove(sl) {
		return
	}
	kind, _ := link.KindOf(sl.line.conn.Err())
	if s := p.server; s.isStdio() && sl.line.dead() && kind != link.Lost && time.Since(sl.line.opened) < shortLife {
		err := s.unavailable("ended soon after it had started.", sl.line.conn.Err())
		s.gate.fail(err)
		s.become("failed", err)
	}
	p.end(sl)
}

// end closes a line that is out of the pool, in the background.
func (p *pool) end(sl *slot) {
	p.server.keeper.closed(sl)
	p.task(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stop := context.AfterFunc(p.server.ctx, cancel)
		defer stop()
		sl.line.conn.Close(ctx)
	})
}

// share is how many lines one agent may have. Capabilities and revision are
// the caller's to choose, so without a share of its own each agent could take
// all there are, or throw those of others away.
func (p *pool) share() int { return min(max(p.most/4, 2), p.most) }

// room makes room for one more line of an agent ("" for a line of all), where
// it must by taking out one that is unused: one of its own, and one of others
// only within its share. false means that there is none. The caller holds mu.
func (p *pool) room(agent string) (evicted *slot, ok bool) {
	lines := 0
	for k := range p.slots {
		if k.agent == agent {
			lines++
		}
	}
	over := agent != "" && lines >= p.share()
	if !over && len(p.slots) < p.most {
		return nil, true
	}
	evicted = p.unused(func(k key) bool { return k.agent == agent })
	if evicted == nil && !over {
		evicted = p.unused(func(key) bool { return true })
	}
	if evicted != nil {
		delete(p.slots, evicted.key)
	}
	return evicted, evicted != nil
}

// unused returns the line that was unused for longest of some, one where tasks
// live only when there is no other.
func (p *pool) unused(of func(key) bool) (oldest *slot) {
	for k, sl := range p.slots {
		if of(k) && sl.users == 0 && sl.opened() && (oldest == nil || sl.freerThan(oldest)) {
			oldest = sl
		}
	}
	return oldest
}

// freerThan is called with the pool's mu held.
func (sl *slot) freerThan(o *slot) bool {
	now := time.Now()
	if a, b := now.After(sl.until), now.After(o.until); a != b {
		return a
	}
	return sl.used.Before(o.used)
}

// opened reports whether there is a line.
func (sl *slot) opened() bool {
	select {
	case <-sl.ready:
		return sl.line != nil
	default:
		return false
	}
}

func (p *pool) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots) == 0
}

// sweep ends what is dead or was not used for a while.
func (p *pool) sweep() {
	for _, sl := range p.idle() {
		p.end(sl)
	}
}

// idle takes such lines out of the pool.
func (p *pool) idle() (out []*slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	before := now.Add(-p.server.set.o.Idle)
	lanes := now.Add(-min(p.server.set.o.Idle, laneIdle))
	for k, sl := range p.slots {
		if !sl.opened() || sl.users > 0 {
			continue
		}
		stale := sl.used.Before(before) || k.lane > 0 && sl.used.Before(lanes)
		if sl.line.dead() || stale && now.After(sl.until) {
			delete(p.slots, k)
			out = append(out, sl)
		}
	}
	return out
}

// close ends every line and waits for it.
func (p *pool) close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	slots := make([]*slot, 0, len(p.slots))
	for k, sl := range p.slots {
		slots = append(slots, sl)
		delete(p.slots, k)
	}
	p.mu.Unlock()
	var ending sync.WaitGroup
	for _, sl := range slots {
		ending.Go(func() {
			if <-sl.ready; sl.line != nil {
				p.server.keeper.closed(sl)
				sl.line.conn.Close(ctx)
			}
		})
	}
	ending.Wait()
	<-p.tasks.close()
}
