package mcpedge_test

import (
	"durward"
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A stream of 2025-11-25 begins with a place to come back to, and every event
// has an id that is its own in the session.
func TestStreamsArePrimed(t *testing.T) {
	h := open(t, mcpedge.Options{})
	for revision, primed := range map[string]bool{"2025-11-25": true, "2025-06-18": false} {
		s := h.session(t, revision)
		seen := map[string]bool{}
		for range 2 {
			w := h.stream(t, "POST", "/mcp", call("1", "progress"), s)
			for i := 0; ; i++ {
				e := w.event(t)
				if string(e.Data) == "EOF" {
					break
				}
				if isPrime := len(e.Data) == 0; isPrime != (primed && i == 0) || isPrime != (e.Retry > 0) {
					t.Errorf("%s: event %d = %+v", revision, i, e)
				}
				if e.ID == "" || seen[e.ID] {
					t.Errorf("%s: event %d has the id %q, which is none or used", revision, i, e.ID)
				}
				seen[e.ID] = true
			}
		}
	}
}

func TestBrokenStreamIsResumed(t *testing.T) {
	h := open(t, mcpedge.Options{})
	for _, revision := range []string{"2025-03-26", "2025-11-25"} {
		s := h.session(t, revision)
		w := h.stream(t, "POST", "/mcp", call("1", "steps"), s)
		var last mcpwire.Event
		for last = w.event(t); !strings.Contains(string(last.Data), `"progress":1}`); last = w.event(t) {
		}
		w.leave() // with two more to come before the tool waits
		again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+last.ID, "Accept:", "Accept: text/event-stream")
		again.wants(t, progress(2))
		again.wants(t, progress(3))
		h.release <- struct{}{}
		again.wants(t, progress(4))
		again.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`)
		again.wants(t, "EOF")

		// Read to its end it is still there for a while, and only from where it is asked for.
		whole := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+last.ID)
		whole.wants(t, progress(2))
		end := whole.event(t)
		for string(end.Data) != "EOF" && !strings.Contains(string(end.Data), `"result"`) {
			end = whole.event(t)
		}
		if r := h.do(t, "GET", "/mcp", "", s, "Last-Event-ID: "+end.ID); r.StatusCode != 204 {
			t.Errorf("nothing left = %d %s, want 204", r.StatusCode, r.body)
		}
	}
}

func progress(n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":%d}}`, n)
}

// The answer to a call whose agent is away waits for it.
func TestAnswerWaits(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "steps"), s)
	place := w.event(t)
	w.leave()
	h.release <- struct{}{}
	soon(t, "the end of the connection", func() bool { return h.server.Conns() == 0 })
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place.ID)
	for i := range 5 {
		again.wants(t, progress(i))
	}
	if got := again.next(t); !strings.Contains(got, `"id":1,"result"`) {
		t.Errorf("answer = %s", got)
	}
	again.wants(t, "EOF")
}

