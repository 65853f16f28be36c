package mcpedge_test

import (
	"durward/internal/edge/mcpedge"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestInitializeByEventsAlone: who takes no JSON gets a session all the same,
// and one that can be used.
func TestInitializeByEventsAlone(t *testing.T) {
	h := open(t, mcpedge.Options{})
	r := h.post(t, strings.Replace(initialize, "REVISION", "2025-11-25", 1), "Accept:", "Accept: text/event-stream")
	id := r.Header.Get("Mcp-Session-Id")
	if r.StatusCode != 200 || id == "" || r.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("initialize = %d %v, want events and a session", r.StatusCode, r.Header)
	}
	if all := events(t, r.body); len(all) != 1 || !strings.Contains(all[0], `"protocolVersion":"2025-11-25"`) {
		t.Errorf("events = %q, want the greeting", all)
	}
	if r := h.post(t, call("1", "echo"), "Mcp-Session-Id: "+id); r.StatusCode != 200 {
		t.Errorf("call in that session = %d %s, want 200", r.StatusCode, r.body)
	}
}

// TestCallsOfAnIdleSessionShareItsSuccessor: calls that find their link's
// session gone at the same time open one session, not one each.
func TestCallsOfAnIdleSessionShareItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.forget("s-alice-1")
		p.slow = time.Millisecond // time for all of them to be read
		lines := make([]string, 8)
		for i := range lines {
			lines[i] = call("1", "wait")
		}
		p.send(t, strings.Join(lines, "\n"))
		time.Sleep(time.Second)
		if n := p.open(); n != 1 {
			t.Errorf("%d sessions are open, want 1", n)
		}
		close(p.release)
		for range lines {
			p.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"released"}]}}`)
		}
		p.end(t)
		if n := p.open(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}
