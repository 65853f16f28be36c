package mcpedge_test

import (
	"bufio"
	"context"
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is the agent's side of a stdio connection.
type pipe struct {
	*stage
	face  *mcpedge.Face
	in    *io.PipeWriter
	lines *bufio.Scanner
	out   *io.PipeReader
	ended chan error
}

// connect speaks over stdio as alice.
func connect(t *testing.T, ctx context.Context, o mcpedge.Options) *pipe {
	return connectAs(t, ctx, o, mcpedge.Local{Agent: "alice", Remote: "stdio"})
}

// relayed is connect through a relay.
func relayed(t *testing.T, ctx context.Context, o mcpedge.Options) *pipe {
	return connectAs(t, ctx, o, mcpedge.Local{Agent: "alice", Remote: "local", Shut: func() error { return nil }})
}

func connectAs(t *testing.T, ctx context.Context, o mcpedge.Options, who mcpedge.Local) *pipe {
	t.Helper()
	p := &pipe{stage: newStage(), ended: make(chan error, 1)}
	p.face = mcpedge.New(p.stage, o)
	r, in := io.Pipe()
	out, w := io.Pipe()
	p.in, p.out, p.lines = in, out, bufio.NewScanner(out)
	p.lines.Buffer(nil, 8<<20)
	go func() {
		p.ended <- p.face.ServeStdio(ctx, r, w, who)
		r.Close()
		w.Close()
	}()
	return p
}

func (p *pipe) send(t *testing.T, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(p.in, l+"\n"); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *pipe) wants(t *testing.T, want string) {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("no more lines, want %s", want)
	}
	if got := p.lines.Text(); got != want {
		t.Errorf("line = %s, want %s", got, want)
	}
}

// asked takes a question and returns its id.
func (p *pipe) asked(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatal("no more lines, want a question")
	}
	id, _ := mcpwire.Field(p.lines.Bytes(), "id")
	if method, _ := mcpwire.FieldText(p.lines.Bytes(), "method"); method != mcpwire.MethodElicit || !mcpwire.IsString(id) {
		t.Errorf("line = %s, want a question", p.lines.Text())
	}
	return string(id)
}

func (p *pipe) end(t *testing.T) {
	t.Helper()
	p.in.Close()
	if p.lines.Scan() {
		t.Errorf("line after the end: %s", p.lines.Text())
	}
	if err := <-p.ended; err != nil {
		t.Errorf("ServeStdio: %v", err)
	}
}

