package boot_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/boot"
	"durward/internal/control"
	"durward/internal/durwardtest/inside"
)

func request(t *testing.T, method, url, key, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// house is a gateway with an agent that may have everything.
func house(t *testing.T, expires time.Time) (g *boot.Gateway, key string) {
	t.Helper()
	g = inside.Gateway(t, "")
	if err := g.Control().PutRole(t.Context(), tester, durward.Role{Name: "all", Allow: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	minted, err := g.Control().CreateAgent(t.Context(), tester, control.NewAgent{Name: "bot", Roles: []string{"all"}, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	return g, minted.Secret
}

var tester = durward.Actor{Name: "test", Operator: true}

// streams opens a stream of every revision over HTTP.
func streams(t *testing.T, g *boot.Gateway, key string) map[string]io.Reader {
	t.Helper()
	open := map[string]io.Reader{}
	init := request(t, "POST", g.DataURL()+"/mcp", key, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	session := init.Header.Get("Mcp-Session-Id")
	if session == "" {
		t.Fatalf("initialize: %s", init.Status)
	}
	open["GET /mcp"] = request(t, "GET", g.DataURL()+"/mcp", key, "", "Mcp-Session-Id", session, "MCP-Protocol-Version", "2025-11-25", "Accept", "text/event-stream").Body
	open["GET /sse"] = request(t, "GET", g.DataURL()+"/sse", key, "", "Accept", "text/event-stream").Body
	open["subscriptions/listen"] = request(t, "POST", g.DataURL()+"/mcp", key,
		`{"jsonrpc":"2.0","id":"L","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
		"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen").Body
	return open
}

// ended waits until all of what was open has ended.
func ended(t *testing.T, open map[string]io.Reader, why string) {
	t.Helper()
	ends := make(chan string, len(open))
	for what, r := range open {
		go func() {
			_, _ = io.Copy(io.Discard, r)
			ends <- what
		}()
	}
	late := time.After(time.Minute)
	for range len(open) {
		select {
		case what := <-ends:
			delete(open, what)
		case <-late:
			for what := range open {
				t.Errorf("%s is still open after %s", what, why)
			}
			return
		}
	}
}

// TestARevokedAgentLosesWhatIsOpen: not only the next request is refused; every
// stream and local connection of the agent ends, of every revision.
func TestARevokedAgentLosesWhatIsOpen(t *testing.T) {
	g, key := house(t, time.Time{})
	open := streams(t, g, key)
	in, agentIn := io.Pipe()
	agentOut, out := io.Pipe()
	t.Cleanup(func() { _ = agentIn.Close() })
	go func() {
		err := g.ServeStdio(context.Background(), boot.StdioClient{Agent: "bot", In: in, Out: out})
		_ = out.CloseWithError(errors.Join(err, io.EOF))
	}()
	if _, err := io.WriteString(agentIn, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`+"\n"); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(agentOut)
	if line, err := lines.ReadBytes('\n'); err != nil || !bytes.Contains(line, []byte(`"serverInfo"`)) {
		t.Fatalf("stdio: %s, %v", line, err)
	}
	open["stdio"] = lines
	if err := g.Control().RevokeAgent(t.Context(), tester, "bot"); err != nil {
		t.Fatal(err)
	}
	ended(t, open, "the agent was revoked")
}

// The same holds when a key comes to its end by itself.
func TestAnExpiredKeyLosesWhatIsOpen(t *testing.T) {
	t.Run("an end from the beginning", func(t *testing.T) {
		g, key := house(t, time.Now().Add(5*time.Second))
		ended(t, streams(t, g, key), "the key expired")
	})
	t.Run("the end of an overlap", func(t *testing.T) {
		g, key := house(t, time.Time{})
		open := streams(t, g, key)
		minted, err := g.Control().RotateKey(t.Context(), tester, "bot", control.Rotation{Overlap: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		next := streams(t, g, minted.Secret)
		ended(t, open, "the overlap ended")
		if err := g.Control().RevokeAgent(t.Context(), tester, "bot"); err != nil {
			t.Fatal(err)
		}
		ended(t, next, "the agent was revoked, too")
	})
}
