package mcpedge

import (
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Options tune a Face; zero values take the defaults.
type Options struct {
	Server []byte         // raw JSON Implementation: our name and version
	Limits mcpwire.Limits // of one message
	Log    *slog.Logger   // nil is silent

	Calls        int           // under way at a time, of all agents; default 4096
	SessionCalls int           // under way at a time in one session or connection; default 64
	LinkBytes    int64         // of the requests under way and waiting on one connection; default 32 MiB
	Batch        int           // messages in a batch (MCP 2025-03-26); default 64
	Questions    int           // of servers that wait for one agent in one session; default 64
	AnswerTime   time.Duration // for the agent to answer one; default 5 min
	CallTime     time.Duration // for a call whose agent may have left; default 30 min
	KeepAlive    time.Duration // how long a stream is silent at most; default 15 s
	Linger       time.Duration // for calls under way when stdio ends; default 5 s
	Return       time.Duration // for an agent to come back to a stream on which it heard news; default 30 s
	Kept         int64         // bytes of streams that agents may come back to, of all; default 64 MiB
}

func (o Options) withDefaults() Options {
	if o.Server == nil {
		o.Server = []byte(`{"name":"durward","version":"0"}`)
	}
	setDefault(&o.Calls, 4096)
	setDefault(&o.SessionCalls, 64)
	setDefault(&o.LinkBytes, 32<<20)
	setDefault(&o.Batch, 64)
	setDefault(&o.Questions, 64)
	setDefault(&o.AnswerTime, 5*time.Minute)
	setDefault(&o.CallTime, 30*time.Minute)
	setDefault(&o.KeepAlive, 15*time.Second)
	setDefault(&o.Linger, 5*time.Second)
	setDefault(&o.Return, 30*time.Second)
	setDefault(&o.Kept, 64<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Face speaks MCP with agents, over HTTP and over stdio. It is safe for
// concurrent use. Make one with [New].
type Face struct {
	gw      Gateway
	opts    Options
	methods map[string]method
	talks   conversations // of sessions over Streamable HTTP
	links   links         // of HTTP+SSE connections
	calls   atomic.Int64  // under way
	kept    budget        // of what sessions remember
	counts  counts

	rechecks pulse
	base     context.Context // of calls that outlive their connection
	stop     context.CancelFunc
	draining chan struct{}
	drain    sync.Once
}

var _ edge.Lane = (*Face)(nil)

// New returns a face of the gateway.
func New(gw Gateway, o Options) *Face {
	f := &Face{gw: gw, opts: o.withDefaults(), draining: make(chan struct{})}
	f.base, f.stop = context.WithCancel(context.Background())
	f.methods = f.table()
	f.kept.most = f.opts.Kept
	f.counts.of = map[string]faults{}
	f.counts.faults = make(map[mcpwire.Fault]*atomic.Uint64)
	for _, fault := range mcpwire.Faults() {
		f.counts.faults[fault] = new(atomic.Uint64)
	}
	f.talks.live = make(map[string]*conversation)
	f.links.live = make(map[string]*link)
	return f
}

// Routes are the paths of the agent lane.
func (f *Face) Routes() []edge.Route {
	return []edge.Route{
		{Path: "/mcp", Serve: f.streamable},
		{Path: "/mcp/{name}", Serve: f.streamable},
		{Path: "/sse", Serve: f.openSSE},
		{Path: "/sse/{name}", Serve: f.openSSE},
		{Path: "/messages", Serve: f.postSSE},
	}
}

// Refused records what the edge refused before it came here.
func (f *Face) Refused(x *httpwire.Exchange, e *durward.Error) {
	c := new(durward.Call)
	f.describe(c, &edge.Request{Exchange: x})
	c.Method = x.Method()
	f.gw.Refused(x.Context(), c, e)
}

// Drain ends the streams on which agents only listen, each as its revision
// wants, keeps new ones from opening, and withdraws the questions that are put
// to agents. Calls under way go on.
func (f *Face) Drain() { f.drain.Do(func() { close(f.draining) }) }

// Stop cancels what is still under way, when the time for a graceful end is
// over.
func (f *Face) Stop() {
	f.Drain()
	f.stop()
}

// Kept is how many bytes are kept for agents that may come back for them.
func (f *Face) Kept() int64 { return f.kept.used.Load() }

// Forget drops what is held for a session that has ended.
func (f *Face) Forget(ended *durward.Session) { f.talks.end(ended.ID) }

func (f *Face) isDraining() bool {
	select {
	case <-f.draining:
		return true
	default:
		return false
	}
}

func shuttingDown() error {
	return &durward.Error{
		Code: durward.Overloaded, Reason: durward.ReasonShutdown, Retry: 2 * time.Second,
		Message: "The gateway is shutting down; try again in a moment.",
	}
}

// newID names a call: sortable by time, and no secret.
func newID(now time.Time) string {
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now.UnixMicro())<<12|rand.Uint64()>>52)
	binary.BigEndian.PutUint64(raw[8:], rand.Uint64())
	var text [26]byte
	hi, lo := binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = digits[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(text[:])
}
