package upstream

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of how often a failing upstream is tried.
const (
	retrySoon  = time.Second // when somebody asks for it
	backoffMin = time.Second // by itself
	backoffMax = time.Minute
	// shortLife is how long a process or session has to live for its end not
	// to count as a failure to start.
	shortLife = 10 * time.Second
)

// gate keeps a failing upstream from being tried too often.
type gate struct {
	failed atomic.Bool // there is an err; lets the healthy path skip the lock

	mu    sync.Mutex // guards the rest
	count int
	last  time.Time
	err   error
}

// admit returns the last failure while it is too young to try again.
func (g *gate) admit() error {
	if !g.failed.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil && time.Since(g.last) < retrySoon {
		return g.err
	}
	return nil
}

// remaining is how long admit will say no.
func (g *gate) remaining() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		return 0
	}
	return max(0, retrySoon-time.Since(g.last))
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count++
	g.last, g.err = time.Now(), err
	g.failed.Store(true)
}

// pass notes a success; true when it ends a row of failures.
func (g *gate) pass() bool {
	if !g.failed.Load() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	ended := g.err != nil
	g.count, g.err = 0, nil
	g.failed.Store(false)
	return ended
}

// wait is when to try again unasked: longer with each failure, never in step
// with others.
func (g *gate) wait() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := backoffMax
	if g.count < 7 {
		d = min(backoffMin<<max(g.count-1, 0), backoffMax)
	}
	return d/2 + rand.N(d)
}
