package upstream

import (
	"context"
	"time"

	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
)

// Bounds of lines that are for one call at a time.
const (
	lanesMost = 8           // lines of one key at once
	laneIdle  = time.Minute // after which one that is not the first is closed
	fenceTime = 2 * time.Second
)

// Where a server may ask its client something on a stream that many calls
// share, only one call may be in flight, or nobody knows whose the question is.
// So that a call of one session does not hold up another's, a key has several
// such lines, its lanes: a session stays on the lane that it used last and
// waits only for calls of its own, as long as there is a lane to be had.

// waiter is a call that waits for a lane.
type waiter struct {
	own *slot      // the only one that will do; nil for any of the key
	got chan *slot // holds the lane when it was handed over
}

// take returns a line for one call, and what gives it back. owner is the
// session of the call; "" for a call that belongs to none.
func (p *pool) take(ctx context.Context, k key, owner string) (*slot, func(), error) {
	sl, err := p.acquire(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	if !sl.line.exclusive {
		return sl, func() { p.release(sl) }, nil
	}
	defer p.release(sl)
	lane, err := p.takeLane(ctx, k, owner)
	if err != nil {
		return nil, nil, err
	}
	return lane, func() { p.giveBack(lane) }, nil
}

// leave gives a line back after a call. What a server still says of a call
// that was given up bears no mark, and would be taken for the next one's: a
// question would be put to the wrong client. So the next call waits until the
// server has answered a ping behind it; a server that does not is busy anyway.
func (s *server) leave(ctx context.Context, l *line, release func()) {
	if ctx.Err() == nil || !l.exclusive || l.dead() {
		release()
		return
	}
	s.pool.task(func() {
		defer release()
		fence, cancel := context.WithTimeout(s.ctx, fenceTime)
		defer cancel()
		_, _ = l.conn.Do(fence, &link.Call{ID: s.set.nextID(), Method: mcpwire.MethodPing, Own: true, Peer: hermit{}})
	})
}

// takeLane waits for a lane and for its line.
func (p *pool) takeLane(ctx context.Context, k key, owner string) (*slot, error) {
	for range 3 {
		sl, w, err := p.choose(k, owner)
		if w != nil {
			sl, err = p.await(ctx, k, w)
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-sl.ready:
		case <-ctx.Done():
			p.giveBack(sl)
			return nil, ctx.Err()
		}
		switch {
		case sl.err != nil:
			p.giveBack(sl)
			return nil, sl.err
		case !sl.line.dead():
			p.mu.Lock()
			sl.owner = owner
			p.mu.Unlock()
			return sl, nil
		}
		p.giveBack(sl)
		p.drop(sl)
	}
	return nil, p.server.unavailable("ends as soon as it has started.", nil)
}

// choose takes a lane that is free, opens another, or queues up.
func (p *pool) choose(k key, owner string) (*slot, *waiter, error) {
	sl, fresh, evicted, w, err := p.chooseLocked(k, owner)
	if evicted != nil {
		p.end(evicted)
	}
	if fresh {
		p.task(func() { p.open(sl) })
	}
	return sl, w, err
}

func (p *pool) chooseLocked(k key, owner string) (sl *slot, fresh bool, evicted *slot, w *waiter, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, nil, nil, p.server.unavailable("is being closed.", nil)
	}
	own, free, gap, held := p.survey(k, owner)
	switch {
	case own != nil && own.held:
		w, err = p.queue(k, own)
		return nil, false, nil, w, err
	case own != nil:
		return hold(own), false, nil, nil, nil
	case free != nil:
		return hold(free), false, nil, nil, nil
	}
	if gap >= 0 && p.server.gate.admit() == nil {
		if evicted, ok := p.room(k.agent); ok {
			sl = &slot{key: k.at(gap), ready: make(chan struct{})}
			p.slots[sl.key] = sl
			return hold(sl), true, evicted, nil, nil
		}
	}
	if held == 0 {
		return nil, false, nil, nil, p.server.overloaded("has as many sessions as it may, all of them in use.")
	}
	w, err = p.queue(k, nil)
	return nil, false, nil, w, err
}

// survey looks at the lanes of a key: the one that an owner used last, one
// that is free, the first that does not exist, and how many are in use. Free
// is first what no session is used to, then what was not used for longest.
func (p *pool) survey(k key, owner string) (own, free *slot, gap, held int) {
	gap = -1
	for lane := range lanesMost {
		sl := p.slots[k.at(lane)]
		switch {
		case sl == nil && gap < 0:
			gap = lane
		case sl == nil:
		case owner != "" && sl.owner == owner:
			own = sl
		case sl.held:
			held++
		case free == nil, free.owner != "" && (sl.owner == "" || sl.used.Before(free.used)):
			free = sl
		}
	}
	return own, free, gap, held
}

func hold(sl *slot) *slot {
	sl.held = true
	sl.users++
	return sl
}

func (p *pool) queue(k key, own *slot) (*waiter, error) {
	if len(p.waiting[k]) >= p.server.set.o.Waiting {
		return nil, p.server.overloaded("has too many calls waiting for one session.")
	}
	w := &waiter{own: own, got: make(chan *slot, 1)}
	p.waiting[k] = append(p.waiting[k], w)
	return w, nil
}

func (p *pool) await(ctx context.Context, k key, w *waiter) (*slot, error) {
	select {
	case sl := <-w.got:
		return sl, nil
	case <-ctx.Done():
	}
	if !p.unqueue(k, w) { // it was handed over in the meantime
		p.giveBack(<-w.got)
	}
	return nil, ctx.Err()
}

func (p *pool) unqueue(k key, w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.waiting[k] {
		if other == w {
			p.dequeue(k, i)
			return true
		}
	}
	return false
}

// dequeue is called with mu held.
func (p *pool) dequeue(k key, i int) {
	all := p.waiting[k]
	if all = append(all[:i:i], all[i+1:]...); len(all) == 0 {
		delete(p.waiting, k)
		return
	}
	p.waiting[k] = all
}

// giveBack hands a lane to the first that waits for it, or frees it. Whoever
// gets one that is dead looks for another.
func (p *pool) giveBack(sl *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sl.used = time.Now()
	k := sl.key.at(0)
	for i, w := range p.waiting[k] {
		if w.own == nil || w.own == sl {
			p.dequeue(k, i)
			w.got <- sl
			return
		}
	}
	sl.held = false
	sl.users--
}

// at is the key of one of the lanes.
func (k key) at(lane int) key {
	k.lane = lane
	return k
}
