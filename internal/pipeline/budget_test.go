//go:build !race

// Under the race detector pools forget on purpose.

package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"durward"
	"durward/internal/identity"
	"durward/internal/upstream"
)

// TestDecisionsDoNotAllocate holds the budget of the hot path: who calls, in
// which session, what is meant, may it, do headers agree.
func TestDecisionsDoNotAllocate(t *testing.T) {
	h := newHouse(t)
	c := h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`)
	if n := testing.AllocsPerRun(1000, func() {
		c.Agent, c.Target = nil, nil
		if err := h.Decide(c); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("a decision allocates %v times, want 0", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, agents := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			h := newHouse(b)
			calls := manyAgents(b, h, agents)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c := calls[i%len(calls)]
				c.Agent, c.Target = nil, nil
				if err := h.Decide(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// manyAgents loads n agents with a key each, over 1,000 tools, and returns
// calls of a spread of them.
func manyAgents(b *testing.B, h *house, n int) []*durward.Call {
	b.Helper()
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("tool_%04d", i)
	}
	h.up.listings = []*upstream.Listing{listing("crm", append(names, "add")...)}
	s := &durward.Snapshot{Roles: []durward.Role{{Name: "crm", Allow: []string{"crm__*"}, Deny: []string{"crm__delete*", "files__*"}}}, Upstreams: []durward.Upstream{{Name: "crm"}}}
	var secrets []string
	for i := range n {
		secret, key := identity.Mint(pepper, time.Now())
		key.Agent = fmt.Sprintf("agent-%d", i)
		s.Agents = append(s.Agents, durward.Agent{Name: key.Agent, Roles: []string{"crm"}})
		s.Keys = append(s.Keys, key)
		secrets = append(secrets, secret)
	}
	if err := h.Load(s); err != nil {
		b.Fatal(err)
	}
	var calls []*durward.Call
	for i := range min(n, 500) {
		h.secret = secrets[(i*7919)%n]
		c := h.call(b, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`)
		if err := h.Decide(c); err != nil { // builds the view
			b.Fatal(err)
		}
		calls = append(calls, c)
	}
	return calls
}

// TestControlDoesNotAllocate: what is not configured costs nothing but a look,
// and what is configured allocates nothing as long as nobody is refused.
func TestControlDoesNotAllocate(t *testing.T) {
	for name, s := range map[string]func(*durward.Snapshot){
		"nothing configured": func(*durward.Snapshot) {},
		"three limits":       withLimits,
		"a watch":            func(s *durward.Snapshot) { s.Runaway = watched },
	} {
		h := newHouse(t)
		snap := snapshotOf(h)
		s(snap)
		if err := h.Load(snap); err != nil {
			t.Fatal(err)
		}
		c := h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`)
		if n := testing.AllocsPerRun(1000, func() {
			c.Agent, c.Target = nil, nil
			if err := h.Govern(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: a call allocates %v times, want 0", name, n)
		}
	}
}

var watched = durward.Runaways{All: durward.Runaway{Mode: durward.RunawayRecord, Window: time.Minute, SameCall: 1 << 30, Errors: 15, PingPong: 20, FanOut: 50, Novel: 4 * time.Hour}}

func withLimits(s *durward.Snapshot) {
	s.Limits.Rules = []durward.Limit{
		{Name: "rate", Unit: durward.UnitCalls, Most: 1 << 40, Every: time.Second, Per: []durward.Dimension{durward.PerAgent, durward.PerTool}},
		{Name: "quota", Unit: durward.UnitCalls, Most: 1 << 50, Calendar: durward.PerMonth, Per: []durward.Dimension{durward.PerAgent}},
		{Name: "at once", Unit: durward.UnitConcurrency, Most: 1000, Per: []durward.Dimension{durward.PerUpstream}},
	}
}

// BenchmarkGovern is the decision about a call with control and without.
func BenchmarkGovern(b *testing.B) {
	for _, tc := range []struct {
		name string
		with func(*durward.Snapshot)
	}{
		{"nothing", func(*durward.Snapshot) {}},
		{"limits", withLimits},
		{"limits and watch", func(s *durward.Snapshot) { withLimits(s); s.Runaway = watched }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			h := newHouse(b)
			s := snapshotOf(h)
			tc.with(s)
			if err := h.Load(s); err != nil {
				b.Fatal(err)
			}
			c := h.call(b, "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`)
			b.ReportAllocs()
			for b.Loop() {
				c.Agent, c.Target = nil, nil
				if err := h.Govern(b.Context(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
