package mcpedge_test

import (
	"durward/internal/edge/mcpedge"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// What there is no room for leaves a record like every other refusal.

func TestCallsOverTheLimitsAreRecorded(t *testing.T) {
	for what, o := range map[string]mcpedge.Options{"the gateway's": {Calls: 1}, "the session's": {SessionCalls: 1}} {
		h := open(t, o)
		s := h.session(t, "2025-11-25")
		done := make(chan reply, 1)
		go func() { done <- h.post(t, call("1", "wait"), s) }()
		within(t, h.begun, "the call")
		if r := h.post(t, call("2", "echo"), s); r.StatusCode != 503 {
			t.Errorf("call over %s limit = %d", what, r.StatusCode)
		}
		if got := h.refusals(); !slices.Equal(got, []string{"tools/call overloaded"}) {
			t.Errorf("recorded over %s limit: %q", what, got)
		}
		close(h.release)
		within(t, done, "the answer")
	}
}

func TestRequestsThatALinkTurnsAwayAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{SessionCalls: 1})
		send := func(id int) {
			body, _ := modern(fmt.Sprintf(`"w%d"`, id), "tools/call", `"name":"wait"`)
			p.send(t, body)
		}
		for id := range 4 { // the first runs, three wait
			send(id)
			synctest.Wait()
		}
		send(4)
		p.wants(t, `{"jsonrpc":"2.0","id":"w4","error":{"code":503,"message":"Too many requests wait on this connection; wait for answers.","data":{"reason":"overloaded","retryAfterMs":1000}}}`)
		for id := 3; id >= 0; id-- { // the first at last, so that nobody takes its turn
			p.send(t, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w%d"}}`, id))
			synctest.Wait()
		}
		got := p.refusals()
		slices.Sort(got)
		want := []string{"tools/call cancelled", "tools/call cancelled", "tools/call cancelled", "tools/call overloaded"}
		if !slices.Equal(got, want) {
			t.Errorf("recorded: %q, want %q", got, want)
		}
		p.end(t)
	})
}

func TestSubscriptionsOverTheLimitAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		p.send(t, initializeLine)
		p.wants(t, greeting)
		for i := range 501 {
			p.send(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"file:///%d"}}`, i))
			if !p.lines.Scan() {
				t.Fatal("no answer")
			}
		}
		if got := p.lines.Text(); !strings.Contains(got, "overloaded") {
			t.Errorf("subscription 501 = %s", got)
		}
		if got := p.refusals(); !slices.Equal(got, []string{"resources/subscribe overloaded"}) {
			t.Errorf("recorded: %q", got)
		}
		p.end(t)
	})
}