var (
	initializeLine = strings.Replace(initialize, "REVISION", "2025-06-18", 1)
	initialized    = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

const greeting = `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"durward","version":"0"},"instructions":"Be <kind>."}}`

func TestStdioLegacy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.send(t, `{"jsonrpc":"2.0","id":"p","method":"ping"}`)
		p.wants(t, `{"jsonrpc":"2.0","id":"p","result":{}}`)
		p.send(t, call("1", "echo"))
		p.wants(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"This connection is not initialized"}}`)
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.send(t, initializeLine)
		p.wants(t, `{"jsonrpc":"2.0","id":0,"error":{"code":-32600,"message":"This connection is initialized already"}}`)
		p.send(t, initialized)
		synctest.Wait()
		p.emit(toolsChanged)
		p.wants(t, toolsChangedMessage)
		p.send(t, call(`"x"`, "raw"))
		p.wants(t, `{"jsonrpc":"2.0","id":"x","result":{   "content": [], "n": 1.0,   "big": 12345678901234567890 }}`)
		p.send(t, call("2", "ask"))
		id := p.asked(t)
		p.send(t, `{"jsonrpc":"2.0","id":`+id+`,"result":{"action":"decline"}}`)
		p.wants(t, `{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"answer: {\"action\":\"decline\"}"}]}}`)
		p.send(t, `{"half":`)
		p.wants(t, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error: unexpected end (byte 8)"}}`)
		p.send(t, `[`+call("1", "echo")+`]`)
		p.wants(t, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"A batch is not allowed in this revision"}}`)
		p.end(t)
		if n := p.open(); n != 0 {
			t.Errorf("%d sessions are open", n)
		}
		if n := p.watching(); n != 0 {
			t.Errorf("%d watches are open", n)
		}
		for _, c := range p.served {
			if c.Local != "alice" || c.Wire.Transport != "stdio" || c.Wire.Revision != "2025-06-18" || c.Session == nil {
				t.Errorf("call = %+v", c)
			}
		}
	})
}

func TestStdioModern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		body, _ := modern("1", "tools/call", `"name":"echo","arguments":{}`)
		p.send(t, body)
		p.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"{}"}]}}`)
		listen, _ := modern(`"L"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
		p.send(t, listen)
		p.wants(t, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"},"notifications":{"toolsListChanged":true}}}`)
		p.emit(toolsChanged)
		p.wants(t, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"}}}`)
		wait, _ := modern(`"w"`, "tools/call", `"name":"wait"`)
		p.send(t, wait)
		<-p.begun
		p.send(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}}`)
		<-p.stage.ended
		again := strings.Replace(body, `"id":1`, `"id":2`, 1)
		p.send(t, again) // the cancelled call gets no answer
		p.wants(t, `{"jsonrpc":"2.0","id":2,"result":{"resultType":"complete","content":[{"type":"text","text":"{}"}]}}`)
		future := strings.ReplaceAll(body, "2026-07-28", "2031-01-01")
		p.send(t, future)
		p.wants(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"2031-01-01"}}}`)
		p.in.Close()
		p.wants(t, `{"jsonrpc":"2.0","id":"L","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"},"resultType":"complete"}}`)
		p.end(t)
	})
}

func TestStdioAnswersBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		go func() {
			_, _ = io.WriteString(p.in, initializeLine+"\n"+initialized+"\n"+call("1", "wait"))
			p.in.Close()
			time.Sleep(time.Second)
			close(p.release)
		}()
		p.wants(t, greeting)
		p.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"released"}]}}`)
		p.end(t)
	})
}

func TestStdioDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{Linger: time.Second})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.send(t, call("1", "wait"))
		p.in.Close()
		<-p.stage.ended
		p.wants(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Cancelled.","data":{"reason":"cancelled"}}}`)
		p.end(t)
		if n := p.open(); n != 0 {
			t.Errorf("%d sessions are open", n)
		}
	})
}

func TestStdioEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := connect(t, ctx, mcpedge.Options{})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.send(t, call("1", "wait"))
		<-p.begun
		why := errors.New("enough")
		cancel(why)
		if err := <-p.ended; !errors.Is(err, why) {
			t.Errorf("ServeStdio = %v, want %v", err, why)
		}
		<-p.stage.ended
	})
}

func TestStdioDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.face.Drain()
		p.end(t)
	})
}

