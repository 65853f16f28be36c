package mcphttp_test

import (
	"context"
	"durward/internal/durwardtest"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

func endpoint(t *testing.T, h http.Handler) mcphttp.Endpoint {
	t.Helper()
	s := httptest.NewServer(h)
	client := httpwire.NewClient(httpwire.ClientOptions{})
	t.Cleanup(func() {
		client.Close()
		s.CloseClientConnections()
		s.Close()
	})
	u, err := url.Parse(s.URL + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	return mcphttp.Endpoint{
		Client: client, URL: u, Counters: &link.Counters{}, Log: slog.New(slog.DiscardHandler), Agent: "durward/test",
		Header: http.Header{"Authorization": {"Bearer secret"}},
	}
}

// ids mints ids.
type ids struct{ n atomic.Uint64 }

func (i *ids) next() uint64 { return i.n.Add(1) }

func options(i *ids, stream bool) mcphttp.Options {
	return mcphttp.Options{
		Hello:  link.Hello{Revision: mcpwire.V20251125, Capabilities: []byte(`{"roots":{}}`), Info: []byte(`{"name":"x","version":"1"}`)},
		NextID: i.next, Stream: stream,
	}
}

// session is an older server: it does the handshake and hands the rest on.
type session struct {
	mu    sync.Mutex
	seen  []string // method and headers of what came
	calls func(w http.ResponseWriter, r *http.Request, m *mcpwire.Message)
	get   func(w http.ResponseWriter, r *http.Request)
}

func (s *session) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, _ := mcpwire.Scan(body, mcpwire.Limits{})
	s.mu.Lock()
	s.seen = append(s.seen, fmt.Sprintf("%s %s session=%s version=%s auth=%s", r.Method, m.Method,
		r.Header.Get(mcpwire.HeaderSession), r.Header.Get(mcpwire.HeaderVersion), r.Header.Get("Authorization")))
	s.mu.Unlock()
	switch {
	case m.Method == mcpwire.MethodInitialize:
		w.Header().Set(mcpwire.HeaderSession, "sess-1")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(mcpwire.AppendResult(nil, m.ID, []byte(`{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`)))
	case r.Method == http.MethodGet && s.get != nil:
		s.get(w, r)
	case r.Method == http.MethodDelete:
	case m.Kind == mcpwire.Request && s.calls != nil:
		s.calls(w, r, &m)
	case m.Kind == mcpwire.Response && s.calls != nil:
		w.WriteHeader(http.StatusAccepted)
		s.calls(w, r, &m)
	case m.Kind == mcpwire.Notification:
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *session) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func events(w http.ResponseWriter, raw string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, raw)
	_ = http.NewResponseController(w).Flush()
}

func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, s *session, stream bool) (*mcphttp.Legacy, *ids) {
	t.Helper()
	i := &ids{}
	l, err := mcphttp.OpenLegacy(brief(t), endpoint(t, s), options(i, stream))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.Background()) })
	return l, i
}

// The handshake, the headers of what follows it, and the end of a session.
func TestALegacySessionFromBeginningToEnd(t *testing.T) {
	s := &session{calls: func(w http.ResponseWriter, _ *http.Request, m *mcpwire.Message) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(mcpwire.AppendResult(nil, m.ID, []byte(`{"ok":1.0}`)))
	}}
	l, i := open(t, s, false)
	a, err := l.Do(brief(t), &link.Call{ID: i.next(), Method: "tools/call", Params: mcpwire.Whole([]byte(`{"name":"x"}`))})
	if err != nil || string(a.Result) != `{"ok":1.0}` {
		t.Errorf("Do = %s %v, want the result as sent", a.Result, err)
	}
	l.Close(brief(t))
	want := []string{
		"POST initialize session= version= auth=Bearer secret",
		"POST notifications/initialized session=sess-1 version=2025-06-18 auth=Bearer secret",
		"POST tools/call session=sess-1 version=2025-06-18 auth=Bearer secret",
		"DELETE  session=sess-1 version=2025-06-18 auth=Bearer secret",
	}
	if got := s.log(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the server saw\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, err := l.Do(brief(t), &link.Call{ID: i.next(), Method: "tools/call"}); err == nil {
		t.Error("Do after Close succeeded")
	}
}

