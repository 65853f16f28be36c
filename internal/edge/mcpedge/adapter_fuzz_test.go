package mcpedge_test

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// talkative is a strict gateway whose calls also report progress, so that
// their answers are streams.
type talkative struct{ strict }

func (g *talkative) Serve(ctx context.Context, c *durward.Call, p durward.Peer) (durward.Reply, error) {
	p.Notify(mcpwire.NotifyProgress, []byte(`{"progressToken":"t","progress":1}`))
	p.Notify(mcpwire.NotifyMessage, []byte(`{"level":"info","data":"x"}`))
	return g.strict.Serve(ctx, c, p)
}

func (g *talkative) CloseSession(context.Context, *durward.Call) error { return nil }

// faceOf is a face of a talkative gateway whose sessions are of a revision.
func faceOf(t *testing.T, revision string) (*mcpedge.Face, http.Handler) {
	gw := &talkative{strict{trivial: *newTrivial(1), t: t}}
	gw.session.Revision, gw.session.ID = revision, "s"
	face := mcpedge.New(gw, mcpedge.Options{Linger: time.Second, KeepAlive: time.Second, Return: time.Millisecond})
	t.Cleanup(face.Stop)
	return face, edge.New(edge.Options{}, face).Handler()
}

func withHeaders(r *http.Request, headers string) *http.Request {
	for line := range strings.Lines(headers) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			r.Header.Add(name, strings.TrimSpace(value))
		}
	}
	return r
}

