package pipeline

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// Bounds of calls that wait for their caller to come back.
const (
	parkTTL      = 10 * time.Minute
	parkPerAgent = 64
	parkYoung    = time.Minute // one that waits no longer than this makes room for no other
	parkTotal    = 4096
	parkBytes    = 16 << 20 // of the requests of one agent's calls
	parkAllBytes = 256 << 20
	parkGather   = 25 * time.Millisecond // further questions of the same moment join the first
	parkNotes    = 16                    // notifications kept while nobody listens
)

// parking holds the calls of stateless agents to stateful upstreams that asked
// something (elicitation, sampling, roots): the upstream's call stays open
// while the agent is away with an input_required result, and the agent's retry
// resumes that very call. Nothing is ever called twice.
type parking struct {
	log *slog.Logger

	mu       sync.Mutex // guards what follows
	lots     map[string]*parked
	perAgent map[string]load
	bytes    int64 // of all
}

// load is how much one agent has parked.
type load struct {
	calls int
	bytes int64
}

func newParking(log *slog.Logger) *parking {
	return &parking{log: log, lots: make(map[string]*parked), perAgent: make(map[string]load)}
}

// parked is one upstream call that may be waited for in several legs. It is
// the durward.Peer that the upstream sees for all of them.
type parked struct {
	lot    *parking
	ears   *ears // before it; nil when nobody listens
	agent  string
	key    string // that it was called with
	size   int64  // of the request that is kept for it
	cancel context.CancelCauseFunc
	asks   chan *question
	done   chan struct{} // closed when reply and err are set

	reply durward.Reply
	err   error

	mu      sync.Mutex // guards the rest
	peer    durward.Peer
	notes   []note
	pending map[string]*question // by key
	ticket  string               // of the present wait, used once
	expiry  *time.Timer
	keys    int
	since   time.Time // of the present wait; guarded by the lot's mu
}

type question struct {
	method string
	params []byte
	answer chan []byte
}

type note struct {
	method string
	params []byte
}

// leg is what one request of the agent got out of a call: its end, or
// questions and a ticket to come back with.
type leg struct {
	durward.Reply
	ears  *ears // what was overheard meanwhile; nil without
	waits bool  // the Reply is input_required, and its requestState our ticket
}

// run starts the upstream call and waits for its first leg. size is how many
// bytes are kept for as long as it lasts.
func (l *parking) run(ctx context.Context, agent, key string, size int64, peer durward.Peer, e *ears, do func(context.Context, durward.Peer) (durward.Reply, error)) (leg, error) {
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p := &parked{
		lot: l, agent: agent, key: key, size: size, cancel: cancel, peer: peer,
		asks: make(chan *question), done: make(chan struct{}), pending: make(map[string]*question),
	}
	var heard durward.Peer = p
	if e != nil { // it outlives this leg, and speaks to whoever comes back
		e.peer, p.ears = p, e
		heard = e
	}
	go func() { // ends with the upstream call, which cancel ends
		p.reply, p.err = l.survive(agent, func() (durward.Reply, error) { return do(life, heard) })
		cancel(nil)
		close(p.done)
	}()
	got, err := p.wait(ctx)
	got.ears = p.ears
	return got, err
}

// survive keeps a bug of ours from ending more than one call: this one runs on
// a goroutine of its own, where it would end the process.
func (l *parking) survive(agent string, do func() (durward.Reply, error)) (reply durward.Reply, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			l.log.Error("parked call panicked", "agent", agent, "panic", bug, "stack", string(debug.Stack()))
			reply, err = durward.Reply{}, durward.AsError(fmt.Errorf("panic: %v", bug))
		}
	}()
	return do()
}

// resume takes the answers of a retry to the call that waits for them. A
// ticket is good once, and only for the agent that got it.
func (l *parking) resume(ctx context.Context, agent, ticket string, answers []byte, peer durward.Peer) (leg, error) {
	l.mu.Lock()
	p := l.lots[ticket]
	if p == nil || p.agent != agent {
		l.mu.Unlock()
		return leg{}, stateInvalid()
	}
	l.leave(p)
	l.mu.Unlock()
	p.attach(peer)
	var got leg
	var err error
	if p.feed(answers) {
		got, err = p.wait(ctx)
	} else { // some are missing: ask for them again
		got, err = p.park()
	}
	got.ears = p.ears
	return got, err
}

// wait waits until the call has ended or has questions. A stateless agent that
// goes away while it waits has cancelled its call.
func (p *parked) wait(ctx context.Context) (leg, error) {
	select {
	case <-p.done:
		return leg{Reply: p.reply}, p.err
	case q := <-p.asks:
		p.keep(q)
		return p.gather(ctx)
	case <-ctx.Done():
		return p.abandon(ctx)
	}
}

// gather waits a moment for questions that belong to the first.
func (p *parked) gather(ctx context.Context) (leg, error) {
	wait := time.NewTimer(parkGather)
	defer wait.Stop()
	for {
		select {
		case q := <-p.asks:
			p.keep(q)
		case <-wait.C:
			return p.park()
		case <-p.done:
			return leg{Reply: p.reply}, p.err
		case <-ctx.Done():
			return p.abandon(ctx)
		}
	}
}

func (p *parked) abandon(ctx context.Context) (leg, error) {
	cause := &durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The caller went away.", Err: context.Cause(ctx)}
	p.cancel(cause)
	<-p.done
	return leg{}, cause
}