// What is under way when the gateway drains goes on to its end; what comes
// later is told that nothing was begun.
func TestStdioDrainsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{Linger: time.Second})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.send(t, call("1", "wait"))
		<-p.begun
		p.face.Drain()
		synctest.Wait()
		p.send(t, call("2", "echo"))
		p.wants(t, `{"jsonrpc":"2.0","id":2,"error":{"code":503,"message":"The gateway is shutting down and has not begun this; try again in a moment.","data":{"reason":"not_begun","retryAfterMs":2000}}}`)
		time.Sleep(time.Minute)
		close(p.release)
		p.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"released"}]}}`)
		p.end(t)
		if n := len(p.served); n != 1 {
			t.Errorf("%d calls were served, want 1", n)
		}
	})
}

// Each request of a batch that comes too late is told that it was not begun; what
// else is in it is taken.
func TestStdioDrainsBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := relayed(t, t.Context(), mcpedge.Options{})
		p.send(t, strings.Replace(initialize, "REVISION", "2025-03-26", 1))
		p.wants(t, strings.Replace(greeting, "2025-06-18", "2025-03-26", 1))
		p.send(t, call("1", "wait"))
		<-p.begun
		p.face.Drain()
		synctest.Wait()
		late := `{"jsonrpc":"2.0"%s,"error":{"code":503,"message":"The gateway is shutting down and has not begun this; try again in a moment.","data":{"reason":"not_begun","retryAfterMs":2000}}}`
		p.send(t, `[`+call(`"a"`, "echo")+`,{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}},`+call(`"b"`, "echo")+`,7]`)
		p.wants(t, fmt.Sprintf(`[`+late+`,`+late+`,`+late+`]`, `,"id":"a"`, `,"id":"b"`, ""))
		p.send(t, `[`+initialized+`]`)
		p.end(t)
		if n := len(p.served); n != 1 {
			t.Errorf("%d calls were served, want 1", n)
		}
	})
}

// A relay ends each of its lines. One without an end is a part of what it sends
// to the next gateway, and so is neither made nor answered here; from others,
// the last line needs no end.
func TestStdioPartsOfRequests(t *testing.T) {
	whole, _ := modern("1", "tools/call", `"name":"echo"`)
	for _, part := range []string{whole, whole[:len(whole)-20], strings.Replace(whole, "echo", strings.Repeat("x", 200), 1)} {
		synctest.Test(t, func(t *testing.T) {
			p := relayed(t, t.Context(), mcpedge.Options{Limits: mcpwire.Limits{Bytes: len(whole) + 100}})
			p.send(t, `{"jsonrpc":"2.0","id":"p","method":"ping"}`)
			if _, err := io.WriteString(p.in, part); err != nil {
				t.Fatal(err)
			}
			p.wants(t, `{"jsonrpc":"2.0","id":"p","result":{}}`)
			p.end(t)
			if n := len(p.served) + len(p.refusals()); n != 0 {
				t.Errorf("%d calls were served or refused, want none", n)
			}
		})
	}
}

func TestStdioQueuesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{SessionCalls: 2})
		body, _ := modern(`"w"`, "tools/call", `"name":"wait"`)
		for range 8 { // 2 run, 6 wait
			p.send(t, body)
		}
		synctest.Wait()
		if n := len(p.begun); n != 2 {
			t.Errorf("%d calls run, want 2", n)
		}
		p.send(t, body)
		p.wants(t, `{"jsonrpc":"2.0","id":"w","error":{"code":503,"message":"Too many requests wait on this connection; wait for answers.","data":{"reason":"overloaded","retryAfterMs":1000}}}`)
		close(p.release)
		for range 8 {
			p.wants(t, `{"jsonrpc":"2.0","id":"w","result":{"resultType":"complete","content":[{"type":"text","text":"released"}]}}`)
		}
		p.end(t)
	})
}

func TestStdioLineLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.send(t, strings.Repeat("x", 5<<20), `{"jsonrpc":"2.0","id":"p","method":"ping"}`)
		p.wants(t, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"The message could not be read: it is longer than 4194304 bytes"}}`)
		p.wants(t, `{"jsonrpc":"2.0","id":"p","result":{}}`)
		p.send(t, `{"jsonrpc":"2.0","id":"long","method":"ping","params":{"t":"`+strings.Repeat("x", 5<<20)+`"}}`)
		p.wants(t, `{"jsonrpc":"2.0","id":"long","error":{"code":-32600,"message":"The message could not be read: it is longer than 4194304 bytes"}}`)
		p.end(t)
	})
}

func TestStdioReopensAnIdleSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		p.forget("s-alice-1")
		p.send(t, call("1", "echo"))
		p.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"a\":1.0}"}]}}`)
		if s := p.served[0].Session; s == nil || s.Revision != "2025-06-18" || len(s.Client.Capabilities) == 0 {
			t.Errorf("session = %+v, want one like the first", s)
		}
		p.end(t)
	})
}

func TestStdioReaderWhoStopsReading(t *testing.T) {
	p := connect(t, t.Context(), mcpedge.Options{})
	p.send(t, initializeLine)
	p.wants(t, greeting)
	p.out.Close()
	go func() { _, _ = io.WriteString(p.in, call("1", "echo")+"\n") }()
	if err := within(t, p.ended, "the end"); err == nil {
		t.Error("ServeStdio with an agent that does not read = nil")
	}
}

func TestStdioStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.revoke("alice")
		for line, id := range map[string]string{initializeLine: `"id":0,`, call("1", "echo"): `"id":1,`, `{"half`: ``} {
			p.send(t, line)
			p.wants(t, `{"jsonrpc":"2.0",`+id+`"error":{"code":401,"message":"This key was revoked.","data":{"reason":"key_revoked"}}}`)
		}
		p.end(t)
	})
}

func TestHTTPSSE(t *testing.T) {
	h := open(t, mcpedge.Options{})
	w := h.stream(t, "GET", "/sse", "")
	at := w.next(t)
	if !strings.HasPrefix(at, "/messages?sid=") {
		t.Fatalf("endpoint = %s", at)
	}
	post := func(body string, hs ...string) {
		t.Helper()
		if r := h.do(t, "POST", at, body, hs...); r.StatusCode != 202 || r.body != "" {
			t.Errorf("POST %s = %d %s, want 202", body, r.StatusCode, r.body)
		}
	}
	post(strings.Replace(initialize, "REVISION", "2024-11-05", 1))
	if got := w.next(t); !strings.Contains(got, `"protocolVersion":"2024-11-05"`) {
		t.Errorf("greeting = %s", got)
	}
	post(initialized)
	soon(t, "the watch", func() bool { return h.watching() == 1 })
	h.emit(toolsChanged)
	w.wants(t, toolsChangedMessage)
	post(call("1", "echo"))
	w.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"a\":1.0}"}]}}`)
	post(`[` + call("2", "echo") + `]`)
	w.wants(t, `[{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"{\"a\":1.0}"}]}}]`)
	post(`{"half`)
	if got := w.next(t); !strings.Contains(got, "-32700") {
		t.Errorf("half a message = %s", got)
	}
	body, _ := modern("3", "tools/list", "")
	post(body)
	if got := w.next(t); !strings.Contains(got, `"id":3,"error":{"code":-32600`) {
		t.Errorf("modern message = %s", got)
	}

	for status, hs := range map[int]header{
		401: {"Authorization:"},
		404: {"Authorization:", "Authorization: Bearer " + keyOf("bob")},
		415: {"Content-Type:", "Content-Type: text/plain"},
	} {
		if r := h.do(t, "POST", at, call("1", "echo"), hs...); r.StatusCode != status {
			t.Errorf("POST with %v = %d, want %d", hs, r.StatusCode, status)
		}
	}
	post(call("4", "wait"))
	within(t, h.begun, "the call")
	w.leave()
	within(t, h.ended, "the end of the call")
	soon(t, "the end of the session", func() bool { return h.open() == 0 && h.watching() == 0 })
	if r := h.do(t, "POST", at, call("1", "echo")); r.StatusCode != 404 {
		t.Errorf("POST after the stream = %d, want 404", r.StatusCode)
	}
}

// A stream of /sse/NAME is about one upstream, its greeting and its calls.
func TestHTTPSSEOfOneUpstream(t *testing.T) {
	h := open(t, mcpedge.Options{})
	w := h.stream(t, "GET", "/sse/crm", "")
	at := w.next(t)
	for _, body := range []string{strings.Replace(initialize, "REVISION", "2024-11-05", 1), initialized, call("1", "echo")} {
		if r := h.do(t, "POST", at, body); r.StatusCode != 202 {
			t.Fatalf("POST = %d %s", r.StatusCode, r.body)
		}
	}
	w.next(t)
	w.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"a\":1.0}"}]}}`)
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.served[len(h.served)-1]; c.Endpoint != "crm" {
		t.Errorf("the call came to the endpoint %q, want crm", c.Endpoint)
	}
}
