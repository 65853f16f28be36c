package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"durward"
)

// Mode is when Append returns. Modes are ordered, the safest first.
type Mode uint8

// The modes.
const (
	Durable Mode = iota // the record has survived a loss of power
	Written             // the record has survived a kill of this process
	Batched             // the record is in memory and will be written within FlushEvery
)

// Options of a log; zero fields take the defaults of [Defaults].
type Options struct {
	Log *slog.Logger

	// SegmentBytes and SegmentAge are when a new segment begins.
	SegmentBytes int64
	SegmentAge   time.Duration
	// FlushEvery bounds how long a batched record waits to be written, SyncEvery
	// how long a written one waits to be safe from a loss of power.
	FlushEvery time.Duration
	SyncEvery  time.Duration
	// QueueBytes bounds what waits to be written; Append blocks beyond it.
	QueueBytes int
	// RetryMin and RetryMax bound the back-off of a log that cannot be written.
	RetryMin time.Duration
	RetryMax time.Duration
	// WaitMost is how long Append waits for the disk.
	WaitMost time.Duration
	// StallAfter is how long one write may take before Ready complains.
	StallAfter time.Duration
}

// Defaults are the options of a log that nobody tuned.
func Defaults() Options {
	return Options{
		Log:          slog.New(slog.DiscardHandler),
		SegmentBytes: 32 << 20, // what Open reads again
		SegmentAge:   24 * time.Hour,
		FlushEvery:   50 * time.Millisecond,
		SyncEvery:    time.Second,
		QueueBytes:   4 << 20,
		RetryMin:     100 * time.Millisecond,
		RetryMax:     5 * time.Second,
		WaitMost:     30 * time.Second,
		StallAfter:   5 * time.Second,
	}
}

func (o Options) withDefaults() Options {
	d := Defaults()
	if o.Log == nil {
		o.Log = d.Log
	}
	orElse(&o.SegmentBytes, d.SegmentBytes)
	orElse(&o.SegmentAge, d.SegmentAge)
	orElse(&o.FlushEvery, d.FlushEvery)
	orElse(&o.SyncEvery, d.SyncEvery)
	orElse(&o.QueueBytes, d.QueueBytes)
	orElse(&o.RetryMin, d.RetryMin)
	orElse(&o.RetryMax, d.RetryMax)
	orElse(&o.WaitMost, d.WaitMost)
	orElse(&o.StallAfter, d.StallAfter)
	return o
}

func orElse[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// Log is an open log that this process alone writes. Its methods are safe for
// concurrent use.
type Log struct {
	opts   Options
	lock   *os.File
	opened time.Time     // clock of busy, which must not jump
	wake   chan struct{} // tells the writer that there is work
	done   chan struct{} // closed when the writer has ended
	lost   error         // what Close reports; set before done is closed

	scratch sync.Pool    // *[]byte, for encoding outside of mu
	limits  sync.Pool    // *time.Timer, stopped
	busy    atomic.Int64 // since when (after opened) the disk is being waited for; 0 when it is not
	head    atomic.Pointer[Head]
	safe    atomic.Pointer[Head] // the last record that has survived a loss of power
	moved   chan struct{}        // tells the sealer that safe did

	mu      sync.Mutex // guards what follows
	queue   *group     // what the writer takes next
	flying  int        // bytes that the writer has taken and not yet written
	room    chan struct{}
	blocked int   // how many wait for room
	sick    error // why nothing can be written at present
	closing bool
	calls   map[string]*openCall // announced, by id
}

// Head is the end of the log: remember it elsewhere and [Verify] can tell
// whether the log was cut before it.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Open opens the log in the folder dir for writing and makes it when there is
// none. It checks the last segment: a half-written last line is kept aside and
// cut off; a segment that is broken in any other way is left as it is, and
// Open refuses. Nothing else than this log may write into dir.
func Open(dir string, o Options) (*Log, error) { return open(dir, o, disk{}) }

func open(dir string, o Options, on files) (*Log, error) {
	o = o.withDefaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the record: %w", err)
	}
	held, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("lock the record in %s: %w", dir, err)
	}
	w, err := openWriter(dir, o, on)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the record in %s: %w", dir, err), held.Close())
	}
	l := &Log{
		opts: o, lock: held, opened: time.Now(), queue: newGroup(nil),
		wake: make(chan struct{}, 1), done: make(chan struct{}), room: make(chan struct{}), moved: make(chan struct{}, 1),
		scratch: sync.Pool{New: func() any { return new([]byte) }},
		calls:   map[string]*openCall{},
		limits:  sync.Pool{New: func() any { return time.NewTimer(time.Hour) }},
	}
	l.head.Store(&Head{w.seq, string(w.prev[:])})
	l.safe.Store(l.head.Load()) // openWriter synced it
	w.repeated = l.repeated
	go l.run(w) // ended by Close, which waits for it
	if err := l.closeIntents(dir); err != nil {
		return nil, errors.Join(err, l.Close(context.Background()))
	}
	return l, nil
}

