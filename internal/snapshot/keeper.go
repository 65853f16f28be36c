// Package snapshot decides which data the gateway runs on.
//
// It merges what the configuration file declares with what the store holds
// into one [durward.Snapshot], numbered by the store's revision, and hands it
// on. It promises that a snapshot that cannot be used leaves the last good one
// in use and is reported, that revisions only grow, and that a revision stands
// for one content of file and store together. It compiles nothing itself.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"durward"
)

// Source is where the stored state comes from and file marks go to.
type Source interface {
	State(ctx context.Context) (*durward.State, error)
	Apply(ctx context.Context, base durward.Revision, by string, changes []durward.Change) (durward.Revision, error)
	Changed() <-chan struct{}
}

// Options are what a [Keeper] needs.
type Options struct {
	Source Source
	// Check says whether a snapshot could be used, without using it.
	Check func(*durward.Snapshot) error
	// Load puts a snapshot into use; an error leaves the old one in use.
	Load func(*durward.Snapshot) error
	// Poll is how often the store is looked at without a wake-up; 10s when zero.
	Poll time.Duration
	Log  *slog.Logger
}

// Keeper keeps the snapshot in use up to date. It is safe for concurrent use.
type Keeper struct {
	o       Options
	current atomic.Pointer[durward.Snapshot]

	mu     sync.Mutex // one change of snapshot at a time; guards the fields below
	file   *durward.Snapshot
	status Status
	stops  []durward.Halt // in force, and not stored
}

// Status is what an operator sees of the snapshot in use.
type Status struct {
	Revision durward.Revision `json:"revision"`
	Since    time.Time        `json:"since,omitzero"`
	File     durward.FileMark `json:"file,omitzero"`
	Clashes  []Clash          `json:"clashes,omitempty"`
	// FileError says why the present content of the file is not in use.
	FileError string `json:"file_error,omitempty"`
	// StateError says why the present state of the store is not in use.
	StateError string `json:"state_error,omitempty"`
}

// New makes a keeper that serves nothing until [Keeper.SetFile] or
// [Keeper.Refresh] succeeds.
func New(o Options) *Keeper {
	if o.Poll <= 0 {
		o.Poll = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{o: o}
}

// Current is the snapshot in use; nil before the first.
func (k *Keeper) Current() *durward.Snapshot { return k.current.Load() }

// File is what the file in use declares; nil without one. It is not to be changed.
func (k *Keeper) File() *durward.Snapshot {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.file
}

// Status tells what is in use and what could not be used.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// SetFile puts a new content of the file called name into use. An error leaves
// everything as it was, except that [Status] tells of it.
func (k *Keeper) SetFile(ctx context.Context, name string, file *durward.Snapshot) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.setFile(ctx, name, file); err != nil {
		k.status.FileError = err.Error()
		return err
	}
	k.status.FileError = ""
	return nil
}

// FileFailed notes that the file could not even be read, for [Status].
func (k *Keeper) FileFailed(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.FileError = err.Error()
}

func (k *Keeper) setFile(ctx context.Context, name string, file *durward.Snapshot) error {
	mark := Mark(name, file)
	for range 5 { // another writer may move the state in between
		state, err := k.o.Source.State(ctx)
		if err != nil {
			return err
		}
		if err := k.tryOut(file, state, mark); err != nil {
			return err
		}
		if state.File != mark {
			err = k.mark(ctx, state, mark)
		}
		if errors.Is(err, durward.ErrStale) {
			continue
		}
		if err != nil {
			return err
		}
		return k.load(file, state)
	}
	return fmt.Errorf("put the file into use: %w", durward.ErrStale)
}

// tryOut refuses a file that does not work with the state, before its mark is made.
func (k *Keeper) tryOut(file *durward.Snapshot, state *durward.State, mark durward.FileMark) error {
	s, _ := Merge(file, state)
	if state.File != mark {
		s.Revision++
	}
	return k.o.Check(s)
}

func (k *Keeper) mark(ctx context.Context, state *durward.State, mark durward.FileMark) error {
	next, err := k.o.Source.Apply(ctx, state.Revision, "file", []durward.Change{{PutFile: &mark}})
	if err != nil {
		return fmt.Errorf("note the file's mark: %w", err)
	}
	state.Revision, state.File = next, mark
	return nil
}

// load puts file and state into use. k.mu is held.
func (k *Keeper) load(file *durward.Snapshot, state *durward.State) error {
	s, clashes := Merge(file, state)
	s.Halts = k.withStops(s.Halts)
	if err := k.o.Load(s); err != nil {
		return err
	}
	k.file = file
	k.current.Store(s)
	k.status = Status{Revision: s.Revision, Since: time.Now().UTC(), File: state.File, Clashes: clashes, FileError: k.status.FileError}
	for _, c := range clashes {
		k.o.Log.Warn("stored state is not in use", "kind", c.Kind, "name", c.Name, "why", c.Text)
	}
	k.o.Log.Info("state in use", "revision", uint64(s.Revision), "agents", len(s.Agents), "upstreams", len(s.Upstreams))
	return nil
}

// Refresh puts the present state of the store into use. An error leaves the
// last good one in use.
func (k *Keeper) Refresh(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.refresh(ctx)
	if err == nil {
		k.status.StateError = ""
		return nil
	}
	if k.status.StateError != err.Error() {
		k.o.Log.Error("stored state cannot be used, the last good one stays", "err", err)
	}
	k.status.StateError = err.Error()
	return err
}

func (k *Keeper) refresh(ctx context.Context) error {
	state, err := k.o.Source.State(ctx)
	if err != nil {
		return err
	}
	if now := k.current.Load(); now != nil && now.Revision == state.Revision {
		return nil
	}
	return k.load(k.file, state)
}

// Run follows the store until ctx is done.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.o.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.o.Source.Changed():
		case <-tick.C:
			_ = k.StoreStops(ctx) // who stopped was told; the next tick tries again
		}
		_ = k.Refresh(ctx) // reported by Status and log; the next change tries again
	}
}

// Settle puts revision into use, or says why it is not.
func (k *Keeper) Settle(ctx context.Context, revision durward.Revision) error {
	if s := k.Current(); s != nil && s.Revision >= revision {
		return nil
	}
	if err := k.Refresh(ctx); err != nil {
		return fmt.Errorf("revision %d is stored but not in use: %w", revision, err)
	}
	return nil
}
