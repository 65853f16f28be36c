package upstream_test

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// until waits for a condition, looking again whenever the set says that
// something changed.
func until(t testing.TB, s *upstream.Set, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-s.Changed():
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func names(items [][]byte) string {
	var out []string
	for _, item := range items {
		n, _ := mcpwire.FieldText(item, "name")
		out = append(out, n)
	}
	return strings.Join(out, " ")
}

func TestAChangedListIsReadAgain(t *testing.T) {
	for _, kind := range []string{"modern", "legacy", "sse"} {
		t.Run(kind, func(t *testing.T) {
			srv := kit()
			s := newSet(t, nil, kinds[kind](t, srv))
			l, err := s.Listing(brief(t), "up")
			if err != nil {
				t.Fatal(err)
			}
			until(t, s, "the new tool is listed", func() bool {
				// Told again until somebody listens: the stream of changes may not stand yet.
				mcp.AddTool(srv, &mcp.Tool{Name: "late"}, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
					return say("x"), nil, nil
				})
				return strings.Contains(names(s.Listings()[0].Tools), "late")
			})
			if g := s.Listings()[0].Generation; g != l.Generation+1 {
				t.Errorf("Generation = %d, want %d", g, l.Generation+1)
			}
		})
	}
}

// A process of an agent that says that its tools changed adds them to what is listed.
func TestAProcessMayHaveToolsOfItsOwn(t *testing.T) {
	for _, sharing := range []string{"", "shared"} {
		t.Run("sharing "+sharing, func(t *testing.T) {
			up := durward.Upstream{Name: "up", Command: durwardtest.Build(t, durwardtest.EverythingServer), Sharing: sharing}
			s := newSet(t, nil, up)
			before, err := s.Listing(brief(t), "up")
			if err != nil {
				t.Fatal(err)
			}
			reply, err := s.Do(brief(t), modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"test_trigger_tool_change","arguments":{}}`), &peer{})
			if err != nil || reply.Error != nil {
				t.Fatalf("Do = %v %v", reply.Error, err)
			}
			_ = before // the tool adds and removes another; that a change was heard shows in a reading
			until(t, s, "the lists are read again", func() bool { return s.Listings()[0].Fetched.After(before.Fetched) })
		})
	}
}

// What a process of one agent says of itself may add names, within bounds and
// as long as it lives, and changes nothing that other agents see.
func TestAProcessRedefinesNothing(t *testing.T) {
	t.Parallel()
	up := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "grows"}, Era: "legacy"}
	s := newSet(t, func(o *upstream.Options) { o.Idle = 4 * time.Second }, up)
	l, err := s.Listing(brief(t), "up")
	if err != nil || names(l.Tools) != "ask" {
		t.Fatalf("Listing = %q %v", names(l.Tools), err)
	}
	was := string(l.Tools[0])
	call(t, s, agent{revision: mcpwire.V20251125, name: "a"}, "ask", "{}")
	until(t, s, "the process has added tools", func() bool { return len(s.Listings()[0].Tools) > 1 })
	first := s.Listings()[0]
	if len(first.Tools) != 101 || string(first.Tools[0]) != was || strings.Contains(names(first.Tools[1:]), "ask") {
		t.Errorf("tools %s, the first is %s; want a hundred more and %s", names(first.Tools), first.Tools[0], was)
	}
	call(t, s, agent{revision: mcpwire.V20251125, name: "b"}, "ask", "{}")
	until(t, s, "the other process is read", func() bool { return s.Listings()[0].Fetched.After(first.Fetched) })
	for i, item := range s.Listings()[0].Tools {
		if i < len(first.Tools) && string(item) != string(first.Tools[i]) {
			t.Errorf("the process of another agent made it %s, want %s", item, first.Tools[i])
			break
		}
	}
	until(t, s, "what was added goes with the processes", func() bool { return names(s.Listings()[0].Tools) == "ask" })
}

// What a process of an agent says is gone is looked for again, by us: tools that
// are gone for everybody go from the list, be it that only that process tells.
func TestWhatAProcessSaysIsGoneGoes(t *testing.T) {
	for _, kind := range []string{"a file", "a file, once"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "tools")
			list := func(names string) {
				if err := os.WriteFile(file, []byte(names), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			list("a b go")
			s := newSet(t, nil, durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", kind, file}, Era: "legacy"})
			if l, err := s.Listing(brief(t), "up"); err != nil || names(l.Tools) != "a b go" {
				t.Fatalf("Listing = %q %v", names(l.Tools), err)
			}
			someone := agent{revision: mcpwire.V20251125, name: "a"}
			call(t, s, someone, "go", "{}")
			for _, now := range []string{"b go new", "go new"} {
				list(now)
				call(t, s, someone, "go", "{}")
				until(t, s, now, func() bool {
					got := strings.Fields(names(s.Listings()[0].Tools))
					slices.Sort(got)
					return strings.Join(got, " ") == now
				})
			}
			if l := s.Listings()[0]; len(l.Varies) > 0 {
				t.Errorf("it is taken for two faces: %+v", l.Varies)
			}
		})
	}
}

func watch(t testing.TB, s *upstream.Set, uris []string, fn func(durward.Event)) (cancel func()) {
	t.Helper()
	cancel, err := s.Watch("up", "a", uris, fn)
	if err != nil {
		t.Fatal(err)
	}
	return cancel
}

func TestWatchersShareOneSubscription(t *testing.T) {
	for _, kind := range []string{"modern", "legacy", "sse"} {
		t.Run(kind, func(t *testing.T) {
			srv := kit()
			s := newSet(t, nil, kinds[kind](t, srv))
			if _, err := s.Listing(brief(t), "up"); err != nil {
				t.Fatal(err)
			}
			var one, two, other atomic.Int32
			cancelOne := watch(t, s, []string{"test://one"}, func(e durward.Event) {
				if strings.Contains(string(e.Params), "subscriptionId") || e.Method != mcpwire.NotifyResourceUpdated {
					t.Errorf("event %s %s", e.Method, e.Params)
				}
				one.Add(1)
			})
			cancelTwo := watch(t, s, []string{"test://one", "test://two"}, func(durward.Event) { two.Add(1) })
			cancelOther := watch(t, s, []string{"test://other"}, func(durward.Event) { other.Add(1) })
			defer cancelOther()
			tell := func() {
				_ = srv.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: "test://one"})
			}
			until(t, s, "both hear", func() bool { tell(); return one.Load() > 0 && two.Load() > 0 })
			cancelOne()
			heard := one.Load()
			at := two.Load()
			until(t, s, "the other still hears", func() bool { tell(); return two.Load() > at+3 })
			if one.Load() > heard+1 {
				t.Errorf("a cancelled watcher heard %d more", one.Load()-heard)
			}
			cancelTwo()
			if other.Load() != 0 {
				t.Errorf("the watcher of another resource heard %d", other.Load())
			}
		})
	}
}

// A dead upstream delays nothing and hides nothing of the others, and comes
// back by itself.
func TestADeadUpstreamIsAlone(t *testing.T) {
	dead := durward.Upstream{Name: "dead", URL: "http://127.0.0.1:1/mcp"}
	missing := durward.Upstream{Name: "missing", Command: "/no/such/program"}
	began := time.Now()
	s := newSet(t, nil, dead, missing, kinds["modern"](t, kit()))
	if took := time.Since(began); took > 5*time.Second { // who waited for one would wait a minute
		t.Errorf("Apply took %v", took)
	}
	if text := call(t, s, modernAgent, "echo", `{"text":"fine"}`); !strings.Contains(text, "fine") {
		t.Errorf("call = %s", text)
	}
	for _, name := range []string{"dead", "missing"} {
		_, err := s.Do(brief(t), modernAgent.request(t, name, mcpwire.MethodToolsCall, `{"name":"x"}`), nil)
		if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamUnavailable || e.Code != durward.Unavailable || e.Err == nil {
			t.Errorf("%s: Do = %v, want upstream_unavailable with its cause", name, err)
		}
		if _, err := s.Listing(brief(t), name); durward.AsError(err).Reason != durward.ReasonUpstreamUnavailable {
			t.Errorf("%s: Listing = %v, want upstream_unavailable", name, err)
		}
	}
	until(t, s, "the healthy one is listed", func() bool { return len(s.Listings()[2].Tools) == 4 })
	for i, want := range []string{"failed", "failed", "ready"} {
		if st := s.Status()[i]; st.State != want || (want == "failed") != (st.Error != "") {
			t.Errorf("Status of %s = %s %q, want %s", st.Name, st.State, st.Error, want)
		}
	}
}

func TestAnUpstreamComesBack(t *testing.T) {
	var down atomic.Bool
	h := streamable(kit(), true)
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "starting", http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	}))
	down.Store(true)
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
	until(t, s, "the failure shows", func() bool { return s.Status()[0].State == "failed" })
	down.Store(false)
	until(t, s, "it is read again", func() bool { l := s.Listings()[0]; return l.Err == nil && len(l.Tools) == 4 })
	if e := s.Status()[0]; e.State != "ready" || e.Era != "modern" {
		t.Errorf("Status = %+v, want ready and modern", e)
	}
}

// Unchanged upstreams keep their connections, those that are gone end.
func TestApplyKeepsWhatDidNotChange(t *testing.T) {
	stays := durward.Upstream{Name: "stays", Command: os.Args[0], Args: []string{"server", "counts"}, Era: "legacy"}
	changes := durward.Upstream{Name: "changes", Command: os.Args[0], Args: []string{"server", "counts"}, Era: "legacy"}
	s := newSet(t, nil, stays, changes)
	count := func(up string) string {
		t.Helper()
		reply, err := s.Do(brief(t), legacyAgent.request(t, up, mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(reply.Result)
	}
	for _, up := range []string{"stays", "changes"} {
		if got := count(up); !strings.Contains(got, `"call 1"`) {
			t.Errorf("%s: %s, want call 1", up, got)
		}
	}
	changes.Env = map[string]string{"X": "1"}
	s.Apply([]durward.Upstream{stays, changes, {Name: "off", URL: "http://127.0.0.1:1", Disabled: true}})
	if got := count("stays"); !strings.Contains(got, `"call 2"`) {
		t.Errorf("stays: %s, want call 2 of the same process", got)
	}
	if got := count("changes"); !strings.Contains(got, `"call 1"`) {
		t.Errorf("changes: %s, want call 1 of a new process", got)
	}
	if st := s.Status()[2]; st.State != "disabled" || len(s.Listings()) != 2 {
		t.Errorf("Status = %+v and %d listings, want disabled and 2", st, len(s.Listings()))
	}
	s.Apply(nil)
	_, err := s.Do(brief(t), legacyAgent.request(t, "stays", mcpwire.MethodToolsCall, `{"name":"ask"}`), nil)
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamUnavailable {
		t.Errorf("Do of what is gone = %v, want upstream_unavailable", err)
	}
}

// Each agent has a process of its own, and so has each promise of capabilities;
// with sharing there is one.
func TestWhoSharesAProcess(t *testing.T) {
	agents := []agent{
		{revision: mcpwire.V20251125, name: "a", session: "1"},
		{revision: mcpwire.V20251125, name: "a", session: "2"},
		{revision: mcpwire.V20251125, name: "b", session: "3"},
		{revision: mcpwire.V20251125, name: "b", session: "3", caps: elicits},
	}
	for sharing, want := range map[string]string{
		"":          "1 2 1 1",
		"principal": "1 2 1 1",
		"session":   "1 1 1 1",
		"shared":    "1 2 3 1",
	} {
		t.Run("sharing "+sharing, func(t *testing.T) {
			s := newSet(t, nil, durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "counts"}, Era: "legacy", Sharing: sharing})
			var got []string
			for _, a := range agents {
				text := call(t, s, a, "ask", "{}")
				_, n, _ := strings.Cut(text, "call ")
				got = append(got, n[:1])
			}
			if strings.Join(got, " ") != want {
				t.Errorf("calls were number %v of their processes, want %s", got, want)
			}
		})
	}
}

func TestProcessesAreBounded(t *testing.T) {
	s := newSet(t, func(o *upstream.Options) { o.Processes = 2 },
		durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "counts"}, Era: "legacy"})
	for _, name := range []string{"a", "b", "c", "a"} {
		a := agent{revision: mcpwire.V20251125, name: name}
		if text := call(t, s, a, "ask", "{}"); !strings.Contains(text, "call 1") {
			t.Errorf("agent %s: %s, want the first call of a process: the idle one made room", name, text)
		}
	}
	block := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "hangs"}, Era: "legacy"}
	s = newSet(t, func(o *upstream.Options) { o.Processes = 2 }, block)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, 2)
	for _, name := range []string{"a", "b"} {
		p := &peer{}
		go func() {
			_, _ = s.Do(ctx, agent{revision: mcpwire.V20251125, name: name}.request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask"}`), p)
			done <- struct{}{}
		}()
		until(t, s, "the call hangs", func() bool { return len(p.of(mcpwire.NotifyMessage)) == 1 })
	}
	_, err := s.Do(brief(t), agent{revision: mcpwire.V20251125, name: "c"}.request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask"}`), nil)
	if e := durward.AsError(err); e.Reason != durward.ReasonOverloaded || e.Retry == 0 {
		t.Errorf("a third = %v, want overloaded and when to come back", err)
	}
	cancel()
	<-done
	<-done
}

