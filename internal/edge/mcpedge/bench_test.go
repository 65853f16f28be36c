package mcpedge_test

import (
	"bufio"
	"bytes"
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/edge/mcpedge"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// trivial is a gateway that lets everybody in and answers at once.
type trivial struct {
	mcpedge.Gateway
	agent   durward.Agent
	session durward.Session
	result  []byte
}

func (g *trivial) Admit(_ context.Context, c *durward.Call) error {
	c.Agent = &g.agent
	if c.SessionID != "" {
		c.Session, c.Client = &g.session, g.session.Client
	}
	return nil
}

func (g *trivial) Serve(_ context.Context, c *durward.Call, _ durward.Peer) (durward.Reply, error) {
	return durward.Reply{Result: g.result, Modern: c.Wire.Modern}, nil
}

func (g *trivial) Refused(context.Context, *durward.Call, *durward.Error) {}

func newTrivial(result int) *trivial {
	return &trivial{
		agent: durward.Agent{Name: "a"}, session: durward.Session{Revision: "2025-11-25"},
		result: []byte(`{"resultType":"complete","content":[{"type":"text","text":"` + strings.Repeat("x", result) + `"}]}`),
	}
}

// sink is an answer that nobody reads.
type sink struct {
	header http.Header
	n      int
}

func (s *sink) Header() http.Header             { return s.header }
func (s *sink) WriteHeader(int)                 {}
func (s *sink) Write(b []byte) (int, error)     { s.n += len(b); return len(b), nil }
func (s *sink) SetReadDeadline(time.Time) error { return nil }
func (s *sink) SetWriteDeadline(time.Time) error {
	return nil
}

func benchmarks() []struct {
	name, body string
	header     header
} {
	args := `"name":"files__read","arguments":{"path":"/srv/docs/readme.md","text":"` + strings.Repeat("x", 700) + `"}`
	body, hs := modern("7", "tools/call", args)
	large, _ := modern("7", "tools/call", strings.Replace(args, "xxx", strings.Repeat("x", 256<<10), 1))
	return []struct {
		name, body string
		header     header
	}{
		{"modern-1KiB", body, hs},
		{"legacy-1KiB", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{` + args + `}}`, header{"Mcp-Session-Id: s", "MCP-Protocol-Version: 2025-11-25"}},
		{"modern-256KiB", large, hs},
	}
}

// BenchmarkPost is what the edge costs beside net/http and the gateway.
func BenchmarkPost(b *testing.B) {
	for _, c := range benchmarks() {
		b.Run(c.name, func(b *testing.B) {
			gw := newTrivial(100)
			h := edge.New(edge.Options{}, mcpedge.New(gw, mcpedge.Options{})).Handler()
			body := bytes.NewReader([]byte(c.body))
			r, err := http.NewRequest("POST", "http://localhost/mcp", io.NopCloser(body))
			if err != nil {
				b.Fatal(err)
			}
			r.ContentLength = int64(len(c.body))
			asAlice.set(r)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			c.header.set(r)
			w := &sink{header: make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset([]byte(c.body))
				clear(w.header)
				h.ServeHTTP(w, r)
			}
			if w.n == 0 {
				b.Error("nothing was answered")
			}
		})
	}
}

// BenchmarkHop is the edge over a loopback connection, client included.
func BenchmarkHop(b *testing.B) {
	for _, c := range benchmarks() {
		b.Run(c.name, func(b *testing.B) {
			s := edge.New(edge.Options{}, mcpedge.New(newTrivial(100), mcpedge.Options{}))
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- s.Serve(l) }()
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			raw := []byte(fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n%s\r\n\r\n%s",
				keyOf("alice"), len(c.body), strings.Join(c.header, "\r\n"), c.body))
			in := bufio.NewReader(conn)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(raw); err != nil {
					b.Fatal(err)
				}
				if err := skipAnswer(in); err != nil {
					b.Fatal(err)
				}
			}
			conn.Close()
			_ = s.Shutdown(context.Background())
			<-done
		})
	}
}

// skipAnswer reads one answer without allocating.
func skipAnswer(in *bufio.Reader) error {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, c := range bytes.TrimSpace(v) {
				length = length*10 + int(c-'0')
			}
		}
		if len(line) == 2 {
			_, err := in.Discard(length)
			return err
		}
	}
}

// TestIdleSessionsAreSmall holds the promise of 1 KiB for what this face keeps
// of an idle session that was used before.
func TestIdleSessionsAreSmall(t *testing.T) {
	h := open(t, mcpedge.Options{})
	const n = 2000
	for range n { // warm up: sessions and their calls
		s := h.session(t, "2025-11-25")
		h.post(t, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, s)
	}
	before := heap()
	for id := range h.sessions {
		h.face.Forget(&durward.Session{ID: id})
	}
	if per := (before - heap()) / n; per > 1024 {
		t.Errorf("an idle session costs %d bytes, want at most 1024", per)
	} else {
		t.Logf("an idle session costs %d bytes", per)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
