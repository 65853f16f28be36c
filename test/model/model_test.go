package model

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"durward/internal/boot"
	"durward/internal/durwardtest"
	"durward/internal/durwardtest/inside"
)

// The test binary is also a server over stdio, and the watchdog over it.
func TestMain(m *testing.M) {
	if boot.Watchdog(os.Args) {
		return
	}
	if revision := os.Getenv(envServer); revision != "" {
		if err := serveLines(revision); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(durwardtest.Main(m))
}

// gateway starts one before a server, whose entry is YAML.
func gateway(t *testing.T, server string) *boot.Gateway {
	t.Helper()
	return inside.Gateway(t, fmt.Sprintf("upstreams: {fixture: {%s, prefix: none}}\nagents: {model: {anonymous: true, roles: [all]}}\nroles: {all: {allow: ['*']}}\n"+
		"guard: {rules: {result.split: observe}}\n", server)) // random marks, read together, may look like orders that were cut up
}

// route is a way from a client to a server.
type route struct {
	name   string
	server string // revision: "2026-07-28" or the newest with sessions that it speaks
	over   string // transport to the server
	hops   int    // gateways
}

var routes = []route{
	{"to a newer server", "2026-07-28", "http", 1},
	{"to an older server", "2025-11-25", "http", 1},
	{"to a still older server", "2025-06-18", "http", 1},
	{"to an old server", "2025-03-26", "http", 1},
	{"to the oldest server", "2024-11-05", "sse", 1},
	{"to a newer process", "2026-07-28", "stdio", 1},
	{"to an older process", "2025-11-25", "stdio", 1},
	{"to an older server, through two gateways", "2025-11-25", "http", 2},
	{"to a newer server, through two gateways", "2026-07-28", "http", 2},
}

// lay builds a route, with a recorder on each of its lines but the client's.
func (r route) lay(t *testing.T) (saw *stage, g *boot.Gateway, wire *durwardtest.Wire) {
	t.Helper()
	wire = durwardtest.NewWire(t)
	saw = newStage()
	switch {
	case r.over == "stdio":
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		command := wire.Stdio(t, "gateway to "+r.server, self)
		entry := fmt.Sprintf("command: %q, env: {%s: %q, %s: %q}", command[0], envServer, r.server, envReport, reports(t, saw))
		if len(command) > 1 {
			args, err := json.Marshal(command[1:])
			if err != nil {
				t.Fatal(err)
			}
			entry += ", args: " + string(args)
		}
		return saw, gateway(t, entry), wire
	case r.server == "2026-07-28":
		return saw, r.chain(t, wire, newNewer(t, saw)), wire
	}
	at := newOlder(t, saw, r.server)
	if r.over == "sse" {
		at = strings.TrimSuffix(at, "/mcp") + "/sse"
	}
	return saw, r.chain(t, wire, at), wire
}

// chain puts gateways before a server, and returns the first on the way.
func (r route) chain(t *testing.T, wire *durwardtest.Wire, at string) (g *boot.Gateway) {
	t.Helper()
	for i := range r.hops {
		g = gateway(t, fmt.Sprintf("url: %q", wire.HTTP(t, fmt.Sprintf("gateway %d to %s", i, r.server), at)))
		at = g.DataURL() + "/mcp/fixture"
	}
	return g
}

// scripts are what a client can have played on a route.
func (r route) scripts(c *client, next int) *scripts {
	s := &scripts{Rand: rand.New(rand.NewPCG(c.rand.Uint64(), 1)), next: next, kinds: c.kinds(), refuse: !c.modern()}
	least := &client{revision: min(r.server, c.revision)}
	s.kinds = least.kinds()
	return s
}

// speaker is a kind of client.
type speaker struct{ revision, over string }

var speakers = []speaker{
	{"2024-11-05", "sse"}, {"2025-03-26", "http"}, {"2025-06-18", "http"}, {"2025-11-25", "http"}, {"2026-07-28", "http"},
	{"2025-06-18", "stdio"}, {"2025-11-25", "stdio"}, {"2026-07-28", "stdio"},
}

func (s speaker) String() string { return s.revision + " over " + s.over }

// connect makes a client of a gateway. at is where its Streamable HTTP is.
func (s speaker) connect(t *testing.T, g *boot.Gateway, at string, start uint64, c *client) *client {
	t.Helper()
	c.t, c.url, c.revision = t, at, s.revision
	c.rand = rand.New(rand.NewPCG(start, uint64(len(s.over))+uint64(s.revision[3])))
	switch s.over {
	case "sse":
		c.line = sse(t, g.DataURL())
	case "stdio":
		c.line = pipe(t, g)
	}
	t.Cleanup(c.work.Wait)
	c.connect()
	return c
}

// patience is how long a conversation waits for what has to happen.
const patience = time.Minute

// seed is new each time, unless SEED says which.
func seed(t *testing.T) uint64 {
	n, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	if err != nil {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("SEED=%d", n)
	return n
}

// rounds is how many scripts each of the speakers of a cell has: ROUNDS, or few.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("ROUNDS")); err == nil {
		return n
	}
	return 6
}

