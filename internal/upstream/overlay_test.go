package upstream_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
)

// announcer is a stdio server whose tools are the words of a file, and whose
// processes do what other files of the same folder tell them to.
type announcer struct {
	t   *testing.T
	dir string
}

func newAnnouncer(t *testing.T, tools string, more ...string) announcer {
	a := announcer{t, t.TempDir()}
	a.write("tools", tools)
	for _, name := range more {
		a.write(name, "")
	}
	return a
}

func (a announcer) up() durward.Upstream {
	return durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "announcer", a.dir}, Era: "legacy"}
}

func (a announcer) write(name, text string) {
	a.t.Helper()
	next := filepath.Join(a.dir, name+".next") // a process may be looking
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(a.dir, name)); err != nil {
		a.t.Fatal(err)
	}
}

// change changes the tools, and has the process that was called say so.
func (a announcer) change(tools string) {
	a.write("tools", tools)
	a.write("tell", "")
}

// shown tells what the process that was called showed, each time that it was read.
func (a announcer) shown() []string {
	raw, _ := os.ReadFile(filepath.Join(a.dir, "shown"))
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

func (a announcer) lists(s *upstream.Set, want string) {
	a.t.Helper()
	until(a.t, s, "the list is "+want, func() bool {
		got := strings.Fields(names(s.Listings()[0].Tools))
		slices.Sort(got)
		return strings.Join(got, " ") == want
	})
}

func (a announcer) shows(s *upstream.Set, want string) {
	a.t.Helper()
	until(a.t, s, "the process that was called has shown "+want, func() bool { return slices.Contains(a.shown(), want) })
}

// serveAnnouncer is one process of it.
func serveAnnouncer(dir string) int {
	does := func(name string) bool { // once
		return os.Remove(filepath.Join(dir, name)) == nil
	}
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	var called atomic.Bool
	first := ""
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		m, err := mcpwire.Scan(in.Bytes(), mcpwire.Limits{})
		if err != nil || m.Kind != mcpwire.Request {
			continue
		}
		result := "{}"
		switch m.Method {
		case mcpwire.MethodInitialize:
			if has("refuses") {
				return 3
			}
			result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"announcer","version":"0"}}`
		case mcpwire.MethodToolsList:
			fresh := first == "" && has("constant")
			if first == "" || called.Load() || !has("constant") {
				first = fromFile(filepath.Join(dir, "tools"))
			}
			result = `{"tools":[` + first + `]}`
			switch {
			case called.Load() && does("garbles"):
				result = `{"tools":7}`
			case called.Load():
				keepShown(dir)
			case (fresh || !has("constant")) && does("slow"):
				time.Sleep(time.Second)
			}
		case mcpwire.MethodToolsCall:
			result = `{"content":[]}`
			if !called.Swap(true) {
				go func() {
					for ; ; time.Sleep(time.Millisecond) {
						if does("tell") {
							put(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
						}
					}
				}()
			}
		}
		put(string(mcpwire.AppendResult(nil, m.ID, []byte(result))))
	}
	return 0
}

// keepShown keeps what was shown.
func keepShown(dir string) {
	tools, _ := os.ReadFile(filepath.Join(dir, "tools"))
	f, err := os.OpenFile(filepath.Join(dir, "shown"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(string(tools) + "\n")
	_ = f.Close()
}

// start has an agent's process of the announcer read, as the lists are.
func (a announcer) start(change func(*upstream.Options)) *upstream.Set {
	a.t.Helper()
	s := newSet(a.t, change, a.up())
	if l, err := s.Listing(brief(a.t), "up"); err != nil {
		a.t.Fatalf("Listing = %q %v", names(l.Tools), err)
	}
	call(a.t, s, agent{revision: mcpwire.V20251125, name: "a"}, "go", "{}")
	until(a.t, s, "the process that was called is read", func() bool { return a.shown()[0] != "" })
	return s
}

// What an agent's process says makes us read the lists anew, in our own time.
func TestAReadingThatAProcessBringsAbout(t *testing.T) {
	a := newAnnouncer(t, "a b go")
	s := a.start(func(o *upstream.Options) { o.Overlay(300 * time.Millisecond) })
	a.write("slow", "")
	a.change("b go")
	a.lists(s, "b go")
}

// What an agent's process said while the server could not be started counts
// when it can be.
func TestAWordThatCameWhileTheServerCouldNotBeAsked(t *testing.T) {
	a := newAnnouncer(t, "a b go")
	s := a.start(nil)
	time.Sleep(overlayGap / 2) // so that the next reading falls into the second after the failure
	a.write("refuses", "")
	other := agent{revision: mcpwire.V20251125, name: "b"}
	if _, err := s.Do(brief(t), other.request(t, "up", mcpwire.MethodToolsCall, `{"name":"go","arguments":{}}`), nil); err == nil {
		t.Fatal("a process started that was to fail")
	}
	a.change("b go")
	a.shows(s, "b go")
	if err := os.Remove(filepath.Join(a.dir, "refuses")); err != nil {
		t.Fatal(err)
	}
	a.lists(s, "b go")
}

const overlayGap = time.Second

// Processes are started anew for what an agent's process says only now and
// then; what is owed for that is not forgotten over a reading that fails.
func TestWhatAProcessIsOwed(t *testing.T) {
	t.Parallel()
	a := newAnnouncer(t, "a b c d go", "constant")
	s := a.start(nil)
	a.change("b c d go")
	a.lists(s, "b c d go")
	for _, tools := range []string{"c d go", "d go", "go"} { // one will do, on a machine that is not too slow
		a.change(tools)
		a.shows(s, tools)
		a.write("garbles", "")
		a.lists(s, tools)
		if _, err := os.Stat(filepath.Join(a.dir, "garbles")); err != nil {
			return
		}
	}
	t.Error("the process was never read in vain")
}

// A process may be read before it says that its lists have changed: what it
// says then still counts.
func TestAWordThatComesAfterTheReading(t *testing.T) {
	t.Parallel()
	a := newAnnouncer(t, "a b go", "constant")
	s := a.start(nil)
	a.write("slow", "")
	a.change("b go")
	until(t, s, "a new process has taken its list", func() bool {
		_, err := os.Stat(filepath.Join(a.dir, "slow"))
		return err != nil
	})
	a.write("tools", "go") // and another one is read for the lists that change then
	a.lists(s, "b go")
	a.shows(s, "go")
	a.write("tell", "")
	a.lists(s, "go")
}