// A stream that the server closed early is taken up where it ended, after the
// time that the server asked for, and only by a GET (MCP 2025-11-25).
func TestAStreamClosedEarlyIsTakenUp(t *testing.T) {
	var id []byte
	var gets []string
	var closed time.Time
	s := &session{}
	s.calls = func(w http.ResponseWriter, _ *http.Request, m *mcpwire.Message) {
		id = m.ID
		events(w, "id: s1-0\ndata: \n\nretry: 300\n\nid: s1-1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n")
		closed = time.Now()
	}
	s.get = func(w http.ResponseWriter, r *http.Request) {
		gets = append(gets, r.Header.Get(mcpwire.HeaderLastEvent))
		switch len(gets) {
		case 1:
			if waited := time.Since(closed); waited < 250*time.Millisecond {
				t.Errorf("taken up after %v, want 300ms", waited)
			}
			events(w, "id: s1-2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n")
		default:
			events(w, "id: s1-3\ndata: "+string(mcpwire.AppendResult(nil, id, []byte(`{}`)))+"\n\n")
		}
	}
	l, i := open(t, s, false)
	heard := &listener{}
	if _, err := l.Do(brief(t), &link.Call{ID: i.next(), Method: "tools/call", Peer: heard}); err != nil {
		t.Fatalf("Do: %v", err)
	}
	if fmt.Sprint(gets) != "[s1-1 s1-2]" || heard.count() != 2 {
		t.Errorf("taken up at %v with %d notifications, want [s1-1 s1-2] and 2", gets, heard.count())
	}
}

type listener struct {
	mu    sync.Mutex
	notes []string
	ask   func(method string) ([]byte, error)
}

func (l *listener) Notify(method string, params []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, method+" "+string(params))
}

func (l *listener) Ask(_ context.Context, method string, _ []byte) ([]byte, error) {
	if l.ask == nil {
		return nil, errors.New("nobody")
	}
	return l.ask(method)
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.notes)
}

// What a server says on the GET stream belongs to the only call in flight; a
// ping is answered, and what belongs to no call goes to nobody.
func TestTheGetStreamOfASession(t *testing.T) {
	stream := make(chan string, 10)
	answers := make(chan string, 10)
	release := make(chan struct{})
	s := &session{}
	s.get = func(w http.ResponseWriter, r *http.Request) {
		events(w, ": hello\n\n")
		for {
			select {
			case data := <-stream:
				events(w, "data: "+data+"\n\n")
			case <-r.Context().Done():
				return
			}
		}
	}
	s.calls = func(w http.ResponseWriter, _ *http.Request, m *mcpwire.Message) {
		if m.Kind == mcpwire.Response {
			answers <- string(m.Raw)
			return
		}
		<-release
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(mcpwire.AppendResult(nil, m.ID, []byte(`{}`)))
	}
	l, i := open(t, s, true)
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-answers:
			if !strings.Contains(got, want) {
				t.Errorf("answered %s, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no answer, want %s", want)
		}
	}
	stream <- `{"jsonrpc":"2.0","id":"p","method":"ping"}`
	expect(`"p","result":{}`)
	stream <- `{"jsonrpc":"2.0","id":"e0","method":"elicitation/create","params":{}}`
	expect(`"e0","error":{"code":-32601`)

	heard := &listener{ask: func(string) ([]byte, error) { return []byte(`{"action":"accept"}`), nil }}
	done := make(chan error, 1)
	call := &link.Call{ID: i.next(), Method: "tools/call", Progress: []byte(`"theirs"`), Peer: heard}
	go func() {
		_, err := l.Do(brief(t), call)
		done <- err
	}()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(strings.Join(s.log(), " "), "tools/call"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the call did not arrive")
		}
	}
	stream <- `{"jsonrpc":"2.0","id":7,"method":"elicitation/create","params":{}}`
	expect(`"id":7,"result":{"action":"accept"}`)
	stream <- fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%d,"progress":1}}`, call.ID)
	stream <- `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":99,"progress":1}}`
	stream <- `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}`
	for deadline := time.Now().Add(time.Minute); heard.count() < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if got := strings.Join(heard.notes, "\n"); !strings.Contains(got, `"progressToken":"theirs"`) || strings.Contains(got, "99") {
		t.Errorf("heard %s, want the progress under the caller's token and no other", got)
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("Do: %v", err)
	}
}

