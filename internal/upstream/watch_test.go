package upstream_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

func unheard(durward.Event) {}

func resources(agent string, n int) (uris []string) {
	for i := range n {
		uris = append(uris, fmt.Sprintf("%s:%03d", agent, i))
	}
	return uris
}

// A server that is silent when it is asked to subscribe does not hold up the
// reading of its lists, and who watches little does not wait for who watches much.
func TestAServerThatIsSlowToSubscribe(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	var late atomic.Bool
	end := make(chan struct{})
	sc := script{caps: `{"tools":{},"resources":{"subscribe":true}}`, answer: func(m *mcpwire.Message) string {
		switch {
		case m.Method == mcpwire.MethodSubscribe:
			uri, _ := mcpwire.FieldText(m.Params, "uri")
			mu.Lock()
			asked = append(asked, uri)
			mu.Unlock()
			<-end
			return "{}"
		case m.Method == mcpwire.MethodToolsList && late.Load():
			return `{"tools":[` + tool("late") + `]}`
		case m.Method == mcpwire.MethodToolsList:
			return `{"tools":[]}`
		}
		return ""
	}}
	url := serveHTTP(t, sc)
	release := sync.OnceFunc(func() { close(end) })
	t.Cleanup(release)
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: url, Era: "legacy"})
	if _, err := s.Listing(brief(t), "up"); err != nil {
		t.Fatal(err)
	}
	watchFor := func(agent string, n int) {
		t.Helper()
		if _, err := s.Watch("up", agent, resources(agent, n), unheard); err != nil {
			t.Fatal(err)
		}
	}
	seen := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(asked)
	}
	watchFor("a", 500)
	until(t, s, "some are asked for", func() bool { return len(seen()) == 8 })
	watchFor("b", 1)
	late.Store(true)
	s.Refresh("up")
	until(t, s, "the list is read all the same", func() bool { return names(s.Listings()[0].Tools) == "late" })
	if n := len(seen()); n != 8 {
		t.Errorf("%d subscribes at once, want 8", n)
	}
	release()
	until(t, s, "all are asked for", func() bool { return len(seen()) == 501 })
	if at := slices.Index(seen(), "b:000"); at > 100 { // of 501; a slow machine gives the others more turns
		t.Errorf("the only resource of one agent was number %d to be asked for, behind those of another", at)
	}
}

// An agent's share of what is watched is used up by itself alone, and given back.
func TestWhatAnAgentMayWatch(t *testing.T) {
	s := newSet(t, nil, script{modern: true, caps: `{"tools":{}}`, answer: func(*mcpwire.Message) string { return `{"tools":[]}` }}.up(t))
	cancel, err := s.Watch("up", "a", resources("a", 1000), unheard)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(agent, uri string) {
		t.Helper()
		if _, err := s.Watch("up", agent, []string{uri}, unheard); durward.AsError(err).Reason != durward.ReasonOverloaded {
			t.Errorf("Watch for %s = %v, want overloaded", agent, err)
		}
	}
	refused("a", "a:000")
	refused("b", strings.Repeat("x", 4096))
	for _, agent := range []string{"b", "c", "d"} {
		if _, err := s.Watch("up", agent, resources(agent, 1000), unheard); err != nil {
			t.Fatal(err)
		}
	}
	refused("e", "e:000")
	if _, err := s.Watch("up", "e", resources("d", 1000), unheard); err != nil {
		t.Errorf("Watch of what is watched = %v, want no error", err)
	}
	cancel()
	cancel()
	if _, err := s.Watch("up", "a", resources("a", 1000), unheard); err != nil {
		t.Errorf("Watch after the end of others = %v, want no error", err)
	}
}

// The process of an agent is told what that agent watches, and no more.
func TestAnAgentsProcessFollowsItsOwn(t *testing.T) {
	up := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "subscribes"}, Era: "legacy"}
	s := newSet(t, nil, up)
	agents := []agent{{revision: mcpwire.V20251125, name: "a"}, {revision: mcpwire.V20251125, name: "b"}}
	for _, a := range agents {
		call(t, s, a, "ask", "{}")
		if _, err := s.Watch("up", a.name, []string{a.name + ":1"}, unheard); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range agents {
		until(t, s, "the process follows", func() bool { return strings.Contains(call(t, s, a, "ask", "{}"), "follows "+a.name+":1 \"") })
	}
}

// However many processes an agent has, it hears of a change once.
func TestAnUpdateIsToldOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "changed")
	s := newSet(t, nil, durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "tells", file}, Era: "legacy"})
	for n := range 3 { // each has a process of its own
		_, end := hang(t, s, inSession(n))
		defer func() { _ = end() }()
	}
	told := make(chan durward.Event, 100)
	if _, err := s.Watch("up", "a", []string{"test://r"}, func(e durward.Event) { told <- e }); err != nil {
		t.Fatal(err)
	}
	until(t, s, "all of them follow it", func() bool {
		follow, err := filepath.Glob(file + ".*")
		return err == nil && len(follow) >= 3
	})
	at, err := time.Now().Add(300 * time.Millisecond).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".at", at, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".at", file); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-told:
		if string(e.Params) != `{"uri":"test://r"}` {
			t.Errorf("update = %s", e.Params)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody heard of the change")
	}
	time.Sleep(300 * time.Millisecond)
	if n := len(told); n > 1 { // a slow machine may let one come late
		t.Errorf("the change was told %d more times", n)
	}
}

// A server that says again and again that its list has changed is read a few
// times, not each time.
func TestChangesOfAListAreGathered(t *testing.T) {
	s := newSet(t, nil, durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "bursts"}, Era: "legacy", Sharing: "shared"})
	if _, err := s.Listing(brief(t), "up"); err != nil {
		t.Fatal(err)
	}
	for len(s.Changed()) > 0 {
		<-s.Changed()
	}
	for range 3 {
		call(t, s, legacyAgent, "x", "{}")
	}
	last := time.Now()
	until(t, s, "they are read again", func() bool { return s.Listings()[0].Fetched.After(last) && !s.Stale("up") })
	read := 0
	text := call(t, s, legacyAgent, "x", "{}")
	_, n, _ := strings.Cut(text, "read ")
	if _, _ = fmt.Sscan(n, &read); read < 2 || read > 8 { // a slow machine makes more of three moments
		t.Errorf("after 90 changes at three moments: %s; want about once for each moment", text)
	}
}
