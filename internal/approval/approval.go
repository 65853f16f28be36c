// Package approval holds calls until people have answered: it keeps the
// questions, takes the answers, and gives each permission out once.
//
// It promises that a permission fits one principal, one tool as it was defined
// and one set of arguments ([Digest]); that nobody answers twice, nor who may
// not; that a permission is marked as used, durably, before its call is made,
// so that it is never used again, whatever dies when; and that the questions
// that wait are bounded, for each agent and in all. After a restart a question
// still waits, a permission still holds, and a call that was under way is
// [durward.ApprovalUnknown]: nobody knows whether it was made.
//
// It does not decide which calls are held (policy, guard), nor who an operator
// is (control), and it makes no calls (pipeline).
package approval

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"durward"
)

// Store keeps questions over restarts; what it was given is durable when Put returns.
type Store interface {
	Each(ctx context.Context, fn func(key string, value []byte) error) error
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, keys ...string) error
}

// Options of a [Desk].
type Options struct {
	Store Store // required
	Log   *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Desk is where questions lie until they are answered. It is safe for
// concurrent use.
type Desk struct {
	o Options

	mu    sync.Mutex // guards what follows, and orders what is stored
	rules durward.ApprovalRules
	all   map[string]*entry
	wakes []func(durward.Approval)
}

// entry is a question with those who wait for its answer.
type entry struct {
	durward.Approval
	changed chan struct{} // closed when the state is no longer pending
}

// Bounds of one question.
const (
	maxArgs   = 64 << 10
	maxReason = 500
	maxEnded  = 4096 // answered questions that are listed
)

// Open reads what an earlier run left behind. A call that was under way then
// is unknown from now on.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Desk{o: o, rules: durward.ApprovalDefaults(), all: make(map[string]*entry)}
	err := o.Store.Each(ctx, func(key string, value []byte) error {
		e := &entry{changed: make(chan struct{})}
		if err := json.Unmarshal(value, &e.Approval); err != nil {
			return fmt.Errorf("question %s: %w", key, err)
		}
		d.all[e.ID] = e
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the approvals: %w", err)
	}
	for _, e := range d.all {
		if e.State == durward.ApprovalUsed && e.Outcome == "" {
			e.State, e.Outcome = durward.ApprovalUnknown, durward.OutcomeUnknown
			if err := d.store(ctx, e.Approval); err != nil {
				return nil, err
			}
		}
		if e.State != durward.ApprovalPending {
			close(e.changed)
		}
	}
	return d, nil
}

// Rule puts other rules in force. Questions that wait keep the terms that they
// were asked under.
func (d *Desk) Rule(r durward.ApprovalRules) {
	if r.Need < 1 {
		r = durward.ApprovalDefaults()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = r
}

// Rules are the rules in force.
func (d *Desk) Rules() durward.ApprovalRules {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rules
}

// OnChange registers a function that hears of each question that was asked,
// and of each that was answered. It must not block. Register before use.
func (d *Desk) OnChange(fn func(durward.Approval)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wakes = append(d.wakes, fn)
}

// Digest binds a permission: parts are principal, tool, pin and arguments, in
// an order of the caller's. Different parts never have the same digest.
func Digest(parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Ask puts a question, or finds the one that the same agent has put already for
// the same digest and that is not used up. The terms are those of the rules.
func (d *Desk) Ask(ctx context.Context, q durward.Approval, terms durward.ApprovalTerms) (durward.Approval, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now().UTC()
	d.expire(ctx, now)
	waiting := 0
	total := 0
	for _, e := range d.all {
		if e.Agent == q.Agent && e.Digest == q.Digest && (e.State == durward.ApprovalPending || e.State == durward.ApprovalApproved) {
			return e.copy(), nil
		}
		if e.State == durward.ApprovalPending {
			total++
			if e.Agent == q.Agent {
				waiting++
			}
		}
	}
	if waiting >= d.rules.PerAgent || total >= d.rules.Most {
		return durward.Approval{}, &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonApprovalsFull, Retry: time.Minute,
			Message: "Too many calls wait for an approval already; let people answer some first."}
	}
	q.ID = "a_" + strings.ToLower(rand.Text()[:16])
	q.State, q.Created, q.Expires, q.Terms = durward.ApprovalPending, now, now.Add(d.rules.Expire), terms
	if len(q.Args) > maxArgs {
		q.Args, _ = json.Marshal(fmt.Sprintf("%d bytes, too long to be shown", len(q.Args))) // a string always marshals
	}
	if err := d.store(ctx, q); err != nil {
		return durward.Approval{}, err
	}
	d.all[q.ID] = &entry{Approval: q, changed: make(chan struct{})}
	d.tell(q)
	return q, nil
}

// Wait waits until a question is not pending any more, or ctx is done, and
// returns how it stands then.
func (d *Desk) Wait(ctx context.Context, id string) (durward.Approval, error) {
	for {
		d.mu.Lock()
		d.expire(ctx, d.o.Now())
		e := d.all[id]
		if e == nil {
			d.mu.Unlock()
			return durward.Approval{}, gone(id)
		}
		now, left := e.copy(), e.Expires.Sub(d.o.Now())
		d.mu.Unlock()
		if now.State != durward.ApprovalPending || ctx.Err() != nil {
			return now, nil //nolint:nilerr // the state says that nothing was decided
		}
		timer := time.NewTimer(max(left, time.Millisecond))
		select {
		case <-e.changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Get tells how a question stands.
func (d *Desk) Get(ctx context.Context, id string) (durward.Approval, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire(ctx, d.o.Now())
	e := d.all[id]
	if e == nil {
		return durward.Approval{}, gone(id)
	}
	return e.copy(), nil
}

// List tells of the questions in a state ("" for all), newest first.
func (d *Desk) List(ctx context.Context, state durward.ApprovalState) []durward.Approval {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire(ctx, d.o.Now())
	out := []durward.Approval{}
	for _, e := range d.all {
		if state == "" || e.State == state {
			out = append(out, e.copy())
		}
	}
	slices.SortFunc(out, func(a, b durward.Approval) int {
		if n := b.Created.Compare(a.Created); n != 0 {
			return n
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

func (e *entry) copy() durward.Approval {
	out := e.Approval
	out.Answers = slices.Clone(e.Answers)
	return out
}

// expire ends what nobody answered or used in time, and forgets what is old.
// The caller holds mu. What cannot be stored expires again after a restart.
func (d *Desk) expire(ctx context.Context, now time.Time) {
	ended := 0
	for id, e := range d.all {
		switch e.State {
		case durward.ApprovalPending, durward.ApprovalApproved:
			if now.Before(e.Expires) {
				continue
			}
			next := e.copy()
			next.State, next.Ended = durward.ApprovalExpired, e.Expires
			if err := d.store(context.WithoutCancel(ctx), next); err != nil {
				d.o.Log.Warn("expired approval could not be stored", "approval", id, "err", err)
			}
			d.become(e, next)
		default:
			ended++
			if now.Sub(e.Ended) > d.rules.Keep && (e.State != durward.ApprovalUsed || e.Outcome != "") {
				d.forget(ctx, id)
				ended--
			}
		}
	}
	for id := d.oldest(); ended > maxEnded && id != ""; id = d.oldest() {
		d.forget(ctx, id)
		ended--
	}
}

// become is the one way from a state to another. The caller holds mu and has
// stored next.
func (d *Desk) become(e *entry, next durward.Approval) {
	was := e.State
	if e.Approval = next; over(next.State) {
		e.Args = nil
	}
	if was == durward.ApprovalPending && next.State != was {
		close(e.changed)
	}
	d.tell(next)
}

func over(s durward.ApprovalState) bool {
	return s != durward.ApprovalPending && s != durward.ApprovalApproved
}

func (d *Desk) tell(a durward.Approval) {
	for _, fn := range d.wakes {
		fn(a)
	}
}

func (d *Desk) forget(ctx context.Context, id string) {
	delete(d.all, id)
	if err := d.o.Store.Delete(context.WithoutCancel(ctx), id); err != nil {
		d.o.Log.Warn("old approval could not be forgotten", "approval", id, "err", err)
	}
}

func (d *Desk) oldest() (id string) {
	var first time.Time
	for k, e := range d.all {
		if !e.Ended.IsZero() && e.Outcome != durward.OutcomeUnknown && (id == "" || e.Ended.Before(first)) {
			id, first = k, e.Ended
		}
	}
	return id
}

// store keeps a question. Its arguments are for those who answer: once it is
// over, the record's policy alone says what is kept of them.
func (d *Desk) store(ctx context.Context, a durward.Approval) error {
	if over(a.State) {
		a.Args = nil
	}
	text, err := json.Marshal(a)
	if err == nil {
		err = d.o.Store.Put(ctx, a.ID, text)
	}
	if err != nil {
		return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonRecordUnavailable, Retry: 5 * time.Second, Err: err,
			Message: "The gateway cannot keep approvals at the moment, and held calls are not made without them."}
	}
	return nil
}

func gone(id string) error {
	return &durward.Error{Code: durward.NotFound, Reason: durward.ReasonNotFound, Message: "There is no approval " + id + "; it may be long over."}
}