// lines of real clients, of both eras.
func traffic() []string {
	discover, _ := modern(`"d"`, "server/discover", "")
	tool, _ := modern("7", "tools/call", `"name":"x","arguments":{"a":1.0}`)
	listen, _ := modern(`"L"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
	retry, _ := modern("8", "tools/call", `"name":"x","arguments":{},"requestState":"s","inputResponses":{"k":{"action":"accept","content":{}}}`)
	return []string{
		strings.Replace(initialize, "REVISION", "2025-11-25", 1), strings.Replace(initialize, "REVISION", "2025-03-26", 1),
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`, call("2", "x"), call(`"é"`, "y"),
		`{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"cursor":""}}`,
		`{"jsonrpc":"2.0","id":4,"method":"logging/setLevel","params":{"level":"debug"}}`,
		`{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"file:///a"}}`,
		`{"jsonrpc":"2.0","id":6,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"r"}}`,
		`{"jsonrpc":"2.0","id":"durward-1","result":{"action":"accept","content":{}}}`,
		`{"jsonrpc":"2.0","id":"durward-2","error":{"code":-1,"message":"no"}}`,
		`[` + call("1", "x") + `,{"jsonrpc":"2.0","method":"notifications/initialized"},` + call("2", "x") + `]`,
		discover, tool, listen, retry,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}`,
		`{"jsonrpc":"2.0","id":null,"method":"ping"}`, `{"jsonrpc":"1.0","id":1,"method":"ping"}`, `{"half":`, ``, ` `, `null`,
	}
}

// FuzzStdio: whatever comes in lines, each request gets one answer, and each
// line that goes out is a message.
func FuzzStdio(f *testing.F) {
	all := traffic()
	f.Add([]byte(strings.Join(all, "\n") + "\n"))
	for i := range all {
		f.Add([]byte(all[0] + "\n" + all[2] + "\n" + all[i] + "\n"))
		f.Add([]byte(all[i] + "\r\n" + all[len(all)-1-i]))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		face, _ := faceOf(t, "2025-11-25")
		var out bytes.Buffer
		if err := face.ServeStdio(t.Context(), bytes.NewReader(in), &out, mcpedge.Local{Agent: "a"}); err != nil {
			t.Fatalf("ServeStdio: %v", err)
		}
		answers := 0
		for line := range bytes.Lines(out.Bytes()) {
			if !bytes.HasSuffix(line, []byte("\n")) || !json.Valid(line) {
				t.Errorf("line %q", line)
			}
			if _, method := mcpwire.Field(line, "method"); !method {
				answers++
			}
		}
		if want, exact := owed(in); answers > want || (exact && answers != want) {
			t.Errorf("%d answers, want %d: %s", answers, want, out.Bytes())
		}
	})
}

// owed counts what has to be answered; exact is false where requests may be
// cancelled or come in batches.
func owed(in []byte) (n int, exact bool) {
	lines := mcpwire.NewLineReader(bytes.NewReader(in), mcpwire.DefaultBytes)
	for exact = true; ; {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return n, exact
		}
		m, bad := mcpwire.Scan(line, mcpwire.Limits{})
		switch {
		case err != nil || bad != nil || m.Kind == mcpwire.Request:
			n++
		case m.Method == mcpwire.NotifyCancelled:
			exact = false
		}
		if i := bytes.IndexFunc(line, func(r rune) bool { return r != ' ' && r != '\t' && r != '\r' }); i >= 0 && line[i] == '[' {
			exact = false
		}
	}
}

// FuzzSSE: the same over HTTP+SSE, where messages come by POST.
func FuzzSSE(f *testing.F) {
	for _, m := range traffic() {
		f.Add([]byte(m), "application/json")
	}
	f.Add([]byte(`{}`), "text/plain")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		_, h := faceOf(t, "2024-11-05")
		ctx, leave := context.WithCancel(t.Context())
		w := &lasting{header: http.Header{}, first: make(chan struct{})}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/sse", nil))
		}()
		defer func() { leave(); <-ended }()
		<-w.first
		where := endpointOf(t, w.body())
		post := func(body []byte, kind string) {
			r := httptest.NewRequest(http.MethodPost, where, bytes.NewReader(body))
			r.Header.Set("Content-Type", kind)
			p := httptest.NewRecorder()
			if h.ServeHTTP(p, r); p.Code >= 500 {
				t.Errorf("status %d: %s", p.Code, p.Body)
			}
		}
		post([]byte(strings.Replace(initialize, "REVISION", "2024-11-05", 1)), "application/json")
		post(body, kind)
		post([]byte(call("99", "x")), "application/json")
		soon(t, "the answer to the last request", func() bool { return bytes.Contains(w.body(), []byte(`"id":99`)) })
		for _, e := range events(t, string(w.body())) {
			if !strings.HasPrefix(e, "/messages?") && !json.Valid([]byte(e)) {
				t.Errorf("event %q", e)
			}
		}
	})
}

func endpointOf(t *testing.T, stream []byte) string {
	e, err := mcpwire.NewEventReader(bytes.NewReader(stream), 1<<20).Next()
	if err != nil || e.Event != "endpoint" {
		t.Fatalf("first event = %+v, %v", e, err)
	}
	if _, err := url.Parse(string(e.Data)); err != nil {
		t.Fatal(err)
	}
	return string(e.Data)
}

// lasting is an answer that is read while it is written.
type lasting struct {
	header http.Header
	first  chan struct{} // closed by the first write
	mu     sync.Mutex    // guards what follows
	buf    bytes.Buffer
	begun  bool
}

func (l *lasting) Header() http.Header              { return l.header }
func (l *lasting) WriteHeader(int)                  {}
func (l *lasting) Flush()                           {}
func (l *lasting) SetReadDeadline(time.Time) error  { return nil }
func (l *lasting) SetWriteDeadline(time.Time) error { return nil }

func (l *lasting) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.begun {
		l.begun = true
		close(l.first)
	}
	return l.buf.Write(p)
}

func (l *lasting) body() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// FuzzGet: whatever an agent says that it heard last, it gets what follows on
// that stream and nothing else.
func FuzzGet(f *testing.F) {
	for _, id := range []string{"", "0-0", "1-0", "1-1", "2-0", "2-1", "2-99", "9-0", "x", "1-", "-1", "01-1", "1-1-1", "18446744073709551615-0", "18446744073709551616-0"} {
		f.Add("GET", "Mcp-Session-Id: s\nMCP-Protocol-Version: 2025-11-25\nLast-Event-ID: "+id)
	}
	for _, hs := range []string{"", "Mcp-Session-Id: s", "Mcp-Session-Id: none", "MCP-Protocol-Version: 2026-07-28", "Mcp-Session-Id: s\nMCP-Protocol-Version: 2026-07-28", "Mcp-Session-Id: s\nAccept: application/json", "Mcp-Session-Id: s\nMcp-Session-Id: t\nLast-Event-ID: 1-0\nLast-Event-ID: 2-0"} {
		f.Add("GET", hs)
		f.Add("DELETE", hs)
		f.Add("PUT", hs)
	}
	f.Fuzz(func(t *testing.T, method, headers string) {
		if method == "" || strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }) || method == http.MethodPost {
			return
		}
		_, h := faceOf(t, "2025-11-25")
		do := func(verb, body, headers string) *httptest.ResponseRecorder {
			ctx, leave := context.WithTimeout(t.Context(), 2*time.Second)
			defer leave()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, withHeaders(httptest.NewRequestWithContext(ctx, verb, "/mcp", strings.NewReader(body)), headers))
			return w
		}
		do("POST", strings.Replace(initialize, "REVISION", "2025-11-25", 1), "")
		var streams [2]string
		for i := range streams {
			streams[i] = do("POST", call("1", "x"), "Mcp-Session-Id: s").Body.String()
		}
		w := do(method, "", headers)
		if w.Code >= 500 || (w.Code == 200 && method != http.MethodGet && method != http.MethodHead) {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		r := withHeaders(httptest.NewRequest("GET", "/", nil), headers)
		from := r.Header.Get("Last-Event-Id")
		stream, _, _ := strings.Cut(from, "-")
		if w.Code != 200 || method != http.MethodGet || (stream != "1" && stream != "2") || !strings.HasPrefix(w.Body.String(), ":") {
			return
		}
		if whole := streams[stream[0]-'1']; from != "" && strings.Contains(whole, "id: "+from+"\n") {
			_, rest, _ := strings.Cut(whole, "id: "+from+"\n")
			_, rest, _ = strings.Cut(rest, "\n\n")
			if got := strings.TrimPrefix(w.Body.String(), mcpwire.KeepAlive); got != rest {
				t.Errorf("after %s came %q, want %q", from, got, rest)
			}
		}
	})
}
