// Package control changes what is true: agents and their keys, roles and
// upstreams that live in the store.
//
// Each verb asks who wants it, checks the shape of what is wanted and whether
// a plan compiles with it, applies it durably, and returns once the data plane
// uses it. What a file declares is read-only here. Errors are *durward.Error.
// Serving calls is the pipeline's.
package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"durward"
	"durward/internal/approval"
	"durward/internal/snapshot"
)

// Store is the durable state.
type Store interface {
	State(ctx context.Context) (*durward.State, error)
	Apply(ctx context.Context, base durward.Revision, by string, changes []durward.Change) (durward.Revision, error)
}

// Options are what control needs. Store and Pepper are required.
type Options struct {
	Store  Store
	Pepper []byte
	// File is what the configuration file in use declares, and its path; nil
	// when there is none.
	File func() (declared *durward.Snapshot, path string)
	// Check says whether a plan compiles with a snapshot.
	Check func(*durward.Snapshot) error
	// Settle waits until the data plane uses a revision; nil when none runs.
	Settle func(context.Context, durward.Revision) error
	// Status is how the upstreams are; nil when no data plane runs.
	Status func() []durward.UpstreamStatus
	// Reread reads anew what an upstream defines, as far as it can be reached;
	// nil when no data plane runs.
	Reread func(ctx context.Context, upstream string)
	// Definitions tells what an upstream defines; nil when no data plane runs.
	Definitions func(upstream string) ([]durward.Definition, bool)
	// Approvals is where held calls wait for answers; nil when none can.
	Approvals *approval.Desk
	// Record keeps what an operator answered, before it is true; required with Approvals.
	Record func(context.Context, *durward.Record) error
	// Own are the addresses (host:port) at which agents and operators reach this
	// gateway, so that it is not put behind itself; nil knows none.
	Own func() []string
	// SignIn goes on with signing in at an upstream; nil when no data plane runs.
	SignIn func(ctx context.Context, upstream string, first bool) (durward.SignIn, error)
	// SignOut lets go of what an upstream granted; nil when nothing is kept.
	SignOut func(*durward.Upstream) error
	// Session tells whose live session an id is; nil when no data plane runs.
	Session func(id string) (agent string, ok bool)
	// Stops keeps halts in force that cannot be stored; nil when no data plane runs.
	Stops Stops
	// Note leaves a record of what an operator did; nil keeps none but the journal.
	Note func(ctx context.Context, by, method, what, why string) error
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Stops are halts in force that are not in the store, as [snapshot.Keeper] has them.
type Stops interface {
	Stop(durward.Halt) error
	Unstored() []durward.Halt
	StoreStops(context.Context) error
}

// noStops is where no data plane runs.
type noStops struct{}

func (noStops) Stop(durward.Halt) error          { return errors.New("no gateway runs") }
func (noStops) Unstored() []durward.Halt         { return nil }
func (noStops) StoreStops(context.Context) error { return nil }

// Control holds the verbs. It is safe for concurrent use.
type Control struct{ o Options }

// New makes the verbs over a store.
func New(o Options) *Control {
	if o.File == nil {
		o.File = func() (*durward.Snapshot, string) { return nil, "" }
	}
	if o.Check == nil {
		o.Check = func(*durward.Snapshot) error { return nil }
	}
	if o.Settle == nil {
		o.Settle = func(context.Context, durward.Revision) error { return nil }
	}
	if o.Status == nil {
		o.Status = func() []durward.UpstreamStatus { return nil }
	}
	if o.Reread == nil {
		o.Reread = func(context.Context, string) {}
	}
	if o.Definitions == nil {
		o.Definitions = func(string) ([]durward.Definition, bool) { return nil, false }
	}
	if o.Own == nil {
		o.Own = func() []string { return nil }
	}
	if o.Stops == nil {
		o.Stops = noStops{}
	}
	if o.Session == nil {
		o.Session = func(string) (string, bool) { return "", false }
	}
	if o.Note == nil {
		o.Note = func(context.Context, string, string, string, string) error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Control{o: o}
}

// moment is what is true while a verb decides.
type moment struct {
	state *durward.State
	file  *durward.Snapshot // what the file declares, never nil
	path  string            // of the file
	now   time.Time         // in whole seconds, as it is kept
	exact time.Time
	all   *durward.Snapshot // file and state merged
}

func (c *Control) look(ctx context.Context, by durward.Actor) (*moment, error) {
	if !by.Operator {
		return nil, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotAllowed, Message: "Only an operator may do this."}
	}
	state, err := c.o.Store.State(ctx)
	if err != nil {
		return nil, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: "The state cannot be read; the gateway's log says why.", Err: err}
	}
	exact := c.o.Now().UTC()
	m := &moment{state: state, now: exact.Truncate(time.Second), exact: exact}
	if m.file, m.path = c.o.File(); m.file == nil {
		m.file = &durward.Snapshot{}
	}
	m.all, _ = snapshot.Merge(m.file, state)
	return m, nil
}

