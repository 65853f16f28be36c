package upstream_test

import (
	"context"
	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"durward/internal/upstream/stdio"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The test binary is also the watchdog, and a few stdio servers, of its own tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "watchdog" {
		stdio.Watch(os.Stdin, os.Args[2])
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "server" {
		os.Exit(serveStdio(os.Args[2], os.Args[3:]))
	}
	flag.Parse()
	_ = flag.Set("test.parallel", "16") // what is parallel here waits for most of its time
	os.Exit(durwardtest.LeakFree(m))
}

// eras remembers in memory, as the store does on disk.
type eras struct {
	mu sync.Mutex
	m  map[string]string
}

func (e *eras) Era(key string) (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, ok := e.m[key]
	return v, ok
}

func (e *eras) SetEra(key, era string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.m == nil {
		e.m = map[string]string{}
	}
	e.m[key] = era
}

func (e *eras) only(t *testing.T) string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.m) != 1 {
		t.Fatalf("eras = %v, want one", e.m)
	}
	for _, v := range e.m {
		return v
	}
	return ""
}

// newSet returns a set with upstreams, closed when the test ends.
func newSet(t testing.TB, change func(*upstream.Options), ups ...durward.Upstream) *upstream.Set {
	t.Helper()
	o := upstream.Options{Log: testLog(t), Watchdog: []string{os.Args[0], "watchdog"}}
	if change != nil {
		change(&o)
	}
	s := upstream.New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Close(ctx)
	})
	s.Apply(ups)
	return s
}

func testLog(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// agent says how a call is made.
type agent struct {
	revision string
	caps     string
	level    string
	name     string
	session  string
}

var (
	modernAgent = agent{revision: mcpwire.V20260728, name: "a"}
	legacyAgent = agent{revision: mcpwire.V20251125, name: "a", session: "s1"}
)

// request makes a request as the edge and the pipeline would.
func (a agent) request(t testing.TB, up, method, params string) *upstream.Request {
	t.Helper()
	modern := mcpwire.Modern(a.revision)
	if modern {
		meta := `{"` + mcpwire.MetaProtocolVersion + `":"` + a.revision + `","` + mcpwire.MetaClientCapabilities + `":` + or(a.caps, "{}")
		if a.level != "" {
			meta += `,"` + mcpwire.MetaLogLevel + `":"` + a.level + `"`
		}
		meta += `,"progressToken":"mine"}`
		params = string(mcpwire.AddField([]byte(params), "_meta", []byte(meta)))
	}
	p, err := mcpwire.ReadPayload([]byte(params))
	if err != nil {
		t.Fatalf("params %s: %v", params, err)
	}
	return &upstream.Request{
		Upstream: up, Method: method, Payload: &p, Modern: modern, Revision: a.revision,
		Agent: a.name, Session: a.session,
		Client: durward.Client{Capabilities: []byte(or(a.caps, "{}")), Info: []byte(`{"name":"tester","version":"1"}`), LogLevel: a.level},
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// peer keeps what a server says during a call and answers what it asks.
type peer struct {
	mu     sync.Mutex
	notes  []note
	answer func(method string, params []byte) ([]byte, error)
	asked  []string
	serial bool // answers one question at a time
}

type note struct{ method, params string }

func (p *peer) Notify(method string, params []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, note{method, string(params)})
}

func (p *peer) Ask(_ context.Context, method string, params []byte) ([]byte, error) {
	p.mu.Lock()
	p.asked = append(p.asked, method)
	answer := p.answer
	if p.serial {
		defer p.mu.Unlock()
	} else {
		p.mu.Unlock()
	}
	if answer == nil {
		return nil, durward.ErrCannotAsk
	}
	return answer(method, params)
}

func (p *peer) of(method string) (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.notes {
		if n.method == method {
			out = append(out, n.params)
		}
	}
	return out
}

func brief(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// kit builds a server of the official SDK with a bit of everything.
func kit() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "kit", Version: "3"}, &mcp.ServerOptions{
		Instructions:       "be kind",
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		CompletionHandler: func(_ context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{r.Params.Argument.Value + "!"}}}, nil
		},
	})
	kitTools(s)
	s.AddResource(&mcp.Resource{URI: "test://one", Name: "one"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "test://one", Text: "1"}}}, nil
	})
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "test://t/{id}", Name: "t"}, func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, Text: "t"}}}, nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "hello"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "hi"}}}}, nil
	})
	return s
}

