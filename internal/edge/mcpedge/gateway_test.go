package mcpedge_test

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// stage is a gateway with two agents and a few tools that do what a test needs.
type stage struct {
	mu       sync.Mutex
	sessions map[string]*durward.Session
	watches  []*stageWatch
	refused  []string // method and reason of what was recorded as refused
	revoked  map[string]bool
	served   []durward.Call
	release  chan struct{}      // lets "wait" go on
	ended    chan error         // what ended "wait"
	begun    chan struct{}      // "wait" or "ask" has begun
	closed   []*durward.Session // sessions that were closed
	opened   int                // sessions, in all
	slow     time.Duration      // how long Admit takes
	lost     func()             // hears of answers that did not arrive
}

func newStage() *stage {
	return &stage{
		sessions: map[string]*durward.Session{}, revoked: map[string]bool{},
		release: make(chan struct{}), ended: make(chan error, 64), begun: make(chan struct{}, 64),
	}
}

// keyOf is the key of an agent of the stage.
func keyOf(agent string) string { return "key-of-" + agent + "-0123456789" }

func (g *stage) Admit(_ context.Context, c *durward.Call) error {
	time.Sleep(g.slow)
	if c.Method == "bug/admit" {
		panic("a bug of ours")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	name, ok := strings.CutPrefix(strings.TrimSuffix(c.Credential.Reveal(), "-0123456789"), "key-of-")
	if c.Local != "" {
		name, ok = c.Local, true
	}
	switch {
	case c.Credential.IsZero() && c.Local == "":
		return g.refuse(c, &durward.Error{Code: durward.Unauthenticated, Reason: durward.ReasonCredentialMissing, Message: "A key is needed."})
	case !ok:
		return g.refuse(c, &durward.Error{Code: durward.Unauthenticated, Reason: durward.ReasonKeyUnknown, Message: "This key is not known here."})
	case g.revoked[name]:
		return g.refuse(c, &durward.Error{Code: durward.Unauthenticated, Reason: durward.ReasonKeyRevoked, Message: "This key was revoked."})
	case c.Endpoint == "nowhere":
		return g.refuse(c, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonEndpointUnknown, Message: "There is no endpoint."})
	}
	c.Agent, c.KeyID = &durward.Agent{Name: name}, "k-"+name
	if name == "lax" {
		c.Agent.Compat = durward.Tolerant
	}
	if c.SessionID == "" || c.Session != nil {
		return nil
	}
	s := g.sessions[c.SessionID]
	if s == nil || s.Agent != name {
		return g.refuse(c, &durward.Error{Code: durward.SessionGone, Reason: durward.ReasonSessionUnknown, Message: "This session does not exist."})
	}
	c.Session, c.Client = s, s.Client
	return nil
}

// refuse is called with mu held.
func (g *stage) refuse(c *durward.Call, e *durward.Error) error {
	g.refused = append(g.refused, c.Method+" "+string(e.Reason))
	return e
}

func (g *stage) Refused(_ context.Context, c *durward.Call, e *durward.Error) {
	if c.Method == "bug/refused" {
		panic("a bug of ours")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.refuse(c, e)
}

func (g *stage) refusals() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.refused)
}