// decide is what a verb makes of the moment.
type decide func(*moment) ([]durward.Change, error)

// change applies what fn decides. When another writer was faster, fn decides
// again on what is true then.
func (c *Control) change(ctx context.Context, by durward.Actor, fn decide) error {
	for range 5 {
		err := c.changeOnce(ctx, by, fn)
		if !errors.Is(err, durward.ErrStale) {
			return err
		}
	}
	return conflict("The state keeps changing; try again.", durward.ErrStale)
}

func (c *Control) changeOnce(ctx context.Context, by durward.Actor, fn decide) error {
	m, err := c.look(ctx, by)
	if err != nil {
		return err
	}
	changes, err := fn(m)
	if err != nil || len(changes) == 0 {
		return err
	}
	if err := c.compiles(m, changes); err != nil {
		return err
	}
	rev, err := c.o.Store.Apply(ctx, m.state.Revision, by.Name, changes)
	if errors.Is(err, durward.ErrStale) {
		return err
	}
	if err != nil {
		return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: "The change could not be stored; nothing has changed.", Err: err}
	}
	if err := c.o.Settle(ctx, rev); err != nil {
		return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: "The change is stored but not yet in effect; see the gateway's status.", Err: err}
	}
	return nil
}

// compiles refuses changes that would exclude what is declared elsewhere, or
// that no plan can be made of.
func (c *Control) compiles(m *moment, changes []durward.Change) error {
	merged, _ := snapshot.Merge(m.file, preview(m.state, changes))
	merged.Revision++
	if err := c.o.Check(merged); err != nil {
		return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: fmt.Sprintf("The gateway could not run with this change: %v.", err), Err: err}
	}
	return nil
}

// Revision is the newest stored revision.
func (c *Control) Revision(ctx context.Context, by durward.Actor) (durward.Revision, error) {
	m, err := c.look(ctx, by)
	if err != nil {
		return 0, err
	}
	return m.state.Revision, nil
}

func (m *moment) readOnly(kind, name string) error {
	where := "the configuration file"
	if m.path != "" {
		where = m.path
	}
	return &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonReadOnly, Message: fmt.Sprintf("%s %s is declared in %s; change it there.", kind, name, where)}
}

func missing(kind, name string, known []string) error {
	msg := fmt.Sprintf("There is no %s %q.", kind, name)
	if near := durward.Closest(name, known); near != "" {
		msg += fmt.Sprintf(" Did you mean %q?", near)
	}
	return &durward.Error{Code: durward.NotFound, Reason: durward.ReasonNotFound, Message: msg}
}

func bad(format string, args ...any) error {
	return &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: fmt.Sprintf(format, args...)}
}

func conflict(msg string, cause error) error {
	return &durward.Error{Code: durward.Conflict, Reason: durward.ReasonConflict, Message: msg, Err: cause}
}