type nothing struct{}

type echo struct {
	Text string `json:"text"`
}

func say(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

func kitTools(s *mcp.Server) {
	mcp.AddTool(s, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in echo) (*mcp.CallToolResult, any, error) {
		return say(in.Text), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "talk"}, func(ctx context.Context, r *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		for i := range 3 {
			_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: float64(i)})
		}
		_ = r.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "debug", Data: "fine"})
		_ = r.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "warning", Data: "careful"})
		return say("talked"), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallToolRequest, in echo) (*mcp.CallToolResult, any, error) {
		waits.begin(in.Text)
		select {
		case <-ctx.Done():
			waits.end(in.Text)
		case <-time.After(2 * time.Minute):
		}
		return say("waited"), nil, ctx.Err()
	})
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, func(ctx context.Context, r *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		res, err := r.Session.Elicit(ctx, &mcp.ElicitParams{Message: "sure?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"b": map[string]any{"type": "string"}}}})
		if err != nil {
			return nil, nil, err
		}
		return say("user said " + res.Action), nil, nil
	})
}

// waits tells tests of calls that were begun and cancelled in this process.
var waits = &register{begun: map[string]chan struct{}{}, ended: map[string]chan struct{}{}}

type register struct {
	mu           sync.Mutex
	begun, ended map[string]chan struct{}
	last         int
}

func (r *register) of(m map[string]chan struct{}, id string) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m[id] == nil {
		m[id] = make(chan struct{})
	}
	return m[id]
}

// id returns a name for one call of a test.
func (r *register) id(t testing.TB) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	return fmt.Sprintf("%s %d", t.Name(), r.last)
}

func (r *register) begin(id string) { close(r.of(r.begun, id)) }
func (r *register) end(id string)   { close(r.of(r.ended, id)) }

func within(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("%s: not within a minute", what)
	}
}

// serveHTTP serves a handler and ends it with the test.
func serveHTTP(t testing.TB, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

func streamable(s *mcp.Server, stateless bool) http.Handler {
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{
		Stateless: stateless, PropagateRequestCancellation: true,
	})
}

// kinds are the ways in which the kit can be reached.
var kinds = map[string]func(t testing.TB, s *mcp.Server) durward.Upstream{
	"modern": func(t testing.TB, s *mcp.Server) durward.Upstream {
		return durward.Upstream{Name: "up", URL: serveHTTP(t, streamable(s, true))}
	},
	"legacy": func(t testing.TB, s *mcp.Server) durward.Upstream {
		t.Cleanup(func() { forget(s) }) // those that were opened and then not wanted
		return durward.Upstream{Name: "up", URL: serveHTTP(t, streamable(s, false))}
	},
	"sse": func(t testing.TB, s *mcp.Server) durward.Upstream {
		return durward.Upstream{Name: "up", URL: serveHTTP(t, mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, nil))}
	},
	"stdio": func(t testing.TB, _ *mcp.Server) durward.Upstream {
		return durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "kit"}}
	},
	"stdio legacy": func(t testing.TB, _ *mcp.Server) durward.Upstream {
		return durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "kit"}, Era: "legacy"}
	},
}

// serveStdio is a stdio server of this binary.
func serveStdio(kind string, args []string) int {
	if kind == "kit" {
		if err := kit().Run(context.Background(), &mcp.StdioTransport{}); err != nil {
			return 1
		}
		return 0
	}
	if kind == "announcer" {
		return serveAnnouncer(args[0])
	}
	return serveHostile(kind, args)
}
