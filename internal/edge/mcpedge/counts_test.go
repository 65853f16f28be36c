package mcpedge_test

import (
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// counted checks what was counted, and that nothing else was.
func counted(t *testing.T, f *mcpedge.Face, want map[string]uint64) {
	t.Helper()
	for name, n := range f.Counts() {
		if n != want[name] {
			t.Errorf("%s = %d, want %d", name, n, want[name])
		}
	}
}

// accepting is an answer to a question.
func accepting(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"action":"accept","content":{"b":"main"}}}`
}

func TestWhatGoesByIsCounted(t *testing.T) {
	h := open(t, mcpedge.Options{AnswerTime: 200 * time.Millisecond})
	s, other := h.session(t, "2025-11-25"), h.session(t, "2025-11-25")
	for _, harmless := range []string{"initialized", "roots/list_changed", "progress"} {
		h.post(t, `{"jsonrpc":"2.0","method":"notifications/`+harmless+`"}`, s)
	}
	counted(t, h.face, nil)

	h.post(t, `{"jsonrpc":"2.0","method":"notifications/nonsense"}`, s)
	h.post(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, s)
	h.post(t, `{"jsonrpc":"2.0","method":"notifications/cancelled"}`, s)

	w := h.stream(t, "POST", "/mcp", call("1", "ask"), s)
	id, _ := mcpwire.Field([]byte(w.next(t)), "id")
	answer := accepting(string(id))
	h.post(t, answer, other)                                                   // foreign
	h.post(t, accepting(`"durward-999"`), s)                                   // made up
	h.post(t, answer, s)                                                       // good
	h.post(t, answer, s)                                                       // twice
	h.post(t, `{"jsonrpc":"2.0","id":null,"result":{}}`, s)                    // refused: no id
	h.post(t, `{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"x"}}`, s) // made up
	w.next(t)
	w.wants(t, "EOF")

	w = h.stream(t, "POST", "/mcp", call("2", "ask"), s) // not answered
	id, _ = mcpwire.Field([]byte(w.next(t)), "id")
	w.next(t)
	w.next(t)
	h.post(t, accepting(string(id)), s) // late
	h.post(t, call("3", "ask:sampling/createMessage"), s)
	counted(t, h.face, map[string]uint64{
		"notices_unknown": 1, "cancels_late": 2, "answers_unasked": 5, "questions_lapsed": 1, "questions_held": 1,
	})
}

func TestFloodIsCounted(t *testing.T) {
	h := open(t, mcpedge.Options{})
	r := h.post(t, call("1", "flood"), h.session(t, "2025-11-25"))
	heard := uint64(len(events(t, r.body)) - 1)
	if lost := h.face.Counts()["news_lost"]; heard+lost != 5000 {
		t.Errorf("%d of 5000 messages were heard and %d counted as lost", heard, lost)
	}
}

// What a server says of a call that has ended goes nowhere.
func TestLateNewsAreCounted(t *testing.T) {
	h := open(t, mcpedge.Options{})
	r := h.post(t, call("1", "tardy"), h.session(t, "2025-11-25"))
	if !strings.Contains(r.body, `"result"`) || strings.Contains(r.body, "progress") {
		t.Errorf("answer = %s", r.body)
	}
	within(t, h.ended, "the late news")
	if n := h.face.Counts()["news_late"]; n != 1 {
		t.Errorf("news_late = %d, want 1", n)
	}
}

// A request and its cancellation may come in one write.
func TestStdioCancelledAtOnce(t *testing.T) {
	for _, revision := range []string{"2025-06-18", "2026-07-28"} {
		synctest.Test(t, func(t *testing.T) {
			p := connect(t, t.Context(), mcpedge.Options{})
			line := call("1", "wait")
			if revision == "2026-07-28" {
				line, _ = modern("1", "tools/call", `"name":"wait"`)
			} else {
				p.send(t, initializeLine)
				p.wants(t, greeting)
			}
			for range 50 {
				p.send(t, line+"\n"+`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
			}
			synctest.Wait()
			if n := p.face.Counts()["cancels_late"]; n != 0 {
				t.Errorf("%s: %d cancellations found no call", revision, n)
			}
			p.end(t) // and none got an answer
		})
	}
}

// A stateless agent ends a subscription over stdio by cancelling it, and hears
// no more of it.
func TestStdioListenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		listen, _ := modern(`"L"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`)
		p.send(t, listen)
		p.wants(t, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"},"notifications":{"toolsListChanged":true}}}`)
		p.send(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"L"}}`)
		synctest.Wait()
		if n := p.watching(); n != 0 {
			t.Errorf("%d watches are open", n)
		}
		p.emit(toolsChanged)
		p.end(t)
	})
}