// TestConversations: every kind of client to every kind of server.
func TestConversations(t *testing.T) {
	start := seed(t)
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			saw, g, wire := r.lay(t)
			at := wire.HTTP(t, "client to gateway", g.DataURL()+"/mcp/fixture")
			next := 0
			for i, s := range speakers {
				t.Run(s.String(), func(t *testing.T) {
					c := &client{}
					if i%2 == 0 {
						c.level = "notice"
					}
					talk(t, s.connect(t, g, at, start, c), saw, r, &next)
				})
			}
		})
	}
}

// TestBrokenStreams: clients with sessions lose their connections again and
// again, and hear everything once all the same.
func TestBrokenStreams(t *testing.T) {
	start := seed(t)
	for _, r := range routes[:2] {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			saw, g, _ := r.lay(t)
			next := 0
			for _, s := range speakers[1:4] {
				t.Run(s.String(), func(t *testing.T) {
					talk(t, s.connect(t, g, g.DataURL()+"/mcp/fixture", start, &client{breaks: true}), saw, r, &next)
				})
			}
		})
	}
}

// TestCancelled: what a client gives up ends at the server, whatever eras lie
// between, and what it calls next is not affected.
func TestCancelled(t *testing.T) {
	start := seed(t)
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			saw, g, _ := r.lay(t)
			next := 0
			for _, s := range speakers {
				t.Run(s.String(), func(t *testing.T) {
					c := s.connect(t, g, g.DataURL()+"/mcp/fixture", start, &client{})
					scripts := r.scripts(c, next)
					for range rounds() {
						cancelled(t, c, saw, scripts)
					}
					next = scripts.next
					talk(t, c, saw, r, &next)
				})
			}
		})
	}
}

// TestMute: who declared nothing is asked nothing, whatever the server tries,
// and the call ends one way or the other.
func TestMute(t *testing.T) {
	start := seed(t)
	for _, r := range routes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			saw, g, _ := r.lay(t)
			next := 0
			for _, s := range speakers {
				t.Run(s.String(), func(t *testing.T) {
					c := s.connect(t, g, g.DataURL()+"/mcp/fixture", start, &client{mute: true})
					for _, kind := range r.scripts(c, 0).kinds {
						next++
						sc := script{ID: next, Number: "1", Steps: []step{{Progress: next}, {Ask: []question{{kind, next*13 + 1}}}}}
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						h, err := c.play(ctx, sc)
						cancel()
						if got := saw.until(sc.ID, func(g sighting) bool { return g.Calls > 0 }); err != nil || len(h.Asked) > 0 || len(got.Answers) > 0 || got.Calls != 1 {
							t.Errorf("%s: %v\n\theard %+v\n\tsaw %+v", show(sc), err, h, got)
						}
					}
				})
			}
		})
	}
}