// Serve plays the tools.
func (g *stage) Serve(ctx context.Context, c *durward.Call, p durward.Peer) (durward.Reply, error) {
	c.Lost = g.lost
	g.mu.Lock()
	g.served = append(g.served, *c)
	g.mu.Unlock()
	text := func(s string) (durward.Reply, error) {
		r := `{"content":[{"type":"text","text":` + string(mcpwire.Quote(s)) + `}]}`
		if c.Wire.Modern {
			r = `{"resultType":"complete",` + r[1:]
		}
		return durward.Reply{Result: []byte(r), Modern: c.Wire.Modern}, nil
	}
	switch tool, arg, _ := strings.Cut(c.Asked, ":"); tool {
	case "echo":
		return text(string(c.Input.Arguments.Of(c.Input.Raw)))
	case "limited": // as a tool's result, or as an error
		limits := []durward.LimitState{
			{Name: "agent \"a\"", Unit: durward.UnitCalls, Most: 60, Left: 3, Window: time.Minute, Reset: 57 * time.Second},
			{Name: "at once", Unit: durward.UnitConcurrency, Most: 4, Left: 1},
		}
		if arg == "error" {
			return durward.Reply{}, &durward.Error{Code: durward.Limited, Reason: durward.ReasonRateLimited, Message: "Later.", Retry: 11500 * time.Millisecond, Limits: limits}
		}
		r, err := text("later")
		r.Retry, r.Limits = 11500*time.Millisecond, limits
		return r, err
	case "raw":
		return durward.Reply{Result: []byte("{\n  \"content\": [], \"n\": 1.0,\r\n \"big\": 12345678901234567890 }"), Modern: c.Wire.Modern}, nil
	case "progress":
		for i := range 3 {
			p.Notify(mcpwire.NotifyProgress, fmt.Appendf(nil, `{"progressToken":%s,"progress":%d}`, progressToken(c), i))
		}
		return text("done")
	case "asks": // several at once, as a modern server's input_required
		n, _ := strconv.Atoi(arg)
		answers := make([]string, n)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() { answers[i] = g.put(ctx, p, i) })
		}
		group.Wait()
		return text(strings.Join(answers, "; "))
	case "steps": // waits before the last
		for i := range 5 {
			if i == 4 {
				g.hold(ctx)
			}
			p.Notify(mcpwire.NotifyProgress, fmt.Appendf(nil, `{"progressToken":"t","progress":%d}`, i))
		}
		return text("done")
	case "tardy": // says more after its answer
		time.AfterFunc(50*time.Millisecond, func() {
			p.Notify(mcpwire.NotifyProgress, []byte(`{"progressToken":"t","progress":0}`))
			g.ended <- nil
		})
		return text("done")
	case "late", "big":
		p.Notify(mcpwire.NotifyProgress, []byte(`{"progressToken":"t","progress":0}`))
		g.hold(ctx)
		if tool == "big" {
			return text(strings.Repeat("x", 2<<20))
		}
		a, err := p.Ask(ctx, mcpwire.MethodElicit, []byte(`{"message":"Branch?","requestedSchema":{"type":"object","properties":{}}}`))
		if err != nil {
			return text("no answer: " + err.Error())
		}
		return text("answer: " + string(a))
	case "logs":
		for _, level := range []string{"debug", "info", "error"} {
			p.Notify(mcpwire.NotifyMessage, fmt.Appendf(nil, `{"level":%q,"data":"x"}`, level))
		}
		return text("done")
	case "ask":
		g.begun <- struct{}{}
		method := mcpwire.MethodElicit
		if arg != "" {
			method = arg
		}
		a, err := p.Ask(ctx, method, []byte(`{"message":"Branch?","requestedSchema":{"type":"object","properties":{}}}`))
		if err != nil {
			return text("no answer: " + err.Error())
		}
		return text("answer: " + string(a))
	case "wait":
		g.begun <- struct{}{}
		select {
		case <-g.release:
			return text("released")
		case <-ctx.Done():
			g.ended <- context.Cause(ctx)
			return durward.Reply{}, &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "Cancelled.", Err: ctx.Err()}
		}
	case "flood":
		for range 5000 {
			p.Notify(mcpwire.NotifyMessage, []byte(`{"level":"info","data":"`+strings.Repeat("x", 2000)+`"}`))
		}
		return text("flooded")
	case "fail":
		return durward.Reply{}, errorNamed(arg)
	case "modern":
		return durward.Reply{Modern: true, Result: []byte(`{"resultType":"complete","content":[{"type":"text","text":"hi"}],"structuredContent":[1,2]}`)}, nil
	case "needy":
		return durward.Reply{Modern: true, Result: []byte(`{"resultType":"input_required","requestState":"x"}`)}, nil
	case "old":
		return durward.Reply{Result: []byte(`{"content":[{"type":"text","text":"hi"}]}`)}, nil
	case "broken":
		return durward.Reply{Error: &durward.RPCError{Code: -32099, Raw: []byte(`{"code":-32099,"message":"upstream's own","data":{"x":1.0}}`)}}, nil
	case "visit":
		return durward.Reply{Error: &durward.RPCError{Code: mcpwire.CodeURLElicitationRequired, Message: "visit", Raw: []byte(visitError),
			Data: []byte(`{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x.example/go","message":"Sign in"}]}`)}}, nil
	case "panic":
		panic("a bug of ours")
	}
	return durward.Reply{}, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonOperationUnknown, Message: "Unknown tool: " + c.Asked}
}

