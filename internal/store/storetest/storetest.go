// Package storetest is the contract of a store as a test suite, so that every
// database behind the gateway keeps the same promises.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"durward"
)

// Store is what the gateway asks of a store.
type Store interface {
	State(ctx context.Context) (*durward.State, error)
	Apply(ctx context.Context, base durward.Revision, by string, changes []durward.Change) (durward.Revision, error)
	Changed() <-chan struct{}
	Pepper() []byte
	Era(key string) (string, bool)
	SetEra(key, era string)
	Close() error
}

// Run tests a kind of store. open opens the database that belongs to dir,
// creating it when it is new.
func Run(t *testing.T, open func(t *testing.T, dir string) Store) {
	for name, test := range map[string]func(*testing.T, func() Store){
		"a new store is empty at revision 0":        testEmpty,
		"changes come back as they were made":       testRoundTrip,
		"a set of changes is all or nothing":        testAllOrNothing,
		"a stale base is refused":                   testStale,
		"of two writers with one base one wins":     testRace,
		"deleting an agent takes its keys along":    testDeleteAgent,
		"state, pepper and eras survive a reopen":   testReopen,
		"a change wakes the watcher once":           testChanged,
		"a context that is done changes nothing":    testContext,
		"what was returned is the caller's to keep": testCopies,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test(t, func() Store { return open(t, dir) })
		})
	}
}

func agent(name string) durward.Change {
	return durward.Change{PutAgent: &durward.Agent{Name: name, Roles: []string{"r"}, Origin: durward.FromStore}}
}

func mustApply(t *testing.T, s Store, changes ...durward.Change) durward.Revision {
	t.Helper()
	rev, err := s.Apply(t.Context(), mustState(t, s).Revision, "test", changes)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return rev
}

func mustState(t *testing.T, s Store) *durward.State {
	t.Helper()
	state, err := s.State(t.Context())
	if err != nil {
		t.Fatalf("State: %v", err)
	}
	return state
}

