package mcphttp

import (
	"context"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"
)

// Bounds of a session.
const (
	sideMost     = 32 // answers and withdrawals on their way at once
	sideTime     = 15 * time.Second
	resumeMost   = 20                     // times that a stream is resumed without anything new
	earTime      = 250 * time.Millisecond // that the first call waits for the GET stream
	retryDefault = time.Second
	sessionBytes = 4 << 10 // of a session's id
)

// Options are what a session needs beside its endpoint.
type Options struct {
	Hello link.Hello
	// NextID mints the ids of our own requests.
	NextID func() uint64
	// Event takes the notifications that belong to no call. May be nil.
	Event func(method string, params []byte)
	// Orphan answers a request of the server that belongs to no call; nil, or
	// a nil result, refuses it.
	Orphan func(method string) []byte
	// Stream keeps the GET stream open, on which a server may speak outside of calls.
	Stream bool
	// Asks tells that the server may ask its client something. Many servers ask
	// on the GET stream whatever the question is for, and a question is lost
	// when nobody listens there: so the stream is to stand before the first call.
	Asks bool
}

// Legacy is a session of Streamable HTTP, 2025-03-26 to 2025-11-25.
type Legacy struct {
	e       Endpoint
	event   func(method string, params []byte)
	orphan  func(method string) []byte
	welcome link.Welcome
	session string
	get     http.Header // set once the session stands

	ctx     context.Context // ends with the session
	cancel  context.CancelFunc
	done    chan struct{}
	side    chan struct{}
	ear     chan struct{} // closed once the GET stream stands, or cannot
	running sync.WaitGroup

	mu     sync.Mutex  // guards the rest
	post   http.Header // of all posts: replaced, never written into
	turns  map[uint64]*link.Turn
	err    error
	closed bool
}

var _ link.Conn = (*Legacy)(nil)

// OpenLegacy performs the handshake. ctx bounds it and nothing beyond. A server
// that restarts in the middle of it is asked once more: it has no effect.
func OpenLegacy(ctx context.Context, e Endpoint, o Options) (*Legacy, error) {
	l, err := openLegacy(ctx, e, o)
	if err == nil || ctx.Err() != nil {
		return l, err
	}
	if !errors.Is(err, errForgotten) && !link.CutOff(err) {
		return nil, err
	}
	return openLegacy(ctx, e, o)
}

// errForgotten says that a server that has just opened a session refuses it.
var errForgotten = errors.New("the server no longer knows the session that it has just opened")

func forgotten(err error) error {
	said := fmt.Errorf("%w: %w", errForgotten, err)
	if kind, ok := link.KindOf(err); ok && kind == link.WrongEra { // of a server that has just shown its era
		return &link.Fault{Kind: link.Lost, Err: said}
	}
	return said
}