// put asks one question and tells its answer.
func (g *stage) put(ctx context.Context, p durward.Peer, i int) string {
	a, err := p.Ask(ctx, mcpwire.MethodElicit, fmt.Appendf(nil, `{"message":"%d","requestedSchema":{"type":"object","properties":{}}}`, i))
	var rpc *durward.RPCError
	switch {
	case errors.As(err, &rpc):
		return fmt.Sprintf("%d refused with %d", i, rpc.Code)
	case err != nil:
		return fmt.Sprintf("%d failed: %v", i, err)
	}
	action, _ := mcpwire.FieldText(a, "action")
	return fmt.Sprintf("%d %s", i, action)
}

// hold waits until the test lets go.
func (g *stage) hold(ctx context.Context) {
	select {
	case <-g.release:
	case <-ctx.Done():
	}
}

// progressToken is the one of the call, or "t".
func progressToken(c *durward.Call) string {
	if t, ok := mcpwire.Path(c.Input.Raw, "_meta", "progressToken"); ok {
		return string(t)
	}
	return `"t"`
}

// errorNamed makes the error that a test asks for by its code.
func errorNamed(code string) error {
	for c := durward.Internal; c <= durward.LoopDetected; c++ {
		if fmt.Sprint(uint8(c)) == code {
			return &durward.Error{Code: c, Reason: "test", Message: "As asked.", Err: errors.New("secret cause")}
		}
	}
	return errors.New("secret of a foreign error")
}

func (g *stage) List(_ context.Context, c *durward.Call) (durward.Reply, error) {
	field := mcpwire.ListField(c.Method)
	if field == "prompts" {
		return durward.Reply{}, mcpwire.MethodNotFound(c.Method)
	}
	r := `{"` + field + `":[]}`
	if field == "tools" {
		r = `{"tools":[{"name":"echo","inputSchema":{"type":"object"}},{"name":"progress","inputSchema":{"type":"object"}},{"name":"ask","inputSchema":{"type":"object"}}]}`
	}
	if c.Wire.Modern {
		r = `{"resultType":"complete","ttlMs":0,"cacheScope":"private",` + r[1:]
	}
	return durward.Reply{Result: []byte(r), Modern: c.Wire.Modern}, nil
}

func (g *stage) Describe(context.Context, *durward.Call) (durward.Description, error) {
	return durward.Description{Capabilities: []byte(`{"tools":{"listChanged":true}}`), Instructions: "Be <kind>.", TTL: 60000}, nil
}

func (g *stage) OpenSession(_ context.Context, c *durward.Call, s durward.Session) (*durward.Session, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened++
	s.ID = fmt.Sprintf("s-%s-%d", c.Agent.Name, g.opened)
	s.Agent, s.Created = c.Agent.Name, time.Now()
	g.sessions[s.ID] = &s
	return &s, nil
}

func (g *stage) CloseSession(_ context.Context, c *durward.Call) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, c.SessionID)
	g.closed = append(g.closed, c.Session)
	return nil
}

func (g *stage) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sessions)
}

func (g *stage) revoke(agent string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revoked[agent] = true
}

func (g *stage) forget(session string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, session)
}

func (g *stage) Watch(_ context.Context, _ *durward.Call, t durward.Topics) (durward.Watch, error) {
	w := &stageWatch{events: make(chan durward.Event, 64)}
	_ = w.Set(context.Background(), t)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watches = append(g.watches, w)
	return w, nil
}

// emit tells every open watch.
func (g *stage) emit(e durward.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.watches {
		w.emit(e)
	}
}

// watching counts the watches that are open.
func (g *stage) watching() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.watches {
		if !w.isClosed() {
			n++
		}
	}
	return n
}

// stageWatch grants everything but prompts and URIs that are no file.
type stageWatch struct {
	mu      sync.Mutex
	granted durward.Topics
	events  chan durward.Event
	closed  bool
}

func (w *stageWatch) Granted() durward.Topics {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.granted
}

func (w *stageWatch) Events() <-chan durward.Event { return w.events }

func (w *stageWatch) Set(_ context.Context, t durward.Topics) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Prompts = false
	t.URIs = slices.DeleteFunc(slices.Clone(t.URIs), func(u string) bool { return !strings.HasPrefix(u, "file:") })
	w.granted = t
	return nil
}

func (w *stageWatch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.events)
	}
}

func (w *stageWatch) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

func (w *stageWatch) emit(e durward.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	select {
	case w.events <- e:
	default:
	}
}
