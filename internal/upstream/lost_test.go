package upstream_test

import (
	"bytes"
	"durward"
	"durward/internal/mcpwire"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// forget ends the sessions that a server keeps.
func forget(s *mcp.Server) {
	for ss := range s.Sessions() {
		_ = ss.Close()
	}
}

// sessions counts those that were initialized: the SDK has one for each
// server/discover under way, too.
func sessions(s *mcp.Server) (n int) {
	for ss := range s.Sessions() {
		if p := ss.InitializeParams(); p != nil && mcpwire.KnownLegacy(p.ProtocolVersion) {
			n++
		}
	}
	return n
}

// A session that the server forgot is opened again. What only reads is sent
// again, what may have had an effect is not.
func TestALostSessionIsOpenedAgain(t *testing.T) {
	h := new(atomic.Pointer[http.Handler])
	var old *mcp.Server
	fresh := func() {
		if old != nil {
			defer forget(old)
		}
		old = kit()
		next := streamable(old, false)
		h.Store(&next)
	}
	fresh()
	defer fresh()
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*h.Load()).ServeHTTP(w, r) }))
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
	var swapped time.Time
	again := func() { // not while the session for lists is still being opened: that is another story
		t.Helper()
		until(t, s, "calls and lists have a session each", func() bool { return sessions(old) == 2 && s.Listings()[0].Fetched.After(swapped) })
		fresh()
		swapped = time.Now()
	}
	call(t, s, modernAgent, "echo", `{"text":"x"}`)
	again()
	reply, err := s.Do(brief(t), modernAgent.request(t, "up", mcpwire.MethodPromptsGet, `{"name":"hello"}`), nil)
	if err != nil || !strings.Contains(string(reply.Result), "hi") {
		t.Errorf("reading over a lost session = %s %v, want the prompt", reply.Result, err)
	}
	again()
	r := modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"echo","arguments":{"text":"x"}}`)
	if _, err := s.Do(brief(t), r, nil); durward.AsError(err).Reason != durward.ReasonUpstreamUnavailable {
		t.Errorf("a call over a lost session = %v, want upstream_unavailable", err)
	}
	if text := call(t, s, modernAgent, "echo", `{"text":"again"}`); !strings.Contains(text, "again") {
		t.Errorf("the next call = %s", text)
	}
	again()
	r.Safe = true
	if _, err := s.Do(brief(t), r, nil); err != nil {
		t.Errorf("a safe call over a lost session = %v, want an answer", err)
	}
}

// A server that restarts while it is asked what it is, is asked once more. When
// that does not help, the caller is told that its call was not made.
func TestADiscoveryThatIsCutOff(t *testing.T) {
	for always, want := range map[bool]string{false: "", true: "before a call was made"} {
		var asked sync.Map // what was discovered with, by whoever did
		h := streamable(kit(), true)
		url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			m, _ := mcpwire.Scan(body, mcpwire.Limits{})
			if m.Method == mcpwire.MethodDiscover {
				if _, again := asked.LoadOrStore(string(m.Params), true); always || !again {
					w.Header().Set("Content-Type", "text/event-stream")
					_, _ = io.WriteString(w, ": soon\n\n")
					return
				}
			}
			h.ServeHTTP(w, r)
		}))
		s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
		_, err := s.Do(brief(t), modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"echo","arguments":{"text":"x"}}`), nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a call, discoveries cut off always %v = %v, want %q", always, err, want)
		}
	}
}
