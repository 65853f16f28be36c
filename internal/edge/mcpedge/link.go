package mcpedge

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/edge/relay"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// link is a connection that carries everything of one agent both ways: HTTP+SSE
// of 2024-11-05, or stdio. It has at most one session, which lives as long as
// the link does.
type link struct {
	face  *Face
	agent string       // who opened it
	like  durward.Call // what every call of the link has in common
	out   *outbox
	conv  conversation
	seats chan struct{} // one for each request taken
	slots chan struct{} // one for each request that runs
	bytes atomic.Int64  // of the requests taken
	quit  chan struct{} // closed when nothing more is taken

	relayed bool // a relay stands between the agent and us

	ctx    context.Context // of the link; its calls do not outlive it
	cancel context.CancelCauseFunc
	work   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	session *durward.Session
	hearing bool
	closed  bool // no more work is begun
}

// queueing is how many requests may wait for each one that runs: reading goes
// on meanwhile, because a cancellation or an answer to a question may be next.
const queueing = 4

func (f *Face) newLink(ctx context.Context, agent string, like durward.Call) *link {
	l := &link{
		face: f, agent: agent, like: like, out: newOutbox(), quit: make(chan struct{}),
		seats: make(chan struct{}, f.opts.SessionCalls*queueing), slots: make(chan struct{}, f.opts.SessionCalls),
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	return l
}

// tell sends what belongs to a call.
func (l *link) tell(msg []byte) bool { return l.out.news(msg) }

// reply sends an answer.
func (l *link) reply(msg []byte) { l.out.answer(msg, l.ctx.Done()) }

// newCall is a call as the link knows it before its message is read.
func (l *link) newCall(like *durward.Call) durward.Call {
	c := *like
	c.Received = time.Now()
	c.ID = newID(c.Received)
	if s := l.current(); s != nil {
		c.SessionID = s.ID
	}
	return c
}

func (l *link) current() *durward.Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session
}

// take takes one message or batch, which came like a call of the link. It does
// not wait for calls; initialize alone is answered before it returns. keep, if
// there is one, is called when raw is needed for longer, and what it returns
// when raw no longer is.
func (l *link) take(raw []byte, like *durward.Call, keep func() (release func())) {
	t := &turn{call: l.newCall(like), size: int64(len(raw)), keep: keep}
	defer l.face.rescue(&t.call, func(bug error) { l.give(t, t.failed(bug)) })
	if isBatch(raw) {
		l.takeBatch(t, raw)
		return
	}
	m, err := mcpwire.Scan(raw, l.face.opts.Limits)
	if err != nil {
		l.unreadable(t, err)
		return
	}
	d, bad := mcpwire.ClassifyStdio(&m)
	if d.Modern && like.Wire.Transport == transportSSE {
		bad = &mcpwire.Refusal{Err: mcpwire.InvalidRequest("HTTP+SSE has no revision 2026-07-28; POST to /mcp")}
	}
	t.fill(&m, d)
	switch {
	case m.Kind == mcpwire.Response:
		l.face.answered(&l.conv, &m)
	case m.Kind == mcpwire.Notification:
		l.notified(&m)
	case l.late():
		l.turnBack(t)
	case bad != nil:
		l.give(t, l.refuse(t, bad.Err))
	case m.Method == mcpwire.MethodInitialize && !d.Modern:
		l.initialize(t) // what comes behind it needs the session
	default:
		l.start(t, func(ctx context.Context) { l.answer(ctx, t) })
	}
}

// start runs one request beside the others. It can be cancelled by what comes
// right behind it. A batch has no id, and its requests are entered one by one.
func (l *link) start(t *turn, serve func(context.Context)) {
	select {
	case l.seats <- struct{}{}:
	default:
		l.turnAway(t, overloaded("Too many requests wait on this connection; wait for answers."))
		return
	}
	leave := func() { l.bytes.Add(-t.size); <-l.seats }
	if n := l.bytes.Add(t.size); n > l.face.opts.LinkBytes && n > t.size { // one alone has room
		leave()
		l.turnAway(t, overloaded("The requests that wait on this connection are too large together; wait for answers."))
		return
	}
	ctx, cancel := context.WithCancelCause(l.ctx)
	t.cancel = cancel
	finish := func() {}
	if t.id != nil {
		n, err := l.conv.begin(t.id, cancel, cap(l.seats))
		if err != nil {
			leave()
			l.turnAway(t, err)
			return
		}
		t.entered, finish = true, func() { l.conv.finish(n) }
	}
	release := func() {}
	if t.keep != nil {
		release, t.keep = t.keep(), nil // it holds the exchange
	}
	begun := l.begin(func() {
		defer release()
		defer leave()
		defer cancel(nil)
		defer finish()
		defer l.face.rescue(&t.call, func(bug error) { l.give(t, t.failed(bug)) })
		serve(ctx)
	})
	if !begun {
		release()
	}
}