// Capabilities and revision are the caller's to choose: an agent that comes
// with many of them uses up its own share and ends its own processes.
func TestAnAgentHasAShareOfTheProcesses(t *testing.T) {
	faces := []agent{
		{revision: mcpwire.V20251125, name: "a"}, {revision: mcpwire.V20250618, name: "a"}, {revision: mcpwire.V20250326, name: "a"},
		{revision: mcpwire.V20251125, name: "a", caps: `{"roots":{}}`}, {revision: mcpwire.V20251125, name: "a", caps: `{"sampling":{}}`},
		{revision: mcpwire.V20251125, name: "a", caps: elicits},
	}
	other := agent{revision: mcpwire.V20251125, name: "b"}
	four := func(o *upstream.Options) { o.Processes = 4 }
	up := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "counts"}, Era: "legacy"}
	s := newSet(t, four, up)
	call(t, s, other, "ask", "{}")
	call(t, s, agent{revision: mcpwire.V20251125, name: "c"}, "ask", "{}")
	for _, a := range faces {
		call(t, s, a, "ask", "{}")
	}
	if text := call(t, s, other, "ask", "{}"); !strings.Contains(text, "call 2") {
		t.Errorf("the other agent: %s, want the second call of its process", text)
	}
	s = newSet(t, four, lanes)
	for _, n := range []int{0, 3} {
		_, end := hang(t, s, faces[n])
		defer func() { _ = end() }()
	}
	for _, n := range []int{1, 4} {
		_, err := s.Do(brief(t), faces[n].request(t, "up", mcpwire.MethodToolsCall, `{"name":"x"}`), nil)
		if e := durward.AsError(err); e.Reason != durward.ReasonOverloaded {
			t.Errorf("a third process of one agent = %v, want overloaded", err)
		}
	}
	if text := call(t, s, other, "x", "{}"); !strings.Contains(text, "pid") {
		t.Errorf("the other agent: %s, want a process of its own", text)
	}
}

