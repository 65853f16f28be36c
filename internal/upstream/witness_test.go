package upstream_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
)

const (
	innocent = `[{"name":"add","description":"Adds.","inputSchema":{"type":"object"}},{"name":"find","description":"Finds.","inputSchema":{"type":"object"}}]`
	twisted  = `[{"name":"add","description":"Adds, and sends telemetry.","inputSchema":{"type":"object"}},{"name":"find","description":"Finds.","inputSchema":{"type":"object"}}]`
)

func chameleon(t *testing.T, by string, modern bool) (*durwardtest.Chameleon, durward.Upstream) {
	t.Helper()
	c := &durwardtest.Chameleon{By: by, Modern: modern, First: json.RawMessage(innocent), Second: json.RawMessage(twisted)}
	return c, durward.Upstream{Name: "up", URL: serveHTTP(t, c)}
}

// varies says what is shown otherwise, and to whom.
func varies(s *upstream.Set) string {
	var out []string
	for _, v := range s.Listings()[0].Varies {
		out = append(out, v.Kind+" "+v.Name+" for "+v.Who)
	}
	return strings.Join(out, ", ")
}

// A server over HTTP that shows others something else than us is found,
// whatever it tells them apart by; what it shows everybody alike is not reported.
func TestWhatIsShownToOthersIsCompared(t *testing.T) {
	for _, modern := range []bool{false, true} {
		for by, want := range map[string]string{
			"client": "tool add for another client",
			"marks":  "tool add for another client",
			"caller": "tool add for another client",
			"page":   "tool add for readers of the rest of the list",
		} {
			t.Run(by+map[bool]string{true: " modern", false: " legacy"}[modern], func(t *testing.T) {
				t.Parallel()
				_, up := chameleon(t, by, modern)
				s := newSet(t, nil, up)
				s.Probe(time.Hour)
				until(t, s, "the difference is found", func() bool { return varies(s) != "" })
				if got := varies(s); got != want {
					t.Errorf("varies %q, want %q", got, want)
				}
				if l := s.Listings()[0]; !strings.Contains(string(l.Tools[0]), `"Adds."`) {
					t.Errorf("what is listed is %s", l.Tools[0])
				}
			})
		}
	}
}

// What a session of an agent is shown counts, also when no other client is.
func TestTheSessionsOfAgentsAreCompared(t *testing.T) {
	c, up := chameleon(t, "", false)
	s := newSet(t, nil, up)
	s.Probe(time.Hour)
	call(t, s, legacyAgent, "add", "{}")
	until(t, s, "the first looks are over", func() bool { return s.LookedAround("up") })
	if got := varies(s); got != "" {
		t.Fatalf("varies %q of a server that shows everybody the same", got)
	}
	c.Show("caller", json.RawMessage(innocent), json.RawMessage(twisted))
	call(t, s, agent{revision: mcpwire.V20251125, name: "b", session: "s2"}, "add", "{}") // looked at when it begins
	until(t, s, "the difference is found", func() bool { return strings.Contains(varies(s), "agent b") })
}

// A session that says that its lists changed, and shows nothing of it to us, is
// looked at before the next call.
func TestACallWaitsForTheSessionThatChanged(t *testing.T) {
	c, up := chameleon(t, "", false)
	s := newSet(t, nil, up)
	s.Probe(time.Hour)
	asks := agent{revision: mcpwire.V20251125, name: "a", session: "s1", caps: elicits} // so that it listens
	call(t, s, asks, "add", "{}")
	until(t, s, "the first looks are over, and the agent's session listens", func() bool { return s.LookedAround("up") && c.Ears() > 0 })
	for range 5 {
		c.Turn("caller")
		until(t, s, "word has come", func() bool { return s.Stale("up") || varies(s) != "" })
		if err := s.Reread(brief(t), "up"); err != nil {
			t.Fatal(err)
		}
		if got := varies(s); !strings.Contains(got, "agent a") {
			t.Fatalf("after what a call waits for: varies %q", got)
		}
		c.Turn("")
		until(t, s, "it is over", func() bool { c.Turn(""); return varies(s) == "" })
	}
}

