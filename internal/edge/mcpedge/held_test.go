package mcpedge_test

import (
	"durward/internal/edge"
	"durward/internal/edge/mcpedge"
	"durward/internal/httpwire"
	"strings"
	"testing"
	"testing/synctest"
)

// large is a call that says more than is read without being counted.
func large(id, tool string) string {
	return strings.Replace(call(id, tool), "1.0", `"`+strings.Repeat("x", 200<<10)+`"`, 1)
}

// TestBodiesOfWaitingCallsStayCounted: a POST of HTTP+SSE is answered at once,
// but what it brought stays in memory until its call ends.
func TestBodiesOfWaitingCallsStayCounted(t *testing.T) {
	h := openWith(t, mcpedge.Options{}, edge.Options{Body: httpwire.BodyOptions{Held: 300 << 10}})
	w := h.stream(t, "GET", "/sse", "")
	at := w.next(t)
	post := func(body string) int { return h.do(t, "POST", at, body).StatusCode }
	if got := post(strings.Replace(initialize, "REVISION", "2024-11-05", 1)); got != 202 {
		t.Fatalf("initialize = %d", got)
	}
	w.next(t)
	if got := post(large("1", "wait")); got != 202 {
		t.Errorf("first large call = %d, want 202", got)
	}
	within(t, h.begun, "the call")
	if got := post(large("2", "wait")); got != 503 {
		t.Errorf("large call beside it = %d, want 503", got)
	}
	if got := h.refusals(); len(got) != 1 {
		t.Errorf("recorded: %q, want the refused call", got)
	}
	close(h.release)
	w.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"released"}]}}`)
	soon(t, "room", func() bool { return post(large("3", "wait")) == 202 })
	w.wants(t, `{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"released"}]}}`)
}

// TestBytesThatWaitOnOneLinkAreBounded, however many requests they are. One
// request alone always has room.
func TestBytesThatWaitOnOneLinkAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{LinkBytes: 100 << 10})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		for range 2 {
			p.send(t, large("1", "wait"))
			<-p.begun
			p.send(t, call("2", "echo"))
			p.wants(t, `{"jsonrpc":"2.0","id":2,"error":{"code":503,"message":"The requests that wait on this connection are too large together; wait for answers.","data":{"reason":"overloaded","retryAfterMs":1000}}}`)
			p.release <- struct{}{}
			p.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"released"}]}}`)
			synctest.Wait()
		}
		p.end(t)
	})
}