// late tells whether requests come too late: over HTTP the listener is closed
// by then, but a connection of stdio stays until its last answer is written.
func (l *link) late() bool {
	return l.like.Wire.Transport == transportStdio && l.face.isDraining()
}

// turnBack tells that a request was not begun. A relay takes it to the next
// gateway, and so has to know that it is we who say so: reasons may come from
// upstreams, the envelope is ours alone.
func (l *link) turnBack(t *turn) {
	msg := notBegun(t.id)
	if l.relayed {
		msg = mcpwire.AddField(msg, relay.Begun, []byte("false"))
	}
	l.reply(msg)
}

// turnBackBatch is turnBack for the requests of a batch. No relay sends one
// again, so that it is the agent who is told.
func (l *link) turnBackBatch(ms []mcpwire.Message) {
	var all [][]byte
	for i := range ms {
		switch m := &ms[i]; {
		case m.Fault == nil && m.Kind == mcpwire.Response:
			l.face.answered(&l.conv, m)
		case m.Fault == nil && m.Kind == mcpwire.Notification:
			l.notified(m)
		default:
			all = append(all, notBegun(m.ID))
		}
	}
	if len(all) > 0 {
		l.reply(append(append([]byte{'['}, bytes.Join(all, []byte{','})...), ']'))
	}
}

func notBegun(id []byte) []byte {
	return rejected(&durward.Error{
		Code: durward.Overloaded, Reason: durward.ReasonNotBegun, Retry: 2 * time.Second,
		Message: "The gateway is shutting down and has not begun this; try again in a moment.",
	}).message(id)
}

// turnAway tells that there is no room, and records for whom.
func (l *link) turnAway(t *turn, err error) {
	if l.late() { // it is the lingering that took the room
		l.turnBack(t)
		return
	}
	if err := l.admit(t); err != nil {
		l.give(t, rejected(err))
		return
	}
	l.give(t, l.face.turnedAway(l.ctx, t, err))
}

// begin runs work that close waits for; false, and none, after close.
func (l *link) begin(work func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.work.Go(func() {
		defer l.face.rescue(&l.like, func(error) {}) // the calls tell their agents themselves
		work()
	})
	return true
}

func (l *link) takeBatch(t *turn, raw []byte) {
	s := l.current()
	if s == nil || (!mcpwire.Revision(s.Revision).Batches() && s.Revision != mcpwire.V20241105) {
		l.give(t, l.refuse(t, mcpwire.InvalidRequest("A batch is not allowed in this revision")))
		return
	}
	ms, err := mcpwire.ScanBatch(raw, l.face.opts.Limits, l.face.opts.Batch)
	if err != nil {
		l.unreadable(t, err)
		return
	}
	if l.late() {
		l.turnBackBatch(ms)
		return
	}
	l.start(t, func(ctx context.Context) {
		if err := l.admit(t); err != nil {
			l.give(t, rejected(err))
			return
		}
		if joined := l.face.runBatch(ctx, ms, &t.call, &l.conv, l); joined != nil {
			l.reply(joined)
		}
	})
}

func (l *link) unreadable(t *turn, err error) {
	e := mcpwire.InvalidRequest("The message could not be read: it is no message")
	var (
		scan *mcpwire.ScanError
		long *mcpwire.LineTooLong
	)
	switch {
	case errors.As(err, &scan):
		t.id, e = scan.ID, scan.RPC()
		l.conv.spoil(scan)
	case errors.As(err, &long):
		l.conv.spoil(&mcpwire.ScanError{ID: long.ID})
		t.id, e = long.ID, mcpwire.InvalidRequest(fmt.Sprintf("The message could not be read: it is longer than %d bytes", long.Most))
	}
	l.give(t, l.refuse(t, e))
}

// refuse tells what cannot be served for how it looks.
func (l *link) refuse(t *turn, e *durward.RPCError) answer {
	if err := l.admit(t); err != nil {
		return rejected(err)
	}
	return l.face.refused(l.ctx, t, e)
}

func (l *link) notified(m *mcpwire.Message) {
	l.face.notified(&l.conv, m)
	if m.Method == mcpwire.NotifyInitialized && l.current() != nil {
		l.hear()
	}
}