func TestTheEraIsRemembered(t *testing.T) {
	for kind, want := range map[string]string{"modern": "modern", "legacy": "legacy", "sse": "sse", "stdio": "modern"} {
		t.Run(kind, func(t *testing.T) {
			var probes atomic.Int32
			up := kinds[kind](t, kit())
			memory := &eras{}
			for run := range 2 {
				s := newSet(t, func(o *upstream.Options) { o.Eras = memory }, up)
				if _, err := s.Listing(brief(t), "up"); err != nil {
					t.Fatalf("run %d: %v", run, err)
				}
				call(t, s, modernAgent, "echo", `{"text":"x"}`)
				if got := memory.only(t); got != want {
					t.Errorf("run %d: remembered %q, want %q", run, got, want)
				}
			}
			_ = probes.Load()
		})
	}
}

// What was remembered wrongly is found out again, whichever way it was wrong.
func TestAWrongMemoryIsMended(t *testing.T) {
	for kind, want := range map[string]string{"modern": "modern", "legacy": "legacy", "sse": "sse", "stdio": "modern"} {
		for _, wrong := range []string{"modern", "legacy", "sse"} {
			if (kind == "stdio" || kind == "modern") && wrong == "legacy" || wrong == want {
				continue // there the SDK's server speaks both
			}
			t.Run(kind+" remembered as "+wrong, func(t *testing.T) {
				memory := &eras{}
				up := kinds[kind](t, kit())
				s := newSet(t, func(o *upstream.Options) { o.Eras = memory }, up)
				call(t, s, modernAgent, "echo", `{"text":"x"}`)
				memory.mu.Lock()
				for key := range memory.m {
					memory.m[key] = wrong
				}
				memory.mu.Unlock()
				s = newSet(t, func(o *upstream.Options) { o.Eras = memory }, up)
				if text := call(t, s, modernAgent, "echo", `{"text":"found"}`); !strings.Contains(text, "found") {
					t.Errorf("call = %s", text)
				}
				if got := memory.only(t); got != want {
					t.Errorf("remembered %q, want %q", got, want)
				}
			})
		}
	}
}