// Append puts r into the log and returns when mode says so; the error of a
// record that is not there is a *durward.Error. A Durable or Written record is
// told its place in r.Seq. r may be used again as soon as Append has returned.
//
// When ctx ends while Append waits, the record may or may not be in the log:
// give a context that does not end with the caller.
func (l *Log) Append(ctx context.Context, r *durward.Record, mode Mode) error {
	body := l.scratch.Get().(*[]byte)
	*body = appendBody((*body)[:0], r)
	g, place, err := l.enqueue(ctx, *body, mode, r.ID)
	if cap(*body) <= maxArgs {
		l.scratch.Put(body)
	}
	if err != nil || mode == Batched {
		return err
	}
	if err := l.await(ctx, g); err != nil {
		return unavailable(fmt.Errorf("wait for the record to be written: %w", err))
	}
	if g.err != nil {
		return unavailable(g.err)
	}
	r.Seq = g.first + uint64(place)
	return nil
}

// await waits for a group to be written, no longer than WaitMost: the disk may
// hang.
func (l *Log) await(ctx context.Context, g *group) error {
	limit := l.limits.Get().(*time.Timer)
	limit.Reset(l.opts.WaitMost)
	defer l.limits.Put(limit)
	defer limit.Stop()
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-limit.C:
		return fmt.Errorf("the disk did not take it in %s", l.opts.WaitMost)
	}
}

// enqueue adds a record to the queue as soon as there is room for it; id is
// that of a call which it closes if that was announced.
func (l *Log) enqueue(ctx context.Context, body []byte, mode Mode, id string) (_ *group, _ int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) == 0 || l.calls[id] == nil {
		id = ""
	} else {
		defer func() {
			if err != nil {
				l.keepLate(id, body)
			}
		}()
	}
	for {
		if l.closing {
			return nil, 0, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonShutdown, Message: "The gateway is shutting down."}
		}
		if l.sick != nil && mode != Batched {
			return nil, 0, unavailable(l.sick)
		}
		waiting := len(l.queue.bodies) + l.flying
		if waiting == 0 || waiting+len(body) <= l.opts.QueueBytes {
			break
		}
		if l.sick != nil {
			return nil, 0, unavailable(fmt.Errorf("the queue is full: %w", l.sick))
		}
		if err := l.waitForRoom(ctx); err != nil {
			return nil, 0, unavailable(err)
		}
	}
	place, rouse := l.queue.add(body, mode, id)
	if rouse {
		l.rouse()
	}
	return l.queue, place, nil
}

// waitForRoom waits, without mu, until the writer has made progress.
func (l *Log) waitForRoom(ctx context.Context) error {
	room := l.room
	l.blocked++
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for room in the queue of records: %w", context.Cause(ctx))
	case <-time.After(l.opts.WaitMost):
		return errors.New("there is no room in the queue of records")
	}
}

// stir lets those who wait for room look again. The caller holds mu.
func (l *Log) stir() {
	if l.blocked > 0 {
		close(l.room)
		l.room, l.blocked = make(chan struct{}), 0
	}
}

func (l *Log) rouse() {
	select {
	case l.wake <- struct{}{}:
	default: // it is told already
	}
}

func unavailable(cause error) error {
	return &durward.Error{
		Code:    durward.Unavailable,
		Reason:  durward.ReasonRecordUnavailable,
		Message: "The gateway cannot write its record at present and refuses calls that need one; try again later.",
		Retry:   time.Second,
		Err:     cause,
	}
}

// Ready says with an error why records cannot be written at present.
func (l *Log) Ready() error {
	l.mu.Lock()
	sick, closing := l.sick, l.closing
	l.mu.Unlock()
	if closing {
		return errors.New("the record is closed")
	}
	if sick != nil {
		return fmt.Errorf("the record cannot be written: %w", sick)
	}
	if since := l.busy.Load(); since != 0 {
		if d := time.Since(l.opened) - time.Duration(since); d > l.opts.StallAfter {
			return fmt.Errorf("the record's disk has not answered for %s", d.Round(time.Second))
		}
	}
	return nil
}

// Head returns the last record that was written.
func (l *Log) Head() Head { return *l.head.Load() }

// Safe returns the last record that a loss of power cannot take any more.
func (l *Log) Safe() Head { return *l.safe.Load() }

// settled tells that all that was written is safe.
func (l *Log) settled() {
	l.safe.Store(l.head.Load())
	select {
	case l.moved <- struct{}{}:
	default: // the sealer is told already
	}
}

// Close writes what is queued, makes it durable and lets go of the folder. Its
// error tells what could not be written. When ctx ends first, the writer is
// left waiting for its disk.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closing = true
	l.stir()
	l.mu.Unlock()
	l.rouse()
	select {
	case <-l.done:
		return l.lost
	case <-ctx.Done():
		return fmt.Errorf("close the record: %w", context.Cause(ctx))
	}
}
