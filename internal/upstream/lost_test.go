package upstream_test

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
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

// A session that the server forgot is opened again, and what was sent in it is
// sent again: the server did not take it up.
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
	for _, safe := range []bool{false, true} {
		again()
		r := modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"echo","arguments":{"text":"x"}}`)
		r.Safe = safe
		if reply, err := s.Do(brief(t), r, nil); err != nil || !strings.Contains(string(reply.Result), `"x"`) {
			t.Errorf("a call over a lost session, safe %v = %s %v, want its answer", safe, reply.Result, err)
		}
	}
}

// What a server may answer a call with whose session it has ended, and what
// that says of a call that has effects.
func TestACallInALostSession(t *testing.T) {
	const unknown, notMade, answered = "had an effect is not known", "It was not made", "no such customer"
	plain := func(status int) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, _ string) { http.Error(w, "no such session", status) }
	}
	always := func(int32) bool { return true }
	first := func(n int32) bool { return n == 1 }
	cases := map[string]struct {
		ends  func(n int32) bool // of the posts of the call
		with  func(w http.ResponseWriter, id string)
		posts int32
		err   string // "" for an answer
	}{
		"404":                      {first, plain(404), 2, ""},
		"404 for the next as well": {always, plain(404), 2, notMade},
		"404 and an error of no id": {first, func(w http.ResponseWriter, _ string) {
			respond(w, 404, `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`)
		}, 2, ""},
		"404 and an error of the call's id": {first, func(w http.ResponseWriter, id string) {
			respond(w, 404, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32001,"message":"Session not found"}}`)
		}, 2, ""},
		"404 and such an error of a gateway": {first, func(w http.ResponseWriter, id string) {
			respond(w, 404, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":404,"message":"This session does not exist or has ended; initialize again."}}`)
		}, 2, ""},
		"404 and such an error in words": {first, func(w http.ResponseWriter, id string) {
			respond(w, 404, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32600,"message":"Session not found"}}`)
		}, 2, ""},
		"404 and another error of the call": {first, func(w http.ResponseWriter, id string) {
			respond(w, 404, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32002,"message":"no such customer"}}`)
		}, 1, answered},
		"404 and a result after all": {first, func(w http.ResponseWriter, id string) { respond(w, 404, fine(id)) }, 1, unknown},
		"404 and events": {first, func(w http.ResponseWriter, id string) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "data: "+fine(id)+"\n\n")
		}, 1, unknown},
		"400 with words of a session": {first, plain(400), 1, unknown},
		"410":                         {first, plain(410), 1, unknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var posts atomic.Int32
			s := newSet(t, nil, badHTTP(t, false, func(w http.ResponseWriter, _ *http.Request, id string) {
				if c.ends(posts.Add(1)) {
					c.with(w, id)
					return
				}
				respond(w, 200, fine(id))
			}))
			reply, err := s.Do(brief(t), legacyAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), nil)
			switch {
			case posts.Load() != c.posts:
				t.Errorf("posted %d times, want %d", posts.Load(), c.posts)
			case c.err == answered && (err != nil || reply.Error == nil || reply.Error.Message != answered):
				t.Errorf("= %s %v, want the server's error", reply.Result, err)
			case c.err == answered:
			case c.err == "" && (err != nil || !strings.Contains(string(reply.Result), "fine")):
				t.Errorf("= %s %v, want the answer of the second", reply.Result, err)
			case c.err != "" && (err == nil || !strings.Contains(durward.AsError(err).Message, c.err)):
				t.Errorf("= %v, want %q", err, c.err)
			case errors.Is(err, upstream.ErrNotMade) != (c.err == notMade):
				t.Errorf("= %v; told to be not made %v", err, !(c.err == notMade))
			}
		})
	}
}

// A server that ends each session before anything is called in it leaves no
// doubt about calls.
func TestASessionThatIsEndedAtOnce(t *testing.T) {
	up := badHTTP(t, false, func(w http.ResponseWriter, _ *http.Request, id string) { respond(w, 200, fine(id)) })
	behind := proxyTo(t, up.URL)
	up.URL = serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(mcpwire.HeaderSession) != "" {
			http.Error(w, "no such session", http.StatusNotFound)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	s := newSet(t, nil, up)
	_, err := s.Do(brief(t), legacyAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), nil)
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamUnavailable || !strings.Contains(e.Message, "before a call was made") || !errors.Is(err, upstream.ErrNotMade) {
		t.Errorf("= %v, want that no call was made", err)
	}
}

func proxyTo(t *testing.T, to string) http.Handler {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(u)
}

// A server that said something of a call had it, whatever it answers in the end.
func TestACallThatWasHeardOfIsNotMadeAgain(t *testing.T) {
	var posts atomic.Int32
	var progress string
	speak, p := make(chan struct{}), &ears{heard: make(chan struct{})}
	up := badHTTP(t, false, func(w http.ResponseWriter, _ *http.Request, id string) {
		if posts.Add(1) == 1 {
			progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + id + `,"progress":1}}`
			close(speak)
			within(t, "the progress is heard", p.heard)
		}
		http.Error(w, "no such session", http.StatusNotFound)
	})
	behind := proxyTo(t, up.URL)
	up.URL = serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // the same, with GET streams
		if r.Method != http.MethodGet {
			behind.ServeHTTP(w, r)
			return
		}
		events(w)
		select {
		case <-speak:
			events(w, progress)
		case <-r.Context().Done():
		}
	}))
	s := newSet(t, nil, up)
	a := agent{revision: legacyAgent.revision, name: "a", session: "s1", caps: `{"roots":{}}`} // for which its session listens
	_, err := s.Do(brief(t), a.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{},"_meta":{"progressToken":"mine"}}`), p)
	if err == nil || posts.Load() != 1 || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("posted %d times: %v, want once, and that its effect is not known", posts.Load(), err)
	}
}

// ears tell when they hear something.
type ears struct {
	peer
	heard chan struct{}
}

func (e *ears) Notify(string, []byte) { close(e.heard) }

// Over HTTP+SSE the address that is posted to is the session.
func TestACallToAnAddressThatIsGone(t *testing.T) {
	for status, want := range map[int]string{404: "", 410: "", 400: "had an effect is not known"} {
		var made, refused atomic.Int32
		server := kit()
		mcp.AddTool(server, &mcp.Tool{Name: "pay"}, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			made.Add(1)
			return say("paid"), nil, nil
		})
		h := mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil)
		url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if bytes.Contains(body, []byte(`"pay"`)) && refused.Add(1) == 1 {
				http.Error(w, "no such session", status)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			h.ServeHTTP(w, r)
		}))
		s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
		call(t, s, legacyAgent, "echo", `{"text":"x"}`)
		_, err := s.Do(brief(t), legacyAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"pay","arguments":{}}`), nil)
		switch {
		case want == "" && (err != nil || made.Load() != 1):
			t.Errorf("%d: made %d times, %v; want once", status, made.Load(), err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || made.Load() != 0):
			t.Errorf("%d: made %d times, %v; want never, and %q", status, made.Load(), err, want)
		}
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