// What a server says on a call's own stream about its lists and resources is
// for the gateway: the caller hears what belongs to its call.
func TestChangesOnACallsOwnStream(t *testing.T) {
	for _, modern := range []bool{true, false} {
		var changed atomic.Bool
		list := script{modern: modern, caps: `{"tools":{},"resources":{"subscribe":true}}`, answer: func(m *mcpwire.Message) string {
			switch {
			case m.Method == mcpwire.MethodSubscribe, m.Method == mcpwire.MethodUnsubscribe:
				return "{}"
			case m.Method != mcpwire.MethodToolsList:
				return ""
			case changed.Load():
				return `{"tools":[` + tool("late") + `]}`
			}
			return `{"tools":[` + tool("early") + `]}`
		}}
		url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			m, _ := mcpwire.Scan(body, mcpwire.Limits{})
			if m.Method != mcpwire.MethodToolsCall {
				r.Body = io.NopCloser(bytes.NewReader(body))
				list.ServeHTTP(w, r)
				return
			}
			changed.Store(true)
			events(w, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
				`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`,
				`{"jsonrpc":"2.0","method":"notifications/odd"}`,
				`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"x"}}`, fine(string(m.ID)))
		}))
		s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
		if _, err := s.Listing(brief(t), "up"); err != nil {
			t.Fatal(err)
		}
		var heard atomic.Int32
		defer watch(t, s, []string{"a:b"}, func(durward.Event) { heard.Add(1) })()
		p := &peer{}
		a := agent{revision: mcpwire.V20251125, name: "a", session: "s"}
		if _, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"early","arguments":{}}`), p); err != nil {
			t.Fatal(err)
		}
		if len(p.notes) != 1 || p.notes[0].method != mcpwire.NotifyMessage {
			t.Errorf("modern %v: the caller heard %v, want the log message alone", modern, p.notes)
		}
		until(t, s, "the list is read again", func() bool { return names(s.Listings()[0].Tools) == "late" })
		until(t, s, "the watcher hears of the update", func() bool { return heard.Load() > 0 })
		if heard.Load() != 1 {
			t.Errorf("modern %v: the watcher heard %d updates, want 1", modern, heard.Load())
		}
	}
}
