package mcpedge_test

import (
	"bytes"
	"context"
	"durward/internal/durwardtest"
	"durward/internal/edge"
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

// house is a stage behind a listening edge.
type house struct {
	*stage
	face   *mcpedge.Face
	server *edge.Server
	url    string
	client *http.Client
}

func open(t testing.TB, o mcpedge.Options) *house {
	t.Helper()
	return openWith(t, o, edge.Options{})
}

func openWith(t testing.TB, o mcpedge.Options, e edge.Options) *house {
	t.Helper()
	h := &house{stage: newStage(), client: &http.Client{Transport: &http.Transport{}}}
	h.face = mcpedge.New(h.stage, o)
	h.server = edge.New(e, h.face)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(l) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = h.server.Shutdown(ctx) // what a test left running is cut
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return h
}

// header is a header to send, as "Name: value" lines; an empty value removes it.
type header []string

func (hs header) set(r *http.Request) {
	for _, h := range hs {
		name, value, _ := strings.Cut(h, ":")
		if value = strings.TrimSpace(value); value == "" {
			r.Header.Del(name)
		} else if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
}

var asAlice = header{"Authorization: Bearer " + keyOf("alice")}

// reply is an answer that was read to its end.
type reply struct {
	*http.Response
	body string
}

// do sends a request as alice, unless the header says otherwise.
func (h *house) do(t testing.TB, method, path, body string, hs ...string) reply {
	t.Helper()
	resp, err := h.client.Do(h.requestTo(t, method, path, body, hs))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp, string(b)}
}

func (h *house) request(t testing.TB, body string, hs header) *http.Request {
	t.Helper()
	return h.requestTo(t, "POST", "/mcp", body, hs)
}

func (h *house) requestTo(t testing.TB, method, path, body string, hs header) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	asAlice.set(r)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	hs.set(r)
	return r
}

func (h *house) post(t testing.TB, body string, hs ...string) reply {
	t.Helper()
	return h.do(t, "POST", "/mcp", body, hs...)
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"REVISION","capabilities":{"roots":{},"elicitation":{}},"clientInfo":{"name":"tester","version":"1","icons":[{"src":"data:,x"}]}}}`

// session opens a session of a revision and returns the header that names it.
func (h *house) session(t testing.TB, revision string, hs ...string) string {
	t.Helper()
	r := h.post(t, strings.Replace(initialize, "REVISION", revision, 1), hs...)
	id := r.Header.Get("Mcp-Session-Id")
	if r.StatusCode != 200 || id == "" {
		t.Fatalf("initialize = %d %s, want 200 and a session", r.StatusCode, r.body)
	}
	return "Mcp-Session-Id: " + id
}

// modern makes a request of 2026-07-28 and its headers.
func modern(id, method, params string) (body string, hs header) {
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	if params != "" {
		meta = params + "," + meta
	}
	body = `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + meta + `}}`
	hs = header{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: " + method}
	if field := mcpwire.NameOf(method); field != "" {
		name, _ := mcpwire.FieldText([]byte("{"+params+"}"), field)
		hs = append(hs, "Mcp-Name: "+name)
	}
	return body, hs
}

func call(id, tool string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `","arguments":{"a":1.0}}}`
}

// events reads a stream of events to its end.
func events(t testing.TB, body string) (all []string) {
	t.Helper()
	r := mcpwire.NewEventReader(strings.NewReader(body), 1<<20)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Data) > 0 { // else it primes
			all = append(all, string(bytes.TrimSpace(e.Data)))
		}
	}
}

func TestModernCall(t *testing.T) {
	h := open(t, mcpedge.Options{})
	body, hs := modern("7", "tools/call", `"name":"echo","arguments":{"q":1.0}`)
	r := h.post(t, body, hs...)
	want := `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":"{\"q\":1.0}"}]}}`
	if r.StatusCode != 200 || r.body != want || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("tools/call = %d %s %s, want 200 JSON %s", r.StatusCode, r.Header.Get("Content-Type"), r.body, want)
	}
}

func TestLegacySession(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	if r := h.post(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, s); r.StatusCode != 202 || r.body != "" {
		t.Errorf("initialized = %d %q, want 202 and nothing", r.StatusCode, r.body)
	}
	r := h.post(t, call(`"a"`, "echo"), s)
	want := `{"jsonrpc":"2.0","id":"a","result":{"content":[{"type":"text","text":"{\"a\":1.0}"}]}}`
	if r.StatusCode != 200 || r.body != want {
		t.Errorf("tools/call = %d %s, want 200 %s", r.StatusCode, r.body, want)
	}
	if r := h.do(t, "DELETE", "/mcp", "", s); r.StatusCode != 204 {
		t.Errorf("DELETE = %d, want 204", r.StatusCode)
	}
	if r := h.post(t, call("1", "echo"), s); r.StatusCode != 404 {
		t.Errorf("call after DELETE = %d %s, want 404", r.StatusCode, r.body)
	}
}