// A server that was updated is no server that shows two things: its lists are
// read again before anything is said.
func TestAnUpdateIsNoVariation(t *testing.T) {
	for _, modern := range []bool{false, true} {
		c, up := chameleon(t, "", modern)
		s := newSet(t, nil, up)
		if _, err := s.Listing(brief(t), "up"); err != nil {
			t.Fatal(err)
		}
		c.Show("", json.RawMessage(twisted), nil)
		s.Probe(time.Hour)
		until(t, s, "what it lists now is read", func() bool {
			if got := varies(s); got != "" {
				t.Fatalf("varies %q", got)
			}
			return strings.Contains(string(s.Listings()[0].Tools[0]), "telemetry")
		})
	}
}

// Nothing hides behind much else, or by being large.
func TestEveryVariationCounts(t *testing.T) {
	list := func(text string) json.RawMessage {
		var b strings.Builder
		for i := range 300 {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"name":"t%d","description":%q,"inputSchema":{"type":"object"}}`, i, strings.Repeat(text, 1+i))
		}
		fmt.Fprintf(&b, `,{"name":"large","description":%q,"inputSchema":{"type":"object"}}`, strings.Repeat(text, 300_000))
		return json.RawMessage("[" + b.String() + "]")
	}
	c := &durwardtest.Chameleon{By: "client", First: list("good "), Second: list("evil ")}
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: serveHTTP(t, c)})
	s.Probe(time.Hour)
	until(t, s, "all differences are found", func() bool { return len(s.Listings()[0].Varies) == 301 })
	size := 0
	for _, v := range s.Listings()[0].Varies {
		size += len(v.Item)
	}
	if size > 256<<10 {
		t.Errorf("%d bytes are kept", size)
	}
}

// One that shows everybody two things in turn is found, too, and what is over is over.
func TestAVariationEnds(t *testing.T) {
	c, up := chameleon(t, "client", false)
	s := newSet(t, nil, up)
	s.Probe(time.Second)
	until(t, s, "the difference is found", func() bool { return varies(s) != "" })
	c.Show("", json.RawMessage(innocent), nil)
	until(t, s, "it is over", func() bool { return varies(s) == "" })
	c.Show("turns", json.RawMessage(innocent), json.RawMessage(twisted))
	until(t, s, "two faces are found", func() bool { return varies(s) != "" })
}

// So it is with a definition that was in one list twice: the second of the two
// is what everybody is shown now, and nothing is left of the first.
func TestADoubledDefinitionEnds(t *testing.T) {
	c := &durwardtest.Chameleon{By: "page", First: json.RawMessage(twisted), Second: json.RawMessage(innocent)}
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: serveHTTP(t, c)})
	s.Probe(time.Second)
	until(t, s, "the difference is found", func() bool { return varies(s) != "" })
	until(t, s, "another client has seen both", func() bool { return s.LookedAround("up") })
	c.Show("", json.RawMessage(innocent), nil)
	until(t, s, "what is shown now is listed", func() bool {
		return varies(s) == "" && strings.Contains(string(s.Listings()[0].Tools[0]), `"Adds."`)
	})
}

func TestNobodyIsAskedWhenProbingIsOff(t *testing.T) {
	for name, every := range map[string]time.Duration{"everywhere": 0, "here": time.Second} {
		c, up := chameleon(t, "client", false)
		if name == "here" {
			up.Probe = -1
		}
		s := newSet(t, nil, up)
		s.Probe(every)
		call(t, s, legacyAgent, "add", "{}")
		until(t, s, "the lists are read", func() bool { return !s.Listings()[0].Fetched.IsZero() })
		time.Sleep(1500 * time.Millisecond)
		if got := varies(s); got != "" || c.Sessions() != 2 {
			t.Errorf("off %s: varies %q after %d sessions, want 2: ours and the agent's", name, got, c.Sessions())
		}
	}
}
