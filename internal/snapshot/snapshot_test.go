package snapshot_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/durwardtest"
	"durward/internal/snapshot"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

// source is a store in memory.
type source struct {
	mu      sync.Mutex
	state   durward.State
	fail    error
	stale   int // this many Apply calls find the state moved on
	changed chan struct{}
}

func newSource() *source { return &source{changed: make(chan struct{}, 1)} }

func (s *source) State(context.Context) (*durward.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	out := s.state
	return &out, nil
}

func (s *source) Apply(_ context.Context, base durward.Revision, _ string, changes []durward.Change) (durward.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale > 0 {
		s.stale--
		s.state.Revision++
		return 0, durward.ErrStale
	}
	if base != s.state.Revision {
		return 0, durward.ErrStale
	}
	s.state.Revision++
	for _, c := range changes {
		if c.PutFile != nil {
			s.state.File = *c.PutFile
		}
	}
	return s.state.Revision, nil
}

func (s *source) Changed() <-chan struct{} { return s.changed }

func (s *source) add(u durward.Upstream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Revision++
	s.state.Upstreams = append(s.state.Upstreams, u)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// plane is a data plane that refuses an upstream called bad.
type plane struct {
	mu     sync.Mutex
	loaded []*durward.Snapshot
}

func (p *plane) check(s *durward.Snapshot) error {
	for _, u := range s.Upstreams {
		if u.Name == "bad" {
			return errors.New("bad does not compile")
		}
	}
	return nil
}

func (p *plane) load(s *durward.Snapshot) error {
	if err := p.check(s); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded = append(p.loaded, s)
	return nil
}

func keeper(s *source, p *plane) *snapshot.Keeper {
	return snapshot.New(snapshot.Options{Source: s, Check: p.check, Load: p.load, Log: slog.New(slog.DiscardHandler)})
}

func fileWith(names ...string) *durward.Snapshot {
	out := &durward.Snapshot{Arguments: "report"}
	for _, n := range names {
		out.Upstreams = append(out.Upstreams, durward.Upstream{Name: n, URL: "http://x", Origin: durward.FromFile})
	}
	return out
}

func names(s *durward.Snapshot) (out []string) {
	for _, u := range s.Upstreams {
		out = append(out, u.Name)
	}
	return out
}

func TestMergeLetsTheFileWin(t *testing.T) {
	file := &durward.Snapshot{
		Agents:    []durward.Agent{{Name: "bot"}, {Name: "open", Anonymous: true}},
		Keys:      []durward.Key{{ID: "f_1", Agent: "bot", Hash: [32]byte{1}}},
		Roles:     []durward.Role{{Name: "r", Allow: []string{"file"}}},
		Upstreams: []durward.Upstream{{Name: "crm"}},
		Arguments: "report", Record: "full", Reads: "durable",
	}
	state := &durward.State{
		Revision:  7,
		Agents:    []durward.Agent{{Name: "BOT"}, {Name: "another", Anonymous: true}, {Name: "kept"}},
		Keys:      []durward.Key{{ID: "k_1", Agent: "bot", Hash: [32]byte{1}}, {ID: "k_2", Agent: "bot", Hash: [32]byte{2}}},
		Roles:     []durward.Role{{Name: "r", Allow: []string{"store"}}, {Name: "a"}},
		Upstreams: []durward.Upstream{{Name: "Crm"}, {Name: "crm_"}, {Name: "aaa"}},
	}
	before := *state
	got, clashes := snapshot.Merge(file, state)
	want := &durward.Snapshot{
		Revision:  7,
		Agents:    []durward.Agent{{Name: "bot"}, {Name: "kept"}, {Name: "open", Anonymous: true}},
		Keys:      []durward.Key{{ID: "f_1", Agent: "bot", Hash: [32]byte{1}}, {ID: "k_2", Agent: "bot", Hash: [32]byte{2}}},
		Roles:     []durward.Role{{Name: "a"}, {Name: "r", Allow: []string{"file"}}},
		Upstreams: []durward.Upstream{{Name: "aaa"}, {Name: "crm"}},
		Arguments: "report", Record: "full", Reads: "durable",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Merge = %+v\nwant    %+v", got, want)
	}
	var clashed []string
	for _, c := range clashes {
		clashed = append(clashed, c.Kind+" "+c.Name)
	}
	if want := []string{"agent BOT", "agent another", "key k_1", "role r", "upstream Crm", "upstream crm_"}; !reflect.DeepEqual(clashed, want) {
		t.Errorf("clashes = %q, want %q", clashed, want)
	}
	if !reflect.DeepEqual(*state, before) || len(file.Upstreams) != 1 {
		t.Error("Merge changed what it was given")
	}
	if s, _ := snapshot.Merge(nil, state); s.Revision != 7 || len(s.Upstreams) != 3 {
		t.Errorf("Merge without a file = %+v", s)
	}
}

func TestMarkTellsWhatIsDeclared(t *testing.T) {
	a, b := snapshot.Mark("durward.yaml", fileWith("a")), snapshot.Mark("durward.yaml", fileWith("b"))
	if a == b || a != snapshot.Mark("durward.yaml", fileWith("a")) || a.Name != "durward.yaml" {
		t.Errorf("marks %+v and %+v", a, b)
	}
	if snapshot.Mark("x", nil) != (durward.FileMark{}) {
		t.Error("no file has a mark")
	}
}

func TestEachContentOfTheFileHasARevision(t *testing.T) {
	s, p := newSource(), &plane{}
	k := keeper(s, p)
	for i, step := range []struct {
		file *durward.Snapshot
		want durward.Revision
	}{{fileWith("a"), 1}, {fileWith("a"), 1}, {fileWith("b"), 2}, {fileWith("a"), 3}, {nil, 4}} {
		if err := k.SetFile(t.Context(), "durward.yaml", step.file); err != nil {
			t.Fatal(err)
		}
		if got := k.Current().Revision; got != step.want || k.Status().Revision != step.want {
			t.Errorf("step %d: revision %d, want %d", i, got, step.want)
		}
	}
	again := keeper(s, p)
	if err := again.SetFile(t.Context(), "", nil); err != nil || again.Current().Revision != 4 {
		t.Errorf("a restart with the same file: revision %d, %v, want 4", again.Current().Revision, err)
	}
}

func TestABadFileLeavesTheOldOne(t *testing.T) {
	s, p := newSource(), &plane{}
	k := keeper(s, p)
	if err := k.SetFile(t.Context(), "durward.yaml", fileWith("a")); err != nil {
		t.Fatal(err)
	}
	before := k.Current()
	if err := k.SetFile(t.Context(), "durward.yaml", fileWith("bad")); err == nil {
		t.Fatal("a file that does not compile was taken")
	}
	if k.Current() != before || k.Status().FileError != "bad does not compile" || s.state.Revision != 1 || k.File().Upstreams[0].Name != "a" {
		t.Errorf("status = %+v, state %+v", k.Status(), s.state)
	}
	s.add(durward.Upstream{Name: "new"})
	if err := k.Refresh(t.Context()); err != nil || !reflect.DeepEqual(names(k.Current()), []string{"a", "new"}) {
		t.Errorf("a change of the store after a bad file: %v, %v", names(k.Current()), err)
	}
	if k.Status().FileError == "" {
		t.Error("the file's error was forgotten while the file is still bad")
	}
	k.FileFailed(errors.New("cannot be read"))
	if k.Status().FileError != "cannot be read" {
		t.Errorf("status = %+v", k.Status())
	}
	if err := k.SetFile(t.Context(), "durward.yaml", fileWith("b")); err != nil || k.Status().FileError != "" {
		t.Errorf("a good file: %v, status %+v", err, k.Status())
	}
}

func TestAFileIsTriedAgainWhenTheStateMoves(t *testing.T) {
	s, p := newSource(), &plane{}
	s.stale = 2
	k := keeper(s, p)
	if err := k.SetFile(t.Context(), "durward.yaml", fileWith("a")); err != nil || k.Current().Revision != 3 {
		t.Errorf("SetFile = %v, revision %v", err, k.Current())
	}
	s.stale = 100
	if err := k.SetFile(t.Context(), "durward.yaml", fileWith("b")); !errors.Is(err, durward.ErrStale) {
		t.Errorf("SetFile on a state that never rests = %v", err)
	}
}

func TestABadStateLeavesTheLastGoodOne(t *testing.T) {
	s, p := newSource(), &plane{}
	k := keeper(s, p)
	if err := k.SetFile(t.Context(), "durward.yaml", fileWith("a")); err != nil {
		t.Fatal(err)
	}
	s.add(durward.Upstream{Name: "bad"})
	if err := k.Settle(t.Context(), 2); err == nil || k.Current().Revision != 1 || k.Status().StateError == "" {
		t.Errorf("Settle = %v, status %+v", err, k.Status())
	}
	s.mu.Lock()
	s.state.Revision, s.state.Upstreams = 3, nil
	s.mu.Unlock()
	if err := k.Settle(t.Context(), 3); err != nil || k.Current().Revision != 3 || k.Status().StateError != "" {
		t.Errorf("Settle = %v, status %+v", err, k.Status())
	}
	s.fail = errors.New("disk is gone")
	if err := k.Refresh(t.Context()); err == nil || k.Current().Revision != 3 || k.Status().StateError != "disk is gone" {
		t.Errorf("Refresh = %v, status %+v", err, k.Status())
	}
	if err := k.Settle(t.Context(), 3); err != nil {
		t.Errorf("Settle of what is in use = %v", err)
	}
}

func TestRunFollowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newSource(), &plane{}
		k := keeper(s, p)
		if err := k.SetFile(t.Context(), "durward.yaml", fileWith("a")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Run(ctx) }()
		s.add(durward.Upstream{Name: "b"})
		synctest.Wait()
		if got := names(k.Current()); !reflect.DeepEqual(got, []string{"a", "b"}) {
			t.Errorf("after a wake-up: %v", got)
		}
		s.mu.Lock() // a change that wakes nobody
		s.state.Revision++
		s.state.Upstreams = append(s.state.Upstreams, durward.Upstream{Name: "c"})
		s.mu.Unlock()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := names(k.Current()); !reflect.DeepEqual(got, []string{"a", "b", "c"}) {
			t.Errorf("without a wake-up: %v", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestRevisionsOnlyGrow(t *testing.T) {
	s, p := newSource(), &plane{}
	k := keeper(s, p)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range 50 {
				if i%2 == 0 {
					_ = k.SetFile(t.Context(), "durward.yaml", fileWith(string(rune('a'+i))))
				} else {
					s.add(durward.Upstream{Name: "x"})
					_ = k.Refresh(t.Context())
				}
			}
		})
	}
	group.Wait()
	for i := 1; i < len(p.loaded); i++ {
		if p.loaded[i].Revision < p.loaded[i-1].Revision {
			t.Fatalf("revision %d came after %d", p.loaded[i].Revision, p.loaded[i-1].Revision)
		}
	}
}