// park answers with what the upstream wants to know, and lets the call wait.
func (p *parked) park() (leg, error) {
	p.lot.mu.Lock()
	defer p.lot.mu.Unlock()
	if !p.lot.hasRoom(p) && !p.lot.makeRoom(p) {
		full := &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Retry: time.Minute,
			Message: "Too many calls wait for answers of this agent; answer some, or let them expire."}
		p.cancel(full)
		return leg{}, full
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peer, p.ticket = nil, rand.Text()
	p.since = time.Now()
	p.lot.lots[p.ticket] = p
	p.lot.count(p, 1)
	ticket := p.ticket
	p.expiry = time.AfterFunc(parkTTL, func() { p.lot.expire(ticket) })
	return leg{Reply: durward.Reply{Result: p.inputRequired(), Modern: true}, waits: true}, nil
}

// hasRoom and count are called with mu held.
func (l *parking) hasRoom(p *parked) bool {
	of := l.perAgent[p.agent]
	return len(l.lots) < parkTotal && of.calls < parkPerAgent && l.bytes+p.size <= parkAllBytes &&
		(of.calls == 0 || of.bytes+p.size <= parkBytes) // one alone has room
}

// makeRoom ends the calls of the same agent that have waited longest, as far as
// there must be room for one more: most of those were given up, which nobody
// tells of in the stateless era. One that is young enough for a person to be
// thinking about it is left. It is called with mu held.
func (l *parking) makeRoom(p *parked) bool {
	for !l.hasRoom(p) {
		var oldest *parked
		for _, o := range l.lots {
			if o.agent == p.agent && (oldest == nil || o.since.Before(oldest.since)) {
				oldest = o
			}
		}
		if oldest == nil || time.Since(oldest.since) < parkYoung {
			return false
		}
		l.leave(oldest)
		oldest.cancel(&durward.Error{Code: durward.Timeout, Reason: durward.ReasonUpstreamTimeout, Message: "The caller did not answer in time."})
	}
	return true
}

// count adds a call, or takes one away: n is 1 or -1.
func (l *parking) count(p *parked, n int) {
	of := l.perAgent[p.agent]
	of.calls += n
	of.bytes += int64(n) * p.size
	l.bytes += int64(n) * p.size
	l.perAgent[p.agent] = of
	if of.calls == 0 {
		delete(l.perAgent, p.agent)
	}
}

// inputRequired is called with mu held.
func (p *parked) inputRequired() []byte {
	out := []byte(`{"resultType":"input_required","inputRequests":{`)
	first := true
	for n := 1; n <= p.keys; n++ {
		key := questionKey(n)
		q := p.pending[key]
		if q == nil {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(out, mcpwire.Quote(key)...), `:{"method":`...)
		out = append(append(out, mcpwire.Quote(q.method)...), `,"params":`...)
		if q.params == nil { // roots/list; go-sdk 1.8.0 cannot read a question without params
			out = append(out, "{}"...)
		}
		out = append(append(out, q.params...), '}')
	}
	out = append(out, `},"requestState":`...)
	return append(append(out, mcpwire.Quote(p.ticket)...), '}')
}

func questionKey(n int) string { return "q" + strconv.Itoa(n) }

func (p *parked) keep(q *question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys++
	p.pending[questionKey(p.keys)] = q
}

// feed hands answers to their questions and tells whether all are answered.
func (p *parked) feed(answers []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mcpwire.IsObject(answers) {
		for key, answer := range mcpwire.Fields(answers) {
			if q := p.pending[key]; q != nil && mcpwire.IsObject(answer) {
				delete(p.pending, key)
				q.answer <- append([]byte(nil), answer...)
			}
		}
	}
	return len(p.pending) == 0
}

// attach gives the call a caller again, with what it missed.
func (p *parked) attach(peer durward.Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peer = peer
	for _, n := range p.notes {
		peer.Notify(n.method, n.params)
	}
	p.notes = nil
}

// expire ends a call whose agent never came back.
func (l *parking) expire(ticket string) {
	l.mu.Lock()
	p := l.lots[ticket]
	if p != nil {
		l.leave(p)
	}
	l.mu.Unlock()
	if p != nil {
		p.cancel(&durward.Error{Code: durward.Timeout, Reason: durward.ReasonUpstreamTimeout, Message: "The caller did not answer in time."})
	}
}

// leave is called with mu held.
func (l *parking) leave(p *parked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expiry.Stop()
	delete(l.lots, p.ticket)
	p.ticket = ""
	l.count(p, -1)
}

// end cancels everything that waits and that keep does not want.
func (l *parking) end(keep func(agent, key string) bool) {
	l.mu.Lock()
	var gone []*parked
	for _, p := range l.lots {
		if !keep(p.agent, p.key) {
			l.leave(p)
			gone = append(gone, p)
		}
	}
	l.mu.Unlock()
	for _, p := range gone {
		p.cancel(&durward.Error{Code: durward.Cancelled, Reason: durward.ReasonCancelled, Message: "The agent of this call is gone, or was stopped."})
	}
}

// Notify implements durward.Peer.
func (p *parked) Notify(method string, params []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.peer != nil:
		p.peer.Notify(method, params)
	case len(p.notes) < parkNotes:
		p.notes = append(p.notes, note{method, append([]byte(nil), params...)})
	}
}

// Ask implements durward.Peer: the question waits until a retry brings its answer.
func (p *parked) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	q := &question{method: method, params: append([]byte(nil), params...), answer: make(chan []byte, 1)}
	if params == nil {
		q.params = nil
	}
	select {
	case p.asks <- q:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case answer := <-q.answer:
		return answer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
