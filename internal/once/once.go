// Package once keeps calls with side effects from being made twice: it
// remembers which are under way and how they ended, so that a call that is
// issued again gets the first result, or waits for it.
//
// It promises that what is to be remembered is on disk before the call is made
// and before its result leaves; that a call whose end was never seen (a crash,
// a timeout) is called unknown, and is not made again under the same key; and
// that all it keeps is bounded. It does not decide which calls are the same
// (pipeline: keys are digests), and makes none.
package once

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"durward"
)

// Store keeps entries over restarts; what it was given is durable when Put returns.
type Store interface {
	Each(ctx context.Context, fn func(key string, value []byte) error) error
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, keys ...string) error
}

// Mode is when a call counts as one that was issued before.
type Mode uint8

// The modes.
const (
	// Broken: when the first one's caller went away before it had its answer. A
	// call whose answer arrived may be repeated on purpose.
	Broken Mode = iota
	// Always: for as long as the entry is kept. An explicit key asks for it.
	Always
)

// Bounds.
const (
	maxEntries  = 16_384
	maxPerAgent = 2048
	maxResult   = 256 << 10
	maxBytes    = 64 << 20        // of all results
	grace       = 5 * time.Second // in which an answer may still turn out to be lost
	// inDoubt is how long a like call waits to see whether the caller of the one
	// under way is gone: a client asks again before we know that it left.
	inDoubt = 500 * time.Millisecond
)