// A silent call can be come back to as well, once its stream has begun.
func TestSilentCallIsResumed(t *testing.T) {
	h := open(t, mcpedge.Options{KeepAlive: 10 * time.Millisecond})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "wait"), s)
	place := w.event(t)
	w.leave()
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place.ID)
	if e := again.event(t); e.ID == "" || len(e.Data) > 0 {
		t.Errorf("first event = %+v, want a new place", e)
	}
	close(h.release)
	again.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"released"}]}}`)
}

// A question that was put while the agent was away reaches it when it is back.
func TestQuestionWaits(t *testing.T) {
	h := open(t, mcpedge.Options{KeepAlive: 10 * time.Millisecond})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "late"), s)
	place := w.event(t)
	w.leave()
	h.release <- struct{}{}
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place.ID)
	again.wants(t, progress(0))
	id, _ := mcpwire.Field([]byte(again.next(t)), "id")
	h.post(t, `{"jsonrpc":"2.0","id":`+string(id)+`,"result":{"action":"accept"}}`, s)
	if got := again.next(t); !strings.Contains(got, "answer: ") {
		t.Errorf("answer = %s", got)
	}
}

func TestOnlyTheStreamThatWasBroken(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	a := h.stream(t, "POST", "/mcp", call(`"a"`, "steps"), s)
	placeA := a.event(t)
	b := h.stream(t, "POST", "/mcp", call(`"b"`, "steps"), s)
	placeB := b.event(t)
	a.leave()
	h.release <- struct{}{}
	h.release <- struct{}{}
	for range 5 {
		b.next(t)
	}
	if got := b.next(t); !strings.Contains(got, `"id":"b"`) {
		t.Errorf("the other stream got %s", got)
	}
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+placeA.ID)
	for range 5 {
		again.next(t)
	}
	if got := again.next(t); !strings.Contains(got, `"id":"a"`) {
		t.Errorf("the resumed stream got %s", got)
	}
	// Neither another agent nor another session of the same one comes near it.
	other := h.session(t, "2025-11-25")
	bob := "Authorization: Bearer " + keyOf("bob")
	for _, c := range []struct {
		hs   header
		want int
	}{
		{header{other, "Last-Event-ID: " + placeB.ID}, 204},
		{header{s, "Last-Event-ID: " + placeB.ID, "Authorization:", bob}, 404},
		{header{"Mcp-Session-Id: dead", "Last-Event-ID: " + placeB.ID}, 404},
		{header{s, "Last-Event-ID: 99-0"}, 204},
		{header{s, "Last-Event-ID: 1-99"}, 204},
	} {
		if r := h.do(t, "GET", "/mcp", "", c.hs...); r.StatusCode != c.want {
			t.Errorf("GET with %v = %d %s, want %d", c.hs, r.StatusCode, r.body, c.want)
		}
	}
}

// Two connections never write the same stream: the later one has it.
func TestResumedTwice(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "steps"), s)
	place := w.event(t)
	for range 4 {
		w.next(t)
	}
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place.ID)
	again.wants(t, progress(0))
	last := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place.ID)
	for i := range 4 {
		last.wants(t, progress(i))
	}
	h.release <- struct{}{}
	last.wants(t, progress(4))
	if got := last.next(t); !strings.Contains(got, `"result"`) {
		t.Errorf("answer = %s", got)
	}
	for got := again.next(t); got != "EOF"; got = again.next(t) {
		if strings.Contains(got, `"result"`) || got == progress(4) {
			t.Errorf("the stream before got %s too", got)
		}
	}
	for got := w.next(t); got != "EOF"; got = w.next(t) {
		t.Errorf("the stream of the POST got %s too", got)
	}
}

// What happened while nobody heard is told, or that anything may have.
func TestNewsAreResumed(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "GET", "/mcp", "", s)
	w.event(t)
	h.emit(toolsChanged)
	first := w.event(t)
	h.emit(fileUpdated)
	w.next(t)
	w.leave()
	soon(t, "the end of the connection", func() bool { return h.server.Conns() == 0 })
	h.emit(toolsChanged)
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+first.ID)
	if got := again.next(t); !strings.Contains(got, "file:///a") {
		t.Errorf("first missed event = %s", got)
	}
	again.wants(t, toolsChangedMessage)
	if n := h.watching(); n != 1 {
		t.Errorf("%d watches, want the one from before", n)
	}
}

func TestNewsAfterALongAbsence(t *testing.T) {
	h := open(t, mcpedge.Options{Return: time.Millisecond})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "GET", "/mcp", "", s)
	place := w.event(t)
	w.leave()
	soon(t, "the end of the watch", func() bool { return h.watching() == 0 })
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place.ID)
	again.wants(t, toolsChangedMessage)
	again.wants(t, `{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`)
	foreign := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: 0-1000")
	foreign.wants(t, toolsChangedMessage)
	for _, id := range []string{"x", "0", "-", "1-", "01-2", "+1-2", "1-2-3", "18446744073709551616-1"} {
		w := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+id)
		soon(t, "the watch", func() bool { return h.watching() == 1 })
		h.emit(fileUpdated)
		if got := w.next(t); !strings.Contains(got, "file:///a") {
			t.Errorf("with %q: %s, want a plain new stream", id, got)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	h := open(t, mcpedge.Options{Kept: 1 << 20})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "big"), s)
	place := w.event(t)
	w.leave()
	h.release <- struct{}{}
	soon(t, "the end of the connection", func() bool { return h.server.Conns() == 0 })
	again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place.ID)
	var got string
	for next := again.next(t); next != "EOF"; next = again.next(t) {
		got = next
	}
	if !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":1,"error":`) {
		t.Errorf("last event = %.200s, want an error in place of the answer", got)
	}
	if n := h.face.Kept(); n > 1<<20 {
		t.Errorf("%d bytes are kept, want at most 1 MiB", n)
	}
	h.do(t, "DELETE", "/mcp", "", s)
	if n := h.face.Kept(); n != 0 {
		t.Errorf("%d bytes are kept of a session that has ended", n)
	}
}

// What was written may not have arrived: who comes back for an answer that
// made room for others is told so, and not that there is nothing.
func TestAnAnswerThatMadeRoomIsMissed(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	var places []string
	for i := range 3 { // of 2 MiB each, two of which there is no room for
		w := h.stream(t, "POST", "/mcp", call(strconv.Itoa(i), "big"), s)
		places = append(places, w.event(t).ID)
		h.release <- struct{}{}
		for w.next(t) != "EOF" {
		}
	}
	for i, place := range places {
		again := h.stream(t, "GET", "/mcp", "", s, "Last-Event-ID: "+place)
		got := ""
		for next := again.next(t); next != "EOF"; next = again.next(t) {
			got = next
		}
		want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"error":{"code":-32603,"message":"The answer came while`, i)
		if i == len(places)-1 {
			want = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":`, i)
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("stream %d ends with %.120q, want %s", i, got, want)
		}
	}
}

// Whatever was read is let go of in time, so that nobody pays for streams of
// the past.
func TestMemoryFades(t *testing.T) {
	h := open(t, mcpedge.Options{})
	var sessions []string
	for range 20 {
		s := h.session(t, "2025-11-25")
		sessions = append(sessions, s)
		for range 100 {
			h.post(t, call("1", "progress"), s)
		}
	}
	if n := h.face.Kept(); n == 0 || n > 20*64*2048 {
		t.Errorf("%d bytes are kept of 2000 streams in 20 sessions", n)
	}
	for _, s := range sessions {
		h.face.Forget(&durward.Session{ID: strings.TrimPrefix(s, "Mcp-Session-Id: ")})
	}
	if n := h.face.Kept(); n != 0 {
		t.Errorf("%d bytes are kept of sessions that have ended", n)
	}
}
