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

// TestARevokedAgentLosesWhatIsOpen: not only the next request is refused; every
// stream and local connection of the agent ends, of every revision.
func TestARevokedAgentLosesWhatIsOpen(t *testing.T) {
	g := inside.Gateway(t, "")
	by := durward.Actor{Name: "test", Operator: true}
	if err := g.Control().PutRole(t.Context(), by, durward.Role{Name: "all", Allow: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	minted, err := g.Control().CreateAgent(t.Context(), by, control.NewAgent{Name: "bot", Roles: []string{"all"}})
	if err != nil {
		t.Fatal(err)
	}
	key := minted.Secret
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

	if err := g.Control().RevokeAgent(t.Context(), by, "bot"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, len(open))
	for what, r := range open {
		go func() {
			_, _ = io.Copy(io.Discard, r)
			ended <- what
		}()
	}
	late := time.After(5 * time.Second)
	for range len(open) {
		select {
		case what := <-ended:
			delete(open, what)
		case <-late:
			for what := range open {
				t.Errorf("%s is still open after the agent was revoked", what)
			}
			return
		}
	}
}