// Options of a [Ledger].
type Options struct {
	Store Store // required
	Log   *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Ledger remembers calls. It is safe for concurrent use.
type Ledger struct {
	o Options

	mu       sync.Mutex // guards what follows
	entries  map[string]*entry
	perAgent map[string]int
	forget   []string // keys to delete from the store, in bulk
	bytes    int      // of results
}

// The states of an entry.
const (
	running = "running"
	done    = "done"
	unknown = "unknown"
)

// entry is one call, as it is stored.
type entry struct {
	Key   string    `json:"key"`
	Agent string    `json:"agent"`
	Call  string    `json:"call"`
	Args  string    `json:"args"` // digest: a key must not be used for another call
	State string    `json:"state"`
	Until time.Time `json:"until"`
	// The reply, when there is one.
	Result []byte            `json:"result,omitempty"`
	Error  *durward.RPCError `json:"error,omitempty"`
	Modern bool              `json:"modern,omitempty"`
	Cut    bool              `json:"cut,omitempty"` // the result was too large to be kept

	ended     chan struct{}
	delivered bool        // the answer arrived, as far as can be told
	left      func() bool // tells whether the caller is gone
	mode      Mode
	stored    bool
}

// Claim is the right to make a call, and the duty to say how it ended.
type Claim struct {
	l     *Ledger
	e     *entry
	until time.Time // of the entry, before it was delivered
}

// Ask is what is wanted of [Ledger.Claim].
type Ask struct {
	Key, Agent, Call, Args string
	Mode                   Mode
	// Keep is how long the entry is good for, from now.
	Keep time.Duration
	// Left tells whether this caller is gone; nil means never.
	Left func() bool
}

// Open reads what an earlier run left. What was under way then is unknown.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{o: o, entries: make(map[string]*entry), perAgent: make(map[string]int)}
	now := o.Now()
	err := o.Store.Each(ctx, func(key string, value []byte) error {
		e := &entry{ended: make(chan struct{}), stored: true}
		if err := json.Unmarshal(value, e); err != nil {
			return fmt.Errorf("entry %s: %w", key, err)
		}
		if other := l.entries[e.Key]; !now.Before(e.Until) || (other != nil && other.Until.After(e.Until)) {
			l.forget = append(l.forget, key)
			return nil
		}
		if e.State == running {
			e.State = unknown
		}
		close(e.ended)
		l.put(e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what was called: %w", err)
	}
	return l, nil
}

func (l *Ledger) put(e *entry) {
	if other := l.entries[e.Key]; other != nil {
		l.drop(other)
	}
	l.entries[e.Key] = e
	l.perAgent[e.Agent]++
	l.bytes += len(e.Result)
}

// drop forgets an entry. The caller holds mu.
func (l *Ledger) drop(e *entry) {
	if l.entries[e.Key] != e {
		return
	}
	delete(l.entries, e.Key)
	if l.perAgent[e.Agent]--; l.perAgent[e.Agent] <= 0 {
		delete(l.perAgent, e.Agent)
	}
	l.bytes -= len(e.Result)
	if e.stored {
		l.forget = append(l.forget, e.place())
	}
}

// Claim asks to make a call. It gives a claim, when the call is to be made; or
// the reply of the call that was made before, after waiting for it if need be;
// or why neither. Both are nil when the call is to be made and is none of the
// ledger's business: another like it is under way, on purpose.
func (l *Ledger) Claim(ctx context.Context, a Ask) (*Claim, *durward.Reply, error) {
	doubt := time.Now().Add(inDoubt)
	for {
		l.mu.Lock()
		e := l.entries[a.Key]
		if e != nil && !l.o.Now().Before(e.Until) && e.State != running {
			l.drop(e)
			e = nil
		}
		if e == nil {
			c, err := l.begin(a)
			l.mu.Unlock()
			return c, nil, err
		}
		if e.Args != a.Args {
			l.mu.Unlock()
			return nil, nil, &durward.Error{Code: durward.Conflict, Reason: durward.ReasonDuplicate,
				Message: "This idempotency key was used for other arguments; a new call needs a new key."}
		}
		if e.State == running {
			there := a.Mode == Broken && !e.gone()
			l.mu.Unlock()
			if there && !time.Now().Before(doubt) {
				return nil, nil, nil
			}
			if err := e.wait(ctx, there); err != nil {
				return nil, nil, err
			}
			continue
		}
		if a.Mode == Broken && e.delivered {
			l.drop(e)
			l.mu.Unlock()
			continue
		}
		reply, err := e.reply()
		e.left = a.Left
		l.mu.Unlock()
		return nil, reply, err
	}
}

// place is the key in the store: what is forgotten late never takes the place
// of what came after it.
func (e *entry) place() string { return e.Key + "/" + e.Call }

// wait waits for the end of a call, or for a moment when its caller seems to be there.
func (e *entry) wait(ctx context.Context, there bool) error {
	var look <-chan time.Time
	if there {
		timer := time.NewTimer(inDoubt / 20)
		defer timer.Stop()
		look = timer.C
	}
	select {
	case <-e.ended:
	case <-look:
	case <-ctx.Done():
		return &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The caller went away.", Err: context.Cause(ctx)}
	}
	return nil
}

func (e *entry) gone() bool { return e.left != nil && e.left() }

func (e *entry) reply() (*durward.Reply, error) {
	switch {
	case e.State == unknown:
		return nil, &durward.Error{Code: durward.Conflict, Reason: durward.ReasonOutcomeUnknown, Message: fmt.Sprintf(
			"This call was begun before (call %s) and its end was never seen: it may have been made. Find out before you call again; a new idempotency key, or waiting until %s, makes it a new call.",
			e.Call, e.Until.UTC().Format(time.RFC3339))}
	case e.Cut:
		return nil, &durward.Error{Code: durward.Conflict, Reason: durward.ReasonDuplicate, Message: fmt.Sprintf(
			"This call was made before (call %s); its result was too large to be kept.", e.Call)}
	}
	return &durward.Reply{Result: e.Result, Error: e.Error, Modern: e.Modern}, nil
}

// begin makes an entry that is known to this process only. The caller holds mu.
func (l *Ledger) begin(a Ask) (*Claim, error) {
	if len(l.entries) >= maxEntries || l.perAgent[a.Agent] >= maxPerAgent {
		l.sweep()
	}
	if len(l.entries) >= maxEntries || l.perAgent[a.Agent] >= maxPerAgent {
		return nil, &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Retry: time.Minute,
			Message: "Too many calls of this agent have to be remembered; try again in a minute."}
	}
	e := &entry{Key: a.Key, Agent: a.Agent, Call: a.Call, Args: a.Args, State: running, Until: l.o.Now().Add(a.Keep).UTC(), ended: make(chan struct{}), left: a.Left, mode: a.Mode}
	l.put(e)
	return &Claim{l: l, e: e}, nil
}

// sweep drops what is over. The caller holds mu.
func (l *Ledger) sweep() {
	now := l.o.Now()
	for _, e := range l.entries {
		if e.State != running && !now.Before(e.Until) {
			l.drop(e)
		}
	}
}

// Begin makes it durable that the call is about to be made.
func (c *Claim) Begin(ctx context.Context) error {
	c.l.mu.Lock()
	text, err := json.Marshal(c.e)
	c.l.mu.Unlock()
	if err == nil {
		err = c.l.o.Store.Put(ctx, c.e.place(), text)
	}
	if err != nil {
		return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonRecordUnavailable, Retry: 5 * time.Second, Err: err,
			Message: "The gateway cannot remember calls at the moment, and this one is not made without."}
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.e.stored = true
	return nil
}

// Release gives the claim back: the call was not made, or is not over.
func (c *Claim) Release() {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.e.State != running {
		return
	}
	c.l.drop(c.e)
	c.end("")
}

// end is called with mu held, once.
func (c *Claim) end(state string) {
	c.e.State = state
	close(c.e.ended)
}

// Done says how the call ended, before anybody hears of it. A call of which
// nobody knows (sure is false) is unknown.
func (c *Claim) Done(ctx context.Context, r durward.Reply, sure bool) {
	c.l.mu.Lock()
	if c.e.State != running {
		c.l.mu.Unlock()
		return
	}
	if sure {
		c.e.Result, c.e.Error, c.e.Modern = append([]byte(nil), r.Result...), r.Error, r.Modern
		if r.Result == nil {
			c.e.Result = nil
		}
		if len(r.Result) > maxResult || c.l.bytes+len(r.Result) > maxBytes {
			c.e.Result, c.e.Cut = nil, true
		}
		c.l.bytes += len(c.e.Result)
	}
	next := *c.e
	next.State = map[bool]string{true: done, false: unknown}[sure]
	text, err := json.Marshal(&next)
	c.l.mu.Unlock()
	if err == nil {
		err = c.l.o.Store.Put(ctx, c.e.place(), text)
	}
	if err != nil { // this process still knows; after a crash it is unknown, which is true
		c.l.o.Log.Warn("end of a call could not be remembered", "call", c.e.Call, "err", err)
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.end(next.State)
}

// Delivered says that the answer arrived, as far as can be told. A call that
// may be repeated from then on is forgotten soon; [Claim.Lost] may still come.
func (c *Claim) Delivered() {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.e.delivered = true
	if c.e.mode == Broken {
		c.until, c.e.Until = c.e.Until, c.l.o.Now().Add(grace)
	}
}

// Lost says that the answer did not arrive after all.
func (c *Claim) Lost() {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.e.delivered = false
	if !c.until.IsZero() {
		c.e.Until = c.until
	}
}

// Run forgets what is over, until ctx is done.
func (l *Ledger) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			l.Sweep(ctx)
		}
	}
}

// Sweep forgets what is over.
func (l *Ledger) Sweep(ctx context.Context) {
	l.mu.Lock()
	l.sweep()
	keys := l.forget
	l.forget = nil
	l.mu.Unlock()
	if err := l.o.Store.Delete(ctx, keys...); err != nil {
		l.o.Log.Warn("old calls could not be forgotten", "err", err)
		l.mu.Lock()
		l.forget = append(l.forget, keys...)
		l.mu.Unlock()
	}
}