// cancelled has a script played that hangs, and gives it up.
func cancelled(t *testing.T, c *client, saw *stage, s *scripts) {
	t.Helper()
	sc := s.script()
	for _, st := range sc.Steps {
		for i := range st.Ask {
			st.Ask[i] = question{roots, 0} // which nobody refuses
		}
		st.Ask = slices.Compact(st.Ask)
	}
	sc.Steps = append(slices.DeleteFunc(sc.Steps, func(st step) bool { return len(st.Ask) > 1 }), step{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c.work.Go(func() {
		if g := saw.until(sc.ID, func(g sighting) bool { return g.Hangs || ctx.Err() != nil }); g.Hangs {
			c.cancel(cancel)
		}
	})
	h, err := c.play(ctx, sc)
	if got := saw.until(sc.ID, func(g sighting) bool { return g.Cancelled }); !got.Cancelled || got.Calls != 1 || got.Ended {
		t.Fatalf("%s: the server saw %+v; the client: %v, heard %+v", show(sc), got, err, h)
	}
}

// talk has scripts played side by side and compares what both ends saw.
func talk(t *testing.T, c *client, saw *stage, r route, next *int) {
	s := r.scripts(c, *next)
	var sum heard
	var mu sync.Mutex
	defer func() {
		t.Logf("%d questions, %d of them refused, %d reports, %d log messages, %d times come back", len(sum.Asked), len(sum.Refused), len(sum.Progress), len(sum.Logs), sum.Resumed)
	}()
	var group sync.WaitGroup
	sides := 4
	if c.line != nil {
		sides = 1 // see duplex
	}
	for range sides {
		var mine []script
		for range rounds() {
			mine = append(mine, s.script())
		}
		group.Go(func() {
			for _, sc := range mine {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				h, err := c.play(ctx, sc)
				cancel()
				if err != nil {
					t.Errorf("%s: %v\n\theard %+v\n\tsaw %+v", show(sc), err, h, saw.of(sc.ID))
					continue
				}
				// What a server elsewhere saw may come after the answer.
				agree(t, c, r, sc, h, saw.until(sc.ID, func(g sighting) bool { return g.Ended || g.Calls > 0 && h.Err != nil }))
				mu.Lock()
				sum.Asked, sum.Refused, sum.Resumed = append(sum.Asked, h.Asked...), append(sum.Refused, h.Refused...), sum.Resumed+h.Resumed
				sum.Progress, sum.Logs = append(sum.Progress, h.Progress...), append(sum.Logs, h.Logs...)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	*next = s.next
}

func show(sc script) string {
	raw, err := json.Marshal(sc)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// agree compares what a client heard and what the server saw of a script.
func agree(t *testing.T, c *client, r route, sc script, h heard, saw sighting) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s\n\t%s\n\theard %+v\n\tsaw %+v", fmt.Sprintf(format, args...), show(sc), h, saw)
	}
	if saw.Calls != 1 {
		fail("the server was called %d times", saw.Calls)
	}
	crossed := !c.modern() && (r.server == "2026-07-28" || r.hops > 1)
	if crossed && refusedSampling(h) {
		if h.Err == nil || h.Err.Code != -32603 {
			fail("a refusal that has no form in the other era ended with %+v, want -32603", h.Err)
		}
		return
	}
	if h.Err != nil {
		fail("the call ended with %+v", h.Err)
		return
	}
	want := map[string]string{}
	for key, a := range h.Answers {
		want[key] = a
	}
	if crossed {
		for _, key := range h.Refused {
			want[key] = `{"action":"cancel"}`
		}
	} else if sorted(h.Refused) != sorted(saw.Refused) {
		fail("the client refused %v, the server saw %v refused", h.Refused, saw.Refused)
	}
	if a, b := show2(want), show2(saw.Answers); a != b {
		fail("the client answered %s, the server got %s", a, b)
	}
	if h.Seen != show2(saw.Answers) {
		fail("the result tells of %s, the server saw %s", h.Seen, show2(saw.Answers))
	}
	if h.Text != sc.Text || h.Number != string(sc.Number) {
		fail("%q and %s came back as %q and %s", sc.Text, sc.Number, h.Text, h.Number)
	}
	var progress []int
	var logs []string
	for _, st := range sc.Steps {
		switch {
		case st.Progress > 0:
			progress = append(progress, st.Progress)
		case st.Log != "" && expects(c, crossed, st.Log):
			logs = append(logs, st.Log)
		}
	}
	if !slices.Equal(h.Progress, progress) {
		fail("progress %v, want %v", h.Progress, progress)
	}
	// On a line that calls share, log messages say nothing of whose they are.
	shared := r.over != "http" && c.line == nil
	// Who never said a level hears less where another asked the same session of
	// the server for a level, which it then has for all.
	some := slices.DeleteFunc(slices.Clone(logs), func(level string) bool { return !hears(level, "info") })
	limited := c.level == "" && slices.Equal(h.Logs, some)
	if !slices.Equal(h.Logs, logs) && !limited && !(shared && within(h.Logs, logs)) {
		fail("logs %v, want %v", h.Logs, logs)
	}
}

func show2(m map[string]string) string {
	raw, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// within reports whether all of a is in b, in the same order.
func within(a, b []string) bool {
	for _, v := range b {
		if len(a) > 0 && a[0] == v {
			a = a[1:]
		}
	}
	return len(a) == 0
}

func refusedSampling(h heard) bool {
	return slices.ContainsFunc(h.Refused, func(key string) bool { return key[0] != form[0] })
}

// expects reports whether a client is to hear a log message. One that never
// said gets all of a server of its era, and what is info or more of another.
func expects(c *client, crossed bool, level string) bool {
	switch {
	case c.level != "":
		return hears(level, c.level)
	case c.modern():
		return false
	case crossed:
		return hears(level, "info")
	}
	return true
}
