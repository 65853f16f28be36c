package mcpedge_test

import (
	"context"
	"durward"
	"durward/internal/edge/mcpedge"
	"strings"
	"testing"
	"time"
)

var (
	toolsChanged = durward.Event{Method: "notifications/tools/list_changed"}
	fileUpdated  = durward.Event{Method: "notifications/resources/updated", Params: []byte(`{"uri":"file:///a"}`)}
)

const toolsChangedMessage = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

func TestStreamOfASession(t *testing.T) {
	h := open(t, mcpedge.Options{Return: time.Millisecond})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "GET", "/mcp", "", s)
	soon(t, "the watch", func() bool { return h.watching() == 1 })
	h.emit(toolsChanged)
	w.wants(t, toolsChangedMessage)
	h.emit(fileUpdated)
	w.wants(t, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///a"}}`)

	// The newest of several has it, and each message goes to one (MCP 2025-11-25).
	newest := h.stream(t, "GET", "/mcp", "", s)
	newest.event(t)
	h.emit(toolsChanged)
	newest.wants(t, toolsChangedMessage)
	conns := h.server.Conns()
	newest.leave()
	soon(t, "the end of the newest", func() bool { return h.server.Conns() < conns })
	h.emit(fileUpdated)
	w.wants(t, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///a"}}`)

	for range 4 { // but not of any number
		last := h.stream(t, "GET", "/mcp", "", s)
		last.event(t)
		defer last.leave()
	}
	w.wants(t, "EOF")
	h.do(t, "DELETE", "/mcp", "", s)
	soon(t, "the end of the watch", func() bool { return h.watching() == 0 })
}

func TestStreamEndsWithItsSession(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "GET", "/mcp", "", s)
	answered := make(chan reply, 1)
	go func() { answered <- h.post(t, call("1", "wait"), s) }()
	within(t, h.begun, "the call")
	h.do(t, "DELETE", "/mcp", "", s)
	w.wants(t, "EOF")
	within(t, h.ended, "the end of the call")
	within(t, answered, "the answer")
	if n := h.watching(); n != 0 {
		t.Errorf("%d watches are open", n)
	}
}

func TestStreamEndsWithTheKey(t *testing.T) {
	h := open(t, mcpedge.Options{KeepAlive: 10 * time.Millisecond})
	w := h.stream(t, "GET", "/mcp", "", h.session(t, "2025-11-25"))
	body, hs := modern("1", "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
	l := h.stream(t, "POST", "/mcp", body, hs...)
	l.next(t)
	sse := h.stream(t, "GET", "/sse", "")
	sse.next(t)
	h.revoke("alice")
	w.wants(t, "EOF")
	sse.wants(t, "EOF")
	if got := l.next(t); !strings.Contains(got, `"code":401`) {
		t.Errorf("listen ended with %s, want 401", got)
	}
}

func TestForgottenSession(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "GET", "/mcp", "", s)
	h.face.Forget(&durward.Session{ID: strings.TrimPrefix(s, "Mcp-Session-Id: ")})
	w.wants(t, "EOF")
}

func TestSubscriptions(t *testing.T) {
	h := open(t, mcpedge.Options{Return: time.Millisecond})
	s := h.session(t, "2025-11-25")
	subscribe := func(method, uri string) reply {
		return h.post(t, `{"jsonrpc":"2.0","id":1,"method":"resources/`+method+`","params":{"uri":"`+uri+`"}}`, s)
	}
	if r := subscribe("subscribe", "none:x"); !strings.Contains(r.body, `"code":-32002`) {
		t.Errorf("subscribe to nothing = %s, want -32002", r.body)
	}
	if n := h.watching(); n != 0 {
		t.Errorf("%d watches after a refusal, want 0", n)
	}
	for range 2 {
		if r := subscribe("subscribe", "file:///a"); r.body != `{"jsonrpc":"2.0","id":1,"result":{}}` {
			t.Errorf("subscribe = %s", r.body)
		}
	}
	h.emit(fileUpdated) // nobody listens yet: it waits
	w := h.stream(t, "GET", "/mcp", "", s)
	if got := w.next(t); !strings.Contains(got, "file:///a") {
		t.Errorf("event = %s", got)
	}
	w.leave()
	if r := subscribe("unsubscribe", "file:///a"); r.StatusCode != 200 {
		t.Errorf("unsubscribe = %s", r.body)
	}
	soon(t, "the end of the watch", func() bool { return h.watching() == 0 })
}

func TestListen(t *testing.T) {
	h := open(t, mcpedge.Options{})
	for _, id := range []string{`"L1"`, `7`} {
		body, hs := modern(id, "subscriptions/listen", `"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["file:///a","none:x"],"taskIds":["t"]}`)
		w := h.stream(t, "POST", "/mcp", body, hs...)
		tag := `"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}`
		w.wants(t, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{`+tag+`,"notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}}}`)
		h.emit(toolsChanged)
		w.wants(t, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{`+tag+`}}`)
		h.emit(durward.Event{Method: fileUpdated.Method, Params: []byte(`{"uri":"file:///a","_meta":{"v":1}}`)})
		w.wants(t, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///a","_meta":{"io.modelcontextprotocol/subscriptionId":`+id+`,"v":1}}}`)
		w.leave()
		soon(t, "the end of the watch", func() bool { return h.watching() == 0 })
	}
	for _, filter := range []string{`[]`, `{"toolsListChanged":1}`, `{"resourceSubscriptions":{}}`, `{"resourceSubscriptions":[1]}`} {
		body, hs := modern("1", "subscriptions/listen", `"notifications":`+filter)
		if r := h.post(t, body, hs...); !strings.Contains(r.body, `"code":-32602`) {
			t.Errorf("listen %s = %s, want -32602", filter, r.body)
		}
	}
}

func TestDrain(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	get := h.stream(t, "GET", "/mcp", "", s)
	body, hs := modern(`"L"`, "subscriptions/listen", `"notifications":{}`)
	listen := h.stream(t, "POST", "/mcp", body, hs...)
	listen.next(t)
	sse := h.stream(t, "GET", "/sse", "")
	sse.next(t)
	answered := make(chan reply, 1)
	go func() { answered <- h.post(t, call("1", "wait"), s) }()
	within(t, h.begun, "the call")

	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		stopped <- h.server.Shutdown(ctx)
	}()
	get.wants(t, "EOF")
	listen.wants(t, `{"jsonrpc":"2.0","id":"L","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"},"resultType":"complete"}}`)
	listen.wants(t, "EOF")
	sse.wants(t, "EOF")
	close(h.release)
	if r := within(t, answered, "the answer"); !strings.Contains(r.body, "released") {
		t.Errorf("a call under way got %s", r.body)
	}
	if err := within(t, stopped, "the end"); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownByForce(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	for _, hold := range []string{s, ""} {
		body, hs := call("1", "wait"), header{hold}
		if hold == "" {
			body, hs = modern("1", "tools/call", `"name":"wait"`)
		}
		go func() {
			if req, err := h.client.Do(h.request(t, body, hs)); err == nil {
				req.Body.Close()
			}
		}()
		within(t, h.begun, "the call")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := h.server.Shutdown(ctx); err == nil {
		t.Error("Shutdown with calls that never end = nil")
	}
	within(t, h.ended, "the end of one call")
	within(t, h.ended, "the end of the other")
}