func openLegacy(ctx context.Context, e Endpoint, o Options) (*Legacy, error) {
	l := &Legacy{
		e: e.prepared(), event: o.Event, orphan: o.Orphan, done: make(chan struct{}),
		side: make(chan struct{}, sideMost), ear: make(chan struct{}), turns: map[uint64]*link.Turn{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.post = l.e.header("Accept", acceptBoth, "Content-Type", mediaJSON)
	w, err := link.Initialize(ctx, l, o.NextID(), o.Hello)
	if err == nil {
		l.agree(w)
		if err = l.Notify(ctx, mcpwire.NotifyInitialized, nil); err != nil && l.session != "" {
			err = forgotten(err)
		}
	}
	if err != nil {
		l.Close(context.WithoutCancel(ctx)) // the server may have opened a session all the same
		return nil, err
	}
	if o.Stream {
		l.running.Go(l.listen)
	}
	if o.Stream && o.Asks {
		l.prick()
	}
	return l, nil
}

// prick waits until the GET stream stands. A server that does not answer it
// before it has something to say must not hold up calls for long.
func (l *Legacy) prick() {
	timer := time.NewTimer(earTime)
	defer timer.Stop()
	select {
	case <-l.ear:
	case <-timer.C:
	case <-l.ctx.Done():
	}
}

// agree fixes the headers of the session.
func (l *Legacy) agree(w link.Welcome) {
	l.welcome = w
	l.get = l.e.header("Accept", mediaEvents)
	post := l.e.header("Accept", acceptBoth, "Content-Type", mediaJSON)
	for _, h := range []http.Header{post, l.get} {
		if l.session != "" {
			h[mcpwire.HeaderSession] = []string{l.session}
		}
		if mcpwire.Revision(w.Revision).VersionHeader() {
			h[mcpwire.HeaderVersion] = []string{w.Revision}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.post = post
}

// Welcome is what the server said of itself.
func (l *Legacy) Welcome() link.Welcome { return l.welcome }

// Stateful reports whether the server keeps a session.
func (l *Legacy) Stateful() bool { return l.session != "" }

// Do posts a call and reads its answer. Ending ctx sends notifications/cancelled:
// closing the stream alone means nothing in these revisions.
func (l *Legacy) Do(ctx context.Context, c *link.Call) (link.Answer, error) {
	t := link.NewTurn(c, l.e.Limits, l.e.Counters, l.aside, l.event)
	post, err := l.enter(c, t)
	if err != nil {
		return link.Answer{}, err
	}
	a, err := l.exchange(ctx, post, c, t)
	l.leave(c)
	t.End()
	if err == nil {
		return a, nil
	}
	if ctx.Err() != nil {
		if c.Method != mcpwire.MethodInitialize {
			l.aside(mcpwire.AppendNotification(nil, mcpwire.NotifyCancelled, link.CancelParams(c.ID, "the caller is gone")))
		}
		return link.Answer{}, ctx.Err()
	}
	return link.Answer{Streamed: t.Streamed()}, l.judge(err, c, t)
}

func (l *Legacy) exchange(ctx context.Context, post http.Header, c *link.Call, t *link.Turn) (link.Answer, error) {
	if c.Via != "" {
		post = maps.Clone(post)
		post[headerVia] = []string{c.Via}
	}
	res, err := l.e.send(ctx, http.MethodPost, l.e.URL, post, c.Pieces())
	if err != nil {
		return link.Answer{}, err
	}
	if c.Method == mcpwire.MethodInitialize {
		l.session = sessionID(res.Header)
	}
	s := stream{session: post[mcpwire.HeaderSession] != nil, batches: l.batches()}
	a, err := l.e.hear(ctx, res, c, t, &s)
	for try := 0; errors.Is(err, errStreamEnd) && s.lastID != "" && l.get != nil && try < resumeMost; try++ {
		before := s.lastID
		if res, err = l.resume(ctx, &s); err != nil {
			break
		}
		if a, err = l.e.hear(ctx, res, c, t, &s); s.lastID != before {
			try = -1 // there was something new
		}
	}
	return a, err
}

// batches reports whether the session's revision has them.
func (l *Legacy) batches() bool { return mcpwire.Revision(l.welcome.Revision).Batches() }

// resume takes up a stream that the server closed early, after the time that
// the server asked for (MCP 2025-11-25).
func (l *Legacy) resume(ctx context.Context, s *stream) (*httpwire.Response, error) {
	if err := link.Pause(ctx, max(s.retry, 10*time.Millisecond)); err != nil {
		return nil, err
	}
	h := l.get.Clone()
	h[mcpwire.HeaderLastEvent] = []string{s.lastID}
	res, err := l.e.send(ctx, http.MethodGet, l.e.URL, h, nil)
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK || mediaType(res.Header) != mediaEvents {
		res.Discard()
		return nil, errStreamEnd
	}
	return res, nil
}

// judge tells a lost session from other refusals: 404 says so; 400 with what
// is no answer to the call says so in servers that do not know better. With 404
// for a session's id a server says that it did not take the call up (MCP
// 2025-03-26 to 2025-11-25, session management), if it said nothing else of it.
func (l *Legacy) judge(err error, c *link.Call, t *link.Turn) error {
	var f *link.Fault
	if !errors.As(err, &f) || f.Kind != link.WrongEra || c.Method == mcpwire.MethodInitialize {
		return err
	}
	if f.Status == http.StatusNotFound || (f.Status == http.StatusBadRequest && l.session != "") {
		lost := &link.Fault{Kind: link.Lost, Status: f.Status, RPC: f.RPC, Err: errors.New("the server no longer knows the session")}
		l.fail(lost)
		if f.Undone && !t.Heard() {
			return link.Undone(lost)
		}
		return lost
	}
	return err
}

// Notify posts a notification.
func (l *Legacy) Notify(ctx context.Context, method string, params []byte) error {
	return l.push(ctx, mcpwire.AppendNotification(nil, method, params))
}

// push posts a message that has no answer.
func (l *Legacy) push(ctx context.Context, message []byte) error {
	l.mu.Lock()
	post := l.post
	l.mu.Unlock()
	res, err := l.e.send(ctx, http.MethodPost, l.e.URL, post, httpwire.Bytes(message))
	if err != nil {
		return err
	}
	res.Discard()
	if res.Status < 200 || res.Status > 299 {
		return &link.Fault{Kind: kindOfStatus(res.Status), Status: res.Status, Err: fmt.Errorf("the server refused a notification")}
	}
	return nil
}

// aside posts a message that nobody waits for.
func (l *Legacy) aside(message []byte) {
	select {
	case l.side <- struct{}{}:
	default:
		l.e.Counters.Overflow.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		<-l.side
		return
	}
	l.running.Go(func() {
		defer func() { <-l.side }()
		ctx, stop := context.WithTimeout(l.ctx, sideTime)
		defer stop()
		if err := l.push(ctx, message); err != nil {
			l.e.Log.Debug("message to upstream not delivered", "err", err)
		}
	})
}

func (l *Legacy) enter(c *link.Call, t *link.Turn) (post http.Header, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, link.Undone(l.err)
	}
	l.turns[c.ID] = t
	return l.post, nil
}

func (l *Legacy) leave(c *link.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.turns, c.ID)
}

// sole returns the turn of the only call in flight, our own aside.
func (l *Legacy) sole() *link.Turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found *link.Turn
	for _, t := range l.turns {
		if t.Own() {
			continue
		}
		if found != nil {
			return nil
		}
		found = t
	}
	return found
}

func (l *Legacy) turn(id uint64) *link.Turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turns[id]
}

