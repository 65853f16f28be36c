package upstream

import (
	"context"
	"durward"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a server may take for a call: the call's context, and
// its peer. While the client, a person more often than not, thinks about a
// question of the server, the server's time does not run. What all answers of
// a call may take together is bounded too.
type patience struct {
	context.Context
	peer  durward.Peer
	stop  context.CancelCauseFunc
	until time.Time // the latest that it can end
	// turnedDown tells that the server asked and got no answer: what it then
	// fails at is not its own.
	turnedDown atomic.Bool

	mu      sync.Mutex // guards the rest
	timer   *time.Timer
	first   *time.Timer   // until the server says something; nil without
	left    time.Duration // of the server's time, at since
	answers time.Duration // left for the client, at since
	since   time.Time
	asking  int // questions that are open
}

// errSilent ends the wait for a server that says nothing at all.
var errSilent = fmt.Errorf("nothing was heard of the call: %w", context.DeadlineExceeded)

// expect bounds the time until the server says the first thing about the call.
func (y *patience) expect(d time.Duration) {
	if d > 0 {
		y.first = time.AfterFunc(d, func() { y.stop(errSilent) })
	}
}

func (y *patience) heard() {
	if y.first != nil {
		y.first.Stop()
	}
}

var errUnanswered = errors.New("the client did not answer in time")

// newPatience returns the patience with one call, which is to be ended.
func newPatience(ctx context.Context, d, answers time.Duration, p durward.Peer) *patience {
	now := time.Now()
	y := &patience{peer: p, left: d, answers: answers, since: now, until: now.Add(d + answers)}
	if outer, ok := ctx.Deadline(); ok && outer.Before(y.until) {
		y.until = outer
	}
	y.Context, y.stop = context.WithCancelCause(ctx)
	y.timer = time.AfterFunc(d, func() { y.stop(context.DeadlineExceeded) })
	return y
}

// Deadline implements context.Context.
func (y *patience) Deadline() (time.Time, bool) { return y.until, true }

func (y *patience) end() {
	y.timer.Stop()
	y.heard()
	y.stop(nil)
}

// Notify implements durward.Peer.
func (y *patience) Notify(method string, params []byte) {
	y.heard()
	if y.peer != nil {
		y.peer.Notify(method, params)
	}
}

// Ask implements durward.Peer.
func (y *patience) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	y.heard()
	if y.peer == nil {
		return nil, durward.ErrCannotAsk
	}
	ctx, cancel := context.WithTimeoutCause(ctx, y.pause(), errUnanswered)
	defer cancel()
	defer y.resume()
	answer, err := y.peer.Ask(ctx, method, params)
	if err != nil {
		y.turnedDown.Store(true)
	}
	if err != nil && errors.Is(context.Cause(ctx), errUnanswered) {
		return nil, &durward.Error{Code: durward.Timeout, Reason: durward.ReasonCancelled, Message: "The client did not answer in time.", Err: errUnanswered}
	}
	return answer, err
}

// pause stops the server's clock and returns how long the client has.
func (y *patience) pause() time.Duration {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.asking++; y.asking > 1 {
		return y.answers - time.Since(y.since)
	}
	y.timer.Stop()
	y.left -= time.Since(y.since)
	y.since = time.Now()
	return y.answers
}

// resume lets the server's clock run again when nothing is asked any more.
func (y *patience) resume() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.asking--; y.asking > 0 {
		return
	}
	y.answers -= time.Since(y.since)
	y.since = time.Now()
	y.timer.Reset(max(y.left, time.Millisecond))
}
