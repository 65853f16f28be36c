// Package sessions measures what sessions cost that nobody uses: the stateful
// revisions leave thousands of them behind.
package sessions

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"durward/internal/durwardtest"
	"durward/internal/durwardtest/inside"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.Main(m)) }

const (
	sessions = 10_000
	openConn = 1_000 // sessions whose stream stays open
	// What idle sessions may cost, each: in the heap of the gateway, and with all
	// that a process has besides.
	heapEach  = 1536
	processMB = 100
)

// An idle session is one that was opened, used and left alone.
const opening = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"idler","title":"Idler","version":"1.2.3"}}}`

// TestHeap opens sessions in a gateway of this process.
func TestHeap(t *testing.T) {
	g := inside.Gateway(t, fmt.Sprintf("agents: {idler: {key: %s, roles: [all]}}\nroles: {all: {allow: ['*']}}\n", durwardtest.Key))
	addr := strings.TrimPrefix(g.DataURL(), "http://")
	open(t, addr, 100) // what is made once is made
	before := heap()
	ids := open(t, addr, sessions)
	each := (heap() - before) / sessions
	t.Logf("heap: %d bytes for each of %d idle sessions", each, sessions)
	if each > heapEach {
		t.Errorf("an idle session costs %d bytes of heap, want at most %d", each, heapEach)
	}
	runtime.KeepAlive(ids)
}

// TestProcess opens them in a gateway that runs by itself, as in production.
func TestProcess(t *testing.T) {
	g := durwardtest.Serve(t, "{}", "")
	addr := strings.TrimPrefix(g.URL, "http://")
	open(t, addr, 100)
	before := rss(t, g)
	ids := open(t, addr, sessions)
	after := idle(t, g)
	t.Logf("process: %.1f MiB before, %.1f MiB with %d idle sessions: %.2f KiB each", mb(before), mb(after), sessions, float64(after-before)/1024/sessions)
	if mb(after) > processMB {
		t.Errorf("%d idle sessions take %.1f MiB, want at most %d", sessions, mb(after), processMB)
	}
	listen(t, addr, ids[:openConn])
	streams := idle(t, g)
	t.Logf("process: %.1f MiB with %d of their streams open: %.2f KiB each", mb(streams), openConn, float64(streams-after)/1024/openConn)
	if mb(streams) > processMB {
		t.Errorf("%d sessions, %d of them with a stream, take %.1f MiB, want at most %d", sessions, openConn, mb(streams), processMB)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// idle is the resident memory of the gateway when it has had time to give back
// what it needed for a while: a minute, if it takes that.
func idle(t *testing.T, g *durwardtest.Gateway) (now int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		if now = rss(t, g); mb(now) <= processMB || time.Now().After(deadline) {
			return now
		}
	}
}

// rss is the resident memory of the gateway.
func rss(t *testing.T, g *durwardtest.Gateway) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.Cmd.Process.Pid))
	if err != nil {
		durwardtest.Missing(t, "the memory of another process cannot be read here: "+err.Error())
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// open opens sessions over a few connections and returns their ids.
func open(t *testing.T, addr string, n int) []string {
	t.Helper()
	const conns = 4
	ids := make([]string, n)
	var group sync.WaitGroup
	for c := range conns {
		group.Go(func() {
			l := dial(t, addr)
			defer l.Close()
			for i := c; i < n; i += conns {
				ids[i] = l.session(t)
			}
		})
	}
	group.Wait()
	return ids
}

// line is a connection that is spoken by hand, which costs little itself.
type line struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *line {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return &line{conn, bufio.NewReader(conn)}
}

// session opens one and uses it.
func (l *line) session(t *testing.T) string {
	id := l.post(t, opening, "").Get("Mcp-Session-Id")
	if id == "" {
		t.Error("initialize gave no session")
	}
	l.post(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, id)
	l.post(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, id)
	return id
}

func (l *line) post(t *testing.T, body, session string) http.Header {
	fmt.Fprintf(l, "POST /mcp HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", head(session), len(body), body)
	r, err := http.ReadResponse(l.in, nil)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode/100 != 2 {
		t.Errorf("post = %s %s, %v", r.Status, b, err)
	}
	return r.Header
}

func head(session string) string {
	h := "Host: localhost\r\nAuthorization: Bearer " + durwardtest.Key + "\r\nAccept: application/json, text/event-stream\r\n"
	if session != "" {
		h += "Mcp-Session-Id: " + session + "\r\nMCP-Protocol-Version: 2025-11-25\r\n"
	}
	return h
}

// listen opens the streams of sessions and leaves them open until the test ends.
func listen(t *testing.T, addr string, ids []string) {
	t.Helper()
	for _, id := range ids {
		l := dial(t, addr)
		t.Cleanup(func() { _ = l.Close() })
		fmt.Fprintf(l, "GET /mcp HTTP/1.1\r\n%s\r\n", head(id))
		if r, err := http.ReadResponse(l.in, nil); err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("GET = %v, %v", r, err)
		}
	}
}