func (l *link) initialize(t *turn) {
	if err := l.admit(t); err != nil {
		l.give(t, rejected(err))
		return
	}
	t.entered = true // it cannot be cancelled (MCP 2025-11-25, cancellation)
	a := l.run(l.ctx, t)
	if t.opened != nil {
		l.mu.Lock()
		l.session = t.opened
		l.mu.Unlock()
	}
	l.give(t, a)
}

// answer admits and runs one request.
func (l *link) answer(ctx context.Context, t *turn) {
	if err := l.admit(t); err != nil {
		l.give(t, rejected(err))
		return
	}
	if t.call.Session == nil && !t.call.Wire.Modern && t.call.Method != mcpwire.MethodPing {
		l.give(t, l.face.refused(l.ctx, t, mcpwire.InvalidRequest("This connection is not initialized")))
		return
	}
	l.give(t, l.run(ctx, t))
}

func (l *link) run(ctx context.Context, t *turn) answer {
	t.attach(&l.conv)
	t.slots, t.quit = l.slots, l.quit
	l.face.prepare(t, l)
	return l.face.run(ctx, t, t.cancel)
}

func (l *link) give(t *turn, a answer) {
	if !a.silent {
		l.reply(a.message(t.id))
	}
}

// admit admits a call of the link. A session that was dropped for being idle
// is opened again: the agent cannot know that it had one.
func (l *link) admit(t *turn) error {
	if t.call.Wire.Modern {
		t.call.SessionID = ""
	}
	err := l.face.gw.Admit(l.ctx, &t.call)
	if e := (*durward.Error)(nil); t.call.SessionID == "" || !errors.As(err, &e) || e.Code != durward.SessionGone {
		return err
	}
	gone := t.call.SessionID
	t.call.SessionID = ""
	if err := l.face.gw.Admit(l.ctx, &t.call); err != nil {
		return err
	}
	return l.reopen(t, gone)
}

// reopen gives a call whose session is gone the one that takes its place. The
// first of several such calls opens it; the others find it here.
func (l *link) reopen(t *turn, gone string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session.ID == gone {
		s, err := l.face.gw.OpenSession(l.ctx, &t.call, *l.session)
		if err != nil {
			return err
		}
		l.session = s
	}
	t.call.Session, t.call.SessionID = l.session, l.session.ID
	return nil
}

// hear starts to tell what changes, once.
func (l *link) hear() {
	l.mu.Lock()
	first := !l.hearing
	l.hearing = true
	l.mu.Unlock()
	if first {
		l.begin(l.pump)
	}
}

func (l *link) pump() {
	t := &turn{call: l.newCall(&l.like)}
	t.call.Method = mcpwire.NotifyInitialized
	if l.admit(t) != nil {
		return // told when the agent calls
	}
	t.attach(&l.conv)
	own, _, err := l.conv.interest.listen(l.ctx, l.face.gw, &t.call)
	if err != nil && l.ctx.Err() != nil {
		return
	}
	if err != nil {
		l.face.opts.Log.Warn("agent hears no changes", "agent", t.call.Agent.Name, "err", err)
		return
	}
	defer l.conv.interest.leave(own, 0)
	events, _, ok := l.conv.interest.turn(own)
	if !ok {
		return
	}
	_ = l.face.hear(l.ctx, events, l.quit, func(e durward.Event) error {
		l.out.news(mcpwire.AppendNotification(nil, e.Method, e.Params))
		return nil
	}, func() error { return nil })
}

// linger takes nothing more and gives the calls under way a moment to end.
// Subscriptions are told to.
func (l *link) linger(most time.Duration) {
	close(l.quit)
	late := time.NewTimer(most)
	defer late.Stop()
	for range cap(l.seats) {
		select {
		case l.seats <- struct{}{}:
		case <-late.C:
			return
		case <-l.ctx.Done():
			return
		}
	}
}

// close ends the link: calls are cancelled, the session ends.
func (l *link) close(why error) {
	l.mu.Lock()
	l.closed = true
	s := l.session
	l.mu.Unlock()
	l.cancel(why)
	l.conv.end(why)
	l.work.Wait()
	if n := l.out.close(); n > 0 {
		l.face.counts.addAll(newsLost, n)
		l.face.opts.Log.Info("agent reads too slowly", "agent", l.agent, "dropped", n)
	}
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), closeTime)
	defer cancel()
	c := l.newCall(&l.like)
	c.Method = methodClose
	if l.face.gw.Admit(ctx, &c) == nil {
		_ = l.face.gw.CloseSession(ctx, &c) // one that is gone already is closed as well
	}
}

const (
	// closeTime bounds the clean-up of a link.
	closeTime = 5 * time.Second
	// methodClose stands in the record where a link ends its session.
	methodClose = "DELETE"
)
