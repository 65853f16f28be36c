package model

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// older is a server with sessions, over Streamable HTTP.
type older struct {
	*stage
	newest string // the newest revision that it speaks

	mu       sync.Mutex // guards sessions
	sessions map[string]*olderSession
}

// olderSession is one session.
type olderSession struct {
	revision string
	out      sender         // of one that has a single stream
	calls    sync.WaitGroup // on it
	left     bool           // it has ended; guarded by older.mu

	mu      sync.Mutex // guards what follows
	pending map[string]chan message
	running map[string]context.CancelFunc
	count   int
}

func newOlder(t *testing.T, s *stage, newest string) string {
	o := &older{stage: s, newest: newest, sessions: map[string]*olderSession{}}
	srv := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/mcp"
}

func (o *older) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	s := o.sessions[r.Header.Get("Mcp-Session-Id")]
	o.mu.Unlock()
	switch {
	case strings.HasPrefix(r.URL.Path, "/sse"):
		o.sse(w, r)
	case r.Method == http.MethodPost:
		o.post(w, r, s)
	case s == nil:
		http.Error(w, "no session", http.StatusNotFound)
	case r.Method == http.MethodDelete:
		s.end()
		w.WriteHeader(http.StatusOK)
	default:
		e := &eventStream{w: w}
		e.begin()
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// sse is the transport of 2024-11-05: all that the server says comes on one
// stream.
func (o *older) sse(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		o.postSSE(w, r)
		return
	}
	if r.URL.Path != "/sse" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	e := &eventStream{w: w}
	o.mu.Lock()
	id := fmt.Sprintf("sse-%d", len(o.sessions)+1)
	s := o.open(message{})
	s.revision, s.out = o.newest, e
	o.sessions[id] = s
	o.mu.Unlock()
	e.mu.Lock()
	e.begin()
	fmt.Fprintf(w, "event: endpoint\ndata: /sse/%s\n\n", id)
	_ = http.NewResponseController(w).Flush()
	e.mu.Unlock()
	<-r.Context().Done()
	s.end()
	o.mu.Lock()
	s.left = true // what comes from now on would be answered on a stream that is no more
	o.mu.Unlock()
	s.calls.Wait()
}

func (o *older) postSSE(w http.ResponseWriter, r *http.Request) {
	var m message
	raw, err := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.sessions[strings.TrimPrefix(r.URL.Path, "/sse/")]
	if err != nil || json.Unmarshal(raw, &m) != nil || s == nil || s.left {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.calls.Go(func() { o.take(s, m, s.out) })
	w.WriteHeader(http.StatusAccepted)
}

func (o *older) post(w http.ResponseWriter, r *http.Request, s *olderSession) {
	var m message
	raw, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(raw, &m) != nil {
		http.Error(w, "no message", http.StatusBadRequest)
		return
	}
	switch {
	case m.Method == "initialize":
		s = o.open(m)
		o.mu.Lock()
		id := fmt.Sprintf("session-%d", len(o.sessions)+1)
		o.sessions[id] = s
		o.mu.Unlock()
		w.Header().Set("Mcp-Session-Id", id)
	case s == nil:
		http.Error(w, "no session", http.StatusNotFound)
		return
	case m.Method == "" || m.ID == nil:
		o.take(s, m, nil)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	o.take(s, m, &eventStream{w: w, whole: m.Method != "tools/call"})
}

// open makes the session that an initialize asks for.
func (o *older) open(m message) *olderSession {
	var p struct{ ProtocolVersion string }
	_ = json.Unmarshal(m.Params, &p)
	return &olderSession{revision: min(p.ProtocolVersion, o.newest), pending: map[string]chan message{}, running: map[string]context.CancelFunc{}}
}

// take takes one message of a session; what it has to say goes to out.
func (o *older) take(s *olderSession, m message, out sender) {
	switch {
	case m.Method == "":
		s.answered(m)
	case m.ID == nil:
		s.notified(m)
	case m.Method == "initialize":
		reply(out, m.ID, fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{},"logging":{}},"serverInfo":{"name":"older","version":"1"}}`, s.revision))
	case m.Method == "tools/call":
		o.call(s, m, out)
	case m.Method == "tools/list":
		reply(out, m.ID, `{"tools":[`+tool+`]}`)
	case m.Method == "ping" || m.Method == "logging/setLevel":
		reply(out, m.ID, `{}`)
	default:
		unknown(out, m.ID)
	}
}

func (s *olderSession) answered(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.pending[string(m.ID)]; c != nil {
		delete(s.pending, string(m.ID))
		c <- m
	}
}

// end cancels what is under way.
func (s *olderSession) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.running {
		cancel()
	}
}

func (s *olderSession) notified(m message) {
	if m.Method != "notifications/cancelled" {
		return
	}
	var p struct{ RequestID json.RawMessage }
	_ = json.Unmarshal(m.Params, &p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[string(p.RequestID)]; cancel != nil {
		cancel()
	}
}

// call runs a script on a stream. A connection that closes cancels nothing.
func (o *older) call(s *olderSession, m message, out sender) {
	var p called
	if err := json.Unmarshal(m.Params, &p); err != nil {
		panic(err) // the gateway broke what the client sent
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.mu.Lock()
	s.running[string(m.ID)] = cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, string(m.ID))
	}()
	c := &olderCaller{session: s, out: out}
	o.begins(p.Arguments)
	result, err := o.play(ctx, p.Arguments, 0, p.Meta.Token, c)
	if err != nil {
		return // cancelled: no answer
	}
	reply(out, m.ID, result)
}

// olderCaller is the client on the stream of one call.
type olderCaller struct {
	session *olderSession
	out     sender
}

func (c *olderCaller) notify(method, params string) {
	c.out.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":%s}`, method, params))
}

func (c *olderCaller) ask(ctx context.Context, qs []question) (map[string]string, error) {
	s := c.session
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	out := map[string]string{}
	for _, q := range qs {
		heard := make(chan message, 1)
		s.mu.Lock()
		s.count++
		id := fmt.Sprintf(`"ask-%d"`, s.count)
		s.pending[id] = heard
		s.mu.Unlock()
		group.Go(func() {
			c.out.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, q.method(), q.params(s.revision)))
			err := errRefused
			select {
			case m := <-heard:
				if m.Error == nil {
					mu.Lock()
					defer mu.Unlock()
					out[q.key()] = compact(m.Result)
					return
				}
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(patience):
				err = fmt.Errorf("%s got no answer", q.key())
			}
			mu.Lock()
			defer mu.Unlock()
			failed = err
		})
	}
	group.Wait()
	return out, failed
}

// eventStream answers a request: with events, or with one message as a whole.
type eventStream struct {
	mu    sync.Mutex // guards w
	w     http.ResponseWriter
	whole bool
	begun bool
}

func (e *eventStream) send(msg string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.whole {
		e.w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(e.w, msg) // who left does not hear
		return
	}
	e.begin()
	_, _ = io.WriteString(e.w, "event: message\ndata: "+msg+"\n\n")
	_ = http.NewResponseController(e.w).Flush()
}

// begin is called with mu held.
func (e *eventStream) begin() {
	if !e.begun {
		e.begun = true
		e.w.Header().Set("Content-Type", "text/event-stream")
		e.w.WriteHeader(http.StatusOK)
	}
}

// compact is JSON without the freedom of its form.
func compact(raw []byte) string {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "no JSON: " + string(raw)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// sorted makes keys comparable.
func sorted(keys []string) string {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return strings.Join(keys, " ")
}
