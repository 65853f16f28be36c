package upstream_test

import (
	"os"
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

// MCP Apps pass through every era: a server is told that the client shows them,
// which is no question that calls would have to wait for.
func TestAppsAreDeclaredInEveryEra(t *testing.T) {
	const apps = `{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]},"other/x":{}}}`
	const want = `{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}`
	for _, revision := range []string{mcpwire.V20260728, mcpwire.V20251125} {
		r := &rounds{turns: []string{done}}
		a := agent{revision: revision, name: "a", session: "s", caps: apps}
		if _, err := a.crosses(t, r, &peer{}); err != nil {
			t.Fatal(err)
		}
		if got, _ := mcpwire.Path([]byte(r.seen()[0]), "_meta", mcpwire.MetaClientCapabilities); string(got) != want {
			t.Errorf("a client of %s is declared as %s to a modern server, want %s", revision, got, want)
		}
	}
	s := newSet(t, nil, durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "by capability"}, Era: "legacy"})
	call(t, s, agent{revision: mcpwire.V20251125, name: "a", session: "s", caps: apps}, "x", "{}")
	d, _ := s.Inspect("up")
	found := false
	for _, v := range d.Sessions {
		found = found || v.For == "agent a" && string(v.Declared) == want && !v.Single
	}
	if !found {
		t.Errorf("sessions %+v, want one that was told of apps and takes calls side by side", d.Sessions)
	}
}