func closing(t *testing.T, s Store) Store {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func testEmpty(t *testing.T, open func() Store) {
	s := closing(t, open())
	if got := mustState(t, s); !reflect.DeepEqual(got, &durward.State{}) {
		t.Errorf("State = %+v, want empty", got)
	}
	if len(s.Pepper()) != 32 || string(s.Pepper()) == string(make([]byte, 32)) {
		t.Errorf("Pepper is not 32 random bytes")
	}
	if _, ok := s.Era("x"); ok {
		t.Errorf("a new store remembers an era")
	}
}

func testRoundTrip(t *testing.T, open func() Store) {
	s := closing(t, open())
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	want := &durward.State{
		Revision: 1,
		Agents:   []durward.Agent{{Name: "a", Roles: []string{"r", "s"}, Origin: durward.FromStore}, {Name: "b", Disabled: true, Origin: durward.FromStore}},
		Keys:     []durward.Key{{ID: "k_1", Agent: "a", Hash: [32]byte{1, 255}, Hint: "abcd", Created: at, Expires: at.Add(time.Hour), Origin: durward.FromStore}, {ID: "k_2", Admin: true, Created: at, Revoked: at, Origin: durward.FromStore}},
		Roles:    []durward.Role{{Name: "r", Allow: []string{"x__*"}, Deny: []string{"x__y"}}},
		Upstreams: []durward.Upstream{
			{Name: "x", Command: "npx", Args: []string{"-y", "é\"\\"}, Env: map[string]string{"A": "b"}, Timeout: time.Minute, Origin: durward.FromStore},
			{Name: "y", URL: "https://y.example/mcp?a=b&c=<d>", Headers: map[string]string{"Authorization": "Bearer z"}, Origin: durward.FromStore},
		},
		File: durward.FileMark{Name: "durward.yaml", Digest: "ab"},
	}
	changes := []durward.Change{{PutFile: &want.File}}
	for i := range want.Agents { // each pair in reverse: lists come back in order of names
		n := len(want.Agents) - 1 - i
		changes = append(changes, durward.Change{PutAgent: &want.Agents[n]}, durward.Change{PutKey: &want.Keys[n]}, durward.Change{PutUpstream: &want.Upstreams[n]})
	}
	mustApply(t, s, append(changes, durward.Change{PutRole: &want.Roles[0]})...)
	if got := mustState(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("State = %+v\nwant    %+v", got, want)
	}
	mustApply(t, s, durward.Change{DeleteRole: "r"}, durward.Change{DeleteUpstream: "x"}, durward.Change{DeleteAgent: "b"}, durward.Change{DeleteKey: "k_1"})
	got := mustState(t, s)
	if got.Revision != 2 || len(got.Keys) != 1 || len(got.Roles) != 0 || len(got.Upstreams) != 1 || len(got.Agents) != 1 {
		t.Errorf("State after deletes = %+v", got)
	}
}

func testAllOrNothing(t *testing.T, open func() Store) {
	s := closing(t, open())
	mustApply(t, s, agent("kept"))
	before := mustState(t, s)
	for name, changes := range map[string][]durward.Change{
		"nothing":            nil,
		"an empty change":    {agent("lost"), {}},
		"two edits in one":   {agent("lost"), {DeleteAgent: "kept", DeleteRole: "x"}},
		"a name that is ''":  {agent("lost"), agent("")},
		"a value too large":  {agent("lost"), {PutRole: &durward.Role{Name: "big", Allow: []string{string(make([]byte, 1<<20))}}}},
		"a name far too big": {{DeleteAgent: "kept"}, agent(string(make([]byte, 300)))},
	} {
		if rev, err := s.Apply(t.Context(), before.Revision, "test", changes); err == nil {
			t.Errorf("Apply of %s = %d, want an error", name, rev)
		}
		if got := mustState(t, s); !reflect.DeepEqual(got, before) {
			t.Fatalf("Apply of %s left %+v, want %+v", name, got, before)
		}
	}
}

func testStale(t *testing.T, open func() Store) {
	s := closing(t, open())
	mustApply(t, s, agent("a"))
	for _, base := range []durward.Revision{0, 2, 1 << 60} {
		if _, err := s.Apply(t.Context(), base, "test", []durward.Change{agent("b")}); !errors.Is(err, durward.ErrStale) {
			t.Errorf("Apply on base %d = %v, want ErrStale", base, err)
		}
	}
	if got := mustState(t, s); got.Revision != 1 || len(got.Agents) != 1 {
		t.Errorf("State = %+v, want revision 1 with one agent", got)
	}
}

func testRace(t *testing.T, open func() Store) {
	s := closing(t, open())
	const writers = 8
	var wg sync.WaitGroup
	won := make(chan string, writers)
	for i := range writers {
		wg.Go(func() {
			name := fmt.Sprintf("a%d", i)
			_, err := s.Apply(t.Context(), 0, name, []durward.Change{agent(name)})
			if err == nil {
				won <- name
			} else if !errors.Is(err, durward.ErrStale) {
				t.Errorf("Apply = %v, want ErrStale", err)
			}
		})
	}
	wg.Wait()
	got := mustState(t, s)
	if len(won) != 1 || len(got.Agents) != 1 || got.Agents[0].Name != <-won {
		t.Errorf("%d writers won, state %+v; want exactly one", len(won), got)
	}
}

func testDeleteAgent(t *testing.T, open func() Store) {
	s := closing(t, open())
	mustApply(t, s, agent("a"), agent("b"),
		durward.Change{PutKey: &durward.Key{ID: "k_1", Agent: "a"}},
		durward.Change{PutKey: &durward.Key{ID: "k_2", Agent: "b"}},
		durward.Change{PutKey: &durward.Key{ID: "k_3", Admin: true}})
	mustApply(t, s, durward.Change{DeleteAgent: "a"})
	got := mustState(t, s)
	if len(got.Agents) != 1 || len(got.Keys) != 2 || got.Keys[0].ID != "k_2" || got.Keys[1].ID != "k_3" {
		t.Errorf("State = %+v, want agent b and keys k_2, k_3", got)
	}
}

func testReopen(t *testing.T, open func() Store) {
	s := open()
	mustApply(t, s, agent("a"))
	s.SetEra("https://x", "modern")
	s.SetEra("https://y", "legacy")
	s.SetEra("https://y", "")
	pepper, state := s.Pepper(), mustState(t, s)
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	s = closing(t, open())
	if got := mustState(t, s); !reflect.DeepEqual(got, state) {
		t.Errorf("State after reopen = %+v, want %+v", got, state)
	}
	if string(s.Pepper()) != string(pepper) {
		t.Errorf("the pepper changed")
	}
	if era, ok := s.Era("https://x"); !ok || era != "modern" {
		t.Errorf("Era(x) = %q, %v, want modern", era, ok)
	}
	if era, ok := s.Era("https://y"); ok {
		t.Errorf("Era(y) = %q, want forgotten", era)
	}
}

func testChanged(t *testing.T, open func() Store) {
	s := closing(t, open())
	mustApply(t, s, agent("a"))
	mustApply(t, s, agent("b"))
	select {
	case <-s.Changed():
	default:
		t.Fatal("Changed did not wake up after Apply")
	}
	select {
	case <-s.Changed():
		t.Error("Changed woke up twice")
	default:
	}
}

func testContext(t *testing.T, open func() Store) {
	s := closing(t, open())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Apply(ctx, 0, "test", []durward.Change{agent("a")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v, want context.Canceled", err)
	}
	if _, err := s.State(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("State = %v, want context.Canceled", err)
	}
	if got := mustState(t, s); got.Revision != 0 {
		t.Errorf("revision = %d, want 0", got.Revision)
	}
}

func testCopies(t *testing.T, open func() Store) {
	s := closing(t, open())
	mustApply(t, s, agent("a"), agent("b"))
	pepper := string(s.Pepper())
	clear(s.Pepper())
	mine := mustState(t, s)
	mine.Agents[0].Name, mine.Revision = "changed", 9
	mine.Agents = append(mine.Agents[:1], durward.Agent{Name: "another"})
	if got := mustState(t, s); got.Agents[0].Name != "a" || got.Agents[1].Name != "b" || got.Revision != 1 {
		t.Errorf("a caller changed the store: %+v", got)
	}
	if string(s.Pepper()) != pepper {
		t.Errorf("a caller changed the pepper")
	}
}
