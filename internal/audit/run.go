package audit

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// runner is the one goroutine that writes: it takes whatever is queued, writes
// it at once, makes it durable when somebody waits for that, and tells them all.
type runner struct {
	*Log
	w     *writer
	spare *group // its memory serves the next group

	flushAt time.Time // when batched records are due; zero when none wait
	syncAt  time.Time // when written records are due to be durable
	retryAt time.Time // when a sick log tries again
	backoff time.Duration
	since   time.Time // of the sickness
	parting int       // how often a closing log tried to recover

	took    time.Duration // by the last group that had to be durable
	expect  int           // records that will soon have come, as far as the last group tells
	lingers time.Time     // until when the writer waits for them; zero when it does not
}

// A group waits for those who are likely to come: as many as came with the group
// before it and while that was synced. One sync for all of them costs each of
// them less, and calls that go on together wake fewer threads. It waits no longer
// than a few syncs take, and only where there are many.
const (
	crowd     = 8                    // records in flight from which on waiting pays
	company   = 64                   // records of a group from which on it does not pay any more
	patience  = 4                    // syncs that it may last
	lingerMax = 2 * time.Millisecond // longer than a sync of any disk that is worth it
)

// partings is how often a log that shall close tries to recover before it
// gives up what is queued.
const partings = 3

func (l *Log) run(w *writer) {
	defer close(l.done)
	r := &runner{Log: l, w: w}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for r.step(timer) {
		select {
		case <-l.wake:
		case <-timer.C:
		}
	}
	l.lost = r.leave()
}

// step does what is due and sets the timer to what is due next. It returns
// false when the log is closed and nothing more can be done.
func (r *runner) step(timer *time.Timer) bool {
	for {
		r.mu.Lock()
		empty, pressing, sick, closing := r.queue.empty(), r.queue.pressing(), r.sick, r.closing
		r.mu.Unlock()
		now := time.Now()
		if !empty && r.flushAt.IsZero() {
			r.flushAt = now.Add(r.opts.FlushEvery)
		}
		switch {
		case sick != nil && closing:
			if r.parting++; r.parting > partings || !r.recover() {
				return false
			}
		case sick != nil && !now.Before(r.retryAt):
			r.recover()
		case sick != nil:
			timer.Reset(r.retryAt.Sub(now))
			return true
		case !empty && pressing && !closing && r.linger(now):
			timer.Reset(r.lingers.Sub(now))
			return true
		case !empty && (pressing || closing || !now.Before(r.flushAt)):
			r.flush()
		case r.w.unsynced() && (closing || !now.Before(r.syncAt)):
			r.sync()
		case closing:
			return false
		default:
			timer.Reset(r.next(now))
			return true
		}
	}
}

// linger reports whether the queue shall wait for more records.
func (r *runner) linger(now time.Time) bool {
	if r.expect < crowd {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	enough := min(r.expect, company)
	if len(r.queue.ends) >= enough {
		return false
	}
	if r.lingers.IsZero() {
		r.lingers, r.queue.rouseAt = now.Add(min(patience*r.took, lingerMax)), enough
	}
	return now.Before(r.lingers)
}

// next is how long nothing is due unless somebody calls.
func (r *runner) next(now time.Time) time.Duration {
	const idle = time.Hour
	d := idle
	if !r.flushAt.IsZero() {
		d = min(d, r.flushAt.Sub(now))
	}
	if r.w.unsynced() {
		d = min(d, r.syncAt.Sub(now))
	}
	return d
}

// flush writes all that is queued.
func (r *runner) flush() {
	g := r.take()
	r.flushAt = time.Time{}
	rested := !r.w.unsynced()
	began := time.Now()
	err := r.disk(func() error { return r.w.commit(g) })
	if err != nil {
		r.fail(g, err)
		return
	}
	r.foresee(g, time.Since(began))
	if rested {
		r.syncAt = time.Now().Add(r.opts.SyncEvery)
	}
	r.backoff = 0
	r.head.Store(&Head{r.w.seq, string(r.w.prev[:])})
	if !r.w.unsynced() {
		r.settled()
	}
	r.closed(g)
	g.finish(r.w.first, nil)
	r.spare = g
	r.landed()
}

// foresee learns from a group how many will come next, and how long they may
// be waited for.
func (r *runner) foresee(g *group, took time.Duration) {
	r.expect, r.lingers = 0, time.Time{}
	if g.must {
		r.mu.Lock()
		r.took, r.expect = took, len(g.ends)+len(r.queue.ends)
		r.mu.Unlock()
	}
}

// take hands the queue to the writer and begins a new one.
func (r *runner) take() *group {
	fresh := newGroup(r.spare)
	r.spare = nil
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.queue
	r.queue, r.flying = fresh, len(g.bodies)
	return g
}

// landed makes room for those who wait.
func (r *runner) landed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flying = 0
	r.stir()
}

func (r *runner) sync() {
	if err := r.disk(r.w.sync); err != nil {
		r.fail(newGroup(nil), err)
		return
	}
	r.settled()
}

// disk does one piece of input and output in sight of Ready.
func (r *runner) disk(do func() error) error {
	r.busy.Store(int64(time.Since(r.opened)) + 1)
	defer r.busy.Store(0)
	return do()
}

// fail refuses all who wait, in g and behind it, and keeps the records that
// were promised to be written later.
func (r *runner) fail(g *group, cause error) {
	r.mu.Lock()
	first := r.sick == nil
	r.sick = cause
	kept := newGroup(nil)
	g.keepPatient(kept)
	r.queue.keepPatient(kept)
	behind, n := r.queue, len(kept.ends)
	r.queue, r.flying = kept, 0
	r.stir()
	r.mu.Unlock()

	if first {
		r.since = time.Now()
	}
	r.backoff = min(max(2*r.backoff, r.opts.RetryMin), r.opts.RetryMax)
	r.retryAt = time.Now().Add(r.backoff)
	r.opts.Log.Error("record cannot be written; calls that need one are refused",
		slog.Any("err", cause), slog.Duration("retry", r.backoff), slog.Int("kept", n))
	g.finish(0, cause)
	behind.finish(0, cause)
}

// recover tries to write again, and reports whether it could.
func (r *runner) recover() bool {
	if err := r.disk(r.w.repair); err != nil {
		r.fail(newGroup(nil), err)
		return false
	}
	r.settled()
	r.mu.Lock()
	r.sick = nil
	r.late()
	r.stir()
	r.mu.Unlock()
	r.opts.Log.Warn("record can be written again",
		slog.Uint64("seq", r.w.seq), slog.String("segment", r.w.seg.name), slog.Duration("after", time.Since(r.since)))
	return true
}

// leave closes the file and says what was lost.
func (r *runner) leave() error {
	var lost error
	if n := len(r.queue.ends); n > 0 {
		lost = fmt.Errorf("%d batched records could not be written: %w", n, r.sick)
	} else if r.w.unsynced() {
		lost = fmt.Errorf("the last records could not be made durable: %w", r.sick)
	}
	return errors.Join(lost, r.w.close(), r.lock.Close())
}