func (l *Legacy) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		close(l.done)
	}
}

// Done is closed when the session is lost.
func (l *Legacy) Done() <-chan struct{} { return l.done }

// Err says why the session ended.
func (l *Legacy) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close ends the session with a DELETE, unless the server ended it before.
func (l *Legacy) Close(ctx context.Context) {
	l.mu.Lock()
	again, lost := l.closed, l.err != nil
	l.closed = true
	l.mu.Unlock()
	if again {
		return
	}
	l.fail(&link.Fault{Kind: link.Broken, Err: errors.New("closed by the gateway")})
	if !lost {
		l.part(ctx)
	}
	l.cancel()
	l.running.Wait()
}

// part takes leave of the server.
func (l *Legacy) part(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	l.settle(ctx)
	if l.session == "" {
		return
	}
	if res, err := l.e.send(ctx, http.MethodDelete, l.e.URL, l.get, nil); err == nil {
		res.Discard()
	}
}

// settle waits for what is being posted aside: withdrawals are best made
// while the session lives.
func (l *Legacy) settle(ctx context.Context) {
	for range sideMost {
		select {
		case l.side <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// sessionID returns the session's id if it is one: visible ASCII, bounded.
func sessionID(h http.Header) string {
	id := h.Get(mcpwire.HeaderSession)
	if len(id) > sessionBytes {
		return ""
	}
	for i := range len(id) {
		if id[i] < 0x21 || id[i] > 0x7e {
			return ""
		}
	}
	return id
}
