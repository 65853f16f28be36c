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