// A question that is pending when its caller leaves is answered all the same,
// and the call is withdrawn.
func TestACallerThatLeavesWhileAsked(t *testing.T) {
	got := make(chan string, 10)
	s := &session{}
	s.calls = func(w http.ResponseWriter, r *http.Request, m *mcpwire.Message) {
		if m.Kind == mcpwire.Response {
			got <- string(m.Raw)
			return
		}
		events(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{}}\n\n")
		<-r.Context().Done()
	}
	l, i := open(t, s, false)
	ctx, cancel := context.WithCancel(t.Context())
	asked := &leaving{leave: cancel}
	if _, err := l.Do(ctx, &link.Call{ID: i.next(), Method: "tools/call", Peer: asked}); !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want cancelled", err)
	}
	select {
	case a := <-got:
		if !strings.Contains(a, `"id":1,"error"`) {
			t.Errorf("answer %s, want an error", a)
		}
	case <-time.After(time.Minute):
		t.Error("the pending question was not answered")
	}
	l.Close(brief(t))
	if log := strings.Join(s.log(), " "); !strings.Contains(log, mcpwire.NotifyCancelled) {
		t.Errorf("the server saw %s, want the call withdrawn", log)
	}
}

type leaving struct{ leave func() }

func (l *leaving) Notify(string, []byte) {}
func (l *leaving) Ask(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	l.leave()
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestHandshakesThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, id []byte)
		want   link.Kind
	}{
		"a modern server": {func(w http.ResponseWriter, id []byte) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_, _ = w.Write(mcpwire.AppendError(nil, id, mcpwire.UnsupportedVersion("2025-11-25")))
		}, link.WrongEra},
		"no MCP server":       {func(w http.ResponseWriter, _ []byte) { http.NotFound(w, nil) }, link.WrongEra},
		"no credentials":      {func(w http.ResponseWriter, _ []byte) { w.WriteHeader(401) }, link.Refused},
		"an unknown revision": {func(w http.ResponseWriter, id []byte) { answer(w, id, `{"protocolVersion":"1999-01-01"}`) }, link.Garbled},
		"a modern revision":   {func(w http.ResponseWriter, id []byte) { answer(w, id, `{"protocolVersion":"2026-07-28"}`) }, link.Garbled},
		"no revision":         {func(w http.ResponseWriter, id []byte) { answer(w, id, `{}`) }, link.Garbled},
	} {
		t.Run(name, func(t *testing.T) {
			e := endpoint(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				m, _ := mcpwire.Scan(body, mcpwire.Limits{})
				c.answer(w, m.ID)
			}))
			_, err := mcphttp.OpenLegacy(brief(t), e, options(&ids{}, true))
			if kind, ok := link.KindOf(err); !ok || kind != c.want {
				t.Errorf("OpenLegacy = %v (kind %d), want kind %d", err, kind, c.want)
			}
		})
	}
}

func answer(w http.ResponseWriter, id []byte, result string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(mcpwire.AppendResult(nil, id, []byte(result)))
}

// Credentials are posted only to the origin that the operator declared.
func TestTheEndpointOfAStreamIsOfTheSameOrigin(t *testing.T) {
	var foreign atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	defer elsewhere.Close()
	for _, name := range []string{elsewhere.URL + "/x", "//evil.example/x", "https://127.0.0.1/x", "http://user:pw@127.0.0.1/x", "::bad", "javascript:1"} {
		e := endpoint(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				events(w, "event: endpoint\ndata: "+name+"\n\n")
				<-r.Context().Done()
				return
			}
			w.WriteHeader(http.StatusAccepted)
		}))
		_, err := mcphttp.OpenSSE(brief(t), e, options(&ids{}, false))
		if kind, ok := link.KindOf(err); !ok || kind != link.Garbled {
			t.Errorf("endpoint %s: %v, want a refusal", name, err)
		}
	}
	if foreign.Load() != 0 {
		t.Errorf("%d requests went elsewhere", foreign.Load())
	}
}

func TestAStreamThatNamesNoEndpoint(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"it ends":   func(w http.ResponseWriter, _ *http.Request) { events(w, "event: other\ndata: x\n\n") },
		"it floods": func(w http.ResponseWriter, _ *http.Request) { events(w, strings.Repeat("data: x\n\n", 1000)) },
		"it hangs": func(w http.ResponseWriter, r *http.Request) {
			events(w, ":\n\n")
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if _, err := mcphttp.OpenSSE(ctx, endpoint(t, serve), options(&ids{}, false)); err == nil {
				t.Error("OpenSSE succeeded")
			}
		})
	}
}
