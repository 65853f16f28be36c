package mcpedge_test

import (
	"durward"
	"durward/internal/edge/mcpedge"
	"fmt"
	"strings"
	"testing"
)

// The agent lax is tolerated, alice is not.
func TestTolerated(t *testing.T) {
	h := open(t, mcpedge.Options{})
	lax := func(hs ...string) header {
		return append(header{"Authorization:", "Authorization: Bearer " + keyOf("lax")}, hs...)
	}
	body, _ := modern("1", "tools/call", `"name":"echo"`)
	for _, c := range []struct {
		hs    header
		rules []string
	}{
		{header{}, []string{"compat.version_header_missing", "compat.method_header_missing", "compat.name_header_missing"}},
		{header{"MCP-Protocol-Version: 2025-06-18", "Mcp-Method: tools/call", "Mcp-Name: echo"}, []string{"compat.version_header_wrong"}},
		{header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Name: echo"}, []string{"compat.method_header_missing"}},
		{header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call"}, []string{"compat.name_header_missing"}},
		{header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: echo"}, nil},
	} {
		r := h.post(t, body, lax(c.hs...)...)
		if r.StatusCode != 200 || !strings.Contains(r.body, `"resultType":"complete"`) {
			t.Errorf("tolerated agent with %v = %d %s", c.hs, r.StatusCode, r.body)
		}
		h.mu.Lock()
		last := h.served[len(h.served)-1]
		h.mu.Unlock()
		var rules []string
		for _, f := range last.Findings {
			rules = append(rules, f.Rule)
			if f.Severity != "info" {
				t.Errorf("finding = %+v, want severity info", f)
			}
		}
		if fmt.Sprint(rules) != fmt.Sprint(c.rules) || !last.Wire.Modern || last.Wire.Revision != "2026-07-28" {
			t.Errorf("call with %v has findings %v, want %v; %+v", c.hs, rules, c.rules, last.Wire)
		}
		if r := h.post(t, body, c.hs...); (r.StatusCode == 200) != (c.rules == nil) {
			t.Errorf("strict agent with %v = %d %s", c.hs, r.StatusCode, r.body)
		}
	}
	for _, hs := range []header{
		{"Mcp-Name: other"}, {"Mcp-Method: tools/list"}, {"MCP-Protocol-Version: 2026-07-28", "MCP-Protocol-Version: 2025-11-25", "Mcp-Method: tools/call", "Mcp-Name: echo"},
	} {
		if r := h.post(t, body, lax(hs...)...); r.StatusCode != 400 || !strings.Contains(r.body, "-32020") {
			t.Errorf("contradiction %v = %d %s, want -32020", hs, r.StatusCode, r.body)
		}
	}
	counts := h.face.Counts()
	for rule, want := range map[string]uint64{"compat.version_header_missing": 1, "compat.version_header_wrong": 1, "compat.method_header_missing": 2, "compat.name_header_missing": 2} {
		if counts[rule] != want {
			t.Errorf("%s = %d, want %d", rule, counts[rule], want)
		}
	}
}

// What is overlooked of each agent can be told apart.
func TestOverlooked(t *testing.T) {
	h := open(t, mcpedge.Options{})
	body, _ := modern("1", "tools/call", `"name":"echo"`)
	for range 2 {
		h.post(t, body, "Authorization:", "Authorization: Bearer "+keyOf("lax"), "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call")
	}
	if got := fmt.Sprint(h.face.Overlooked("lax")); got != "map[compat.name_header_missing:2]" {
		t.Errorf("Overlooked(lax) = %s", got)
	}
	if got := h.face.Overlooked("alice"); got != nil {
		t.Errorf("Overlooked(alice) = %v", got)
	}
}

// A client that sends its newest version in a session that it opened with an
// older one.
func TestToleratedSession(t *testing.T) {
	h := open(t, mcpedge.Options{})
	newest := "MCP-Protocol-Version: 2026-07-28"
	for agent, want := range map[string]int{"lax": 200, "alice": 400} {
		as := header{"Authorization:", "Authorization: Bearer " + keyOf(agent)}
		s := h.session(t, "2025-11-25", as...)
		r := h.post(t, call("1", "echo"), append(as, s, newest)...)
		if r.StatusCode != want {
			t.Errorf("%s: call = %d %s, want %d", agent, r.StatusCode, r.body, want)
		}
		if want != 200 {
			continue
		}
		w := h.stream(t, "GET", "/mcp", "", append(as, s, newest)...)
		if w.StatusCode != 200 {
			t.Errorf("%s: GET = %d", agent, w.StatusCode)
		}
		if r := h.do(t, "DELETE", "/mcp", "", append(as, s, newest)...); r.StatusCode != 204 {
			t.Errorf("%s: DELETE = %d %s", agent, r.StatusCode, r.body)
		}
	}
	if r := h.post(t, call("1", "echo"), "Authorization:", "Authorization: Bearer "+keyOf("lax"), newest, "Mcp-Session-Id: none"); r.StatusCode != 404 {
		t.Errorf("a dead session = %d %s, want 404", r.StatusCode, r.body)
	}
}

// What was overlooked stands in the record of the call.
func TestToleratedIsRecorded(t *testing.T) {
	h, records := openReal(t)
	body, hs := modern("1", "tools/call", `"name":"crm__get","arguments":{"text":"x"}`)
	hs = header{hs[0], "Authorization:", "Authorization: Bearer " + keyOf("lax")} // without method and name
	if r := h.post(t, body, hs...); r.StatusCode != 200 || !strings.Contains(r.body, `"text":"get"`) {
		t.Fatalf("call = %d %s", r.StatusCode, r.body)
	}
	kept := records.take()
	if len(kept) != 1 || kept[0].Outcome != durward.OutcomeOK || kept[0].Verdict != "allow" || len(kept[0].Findings) != 2 || kept[0].Findings[1].Rule != "compat.name_header_missing" {
		t.Errorf("record = %+v, want two findings", kept)
	}
}
