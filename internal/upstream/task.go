package upstream

import (
	"context"
	"strconv"
	"sync"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
)

// A server of 2025-11-25 keeps a task in the session or the process in which
// it was started. homes remembers where that was, so that what is asked about a
// task goes to where it lives, and that line stays open for as long as the task
// is to be had.
type homes struct {
	mu sync.Mutex
	of map[lodger]home // guarded by mu
}

// lodger is a task of one agent.
type lodger struct{ agent, id string }

type home struct {
	slot  *slot
	until time.Time
}

// Bounds of what is remembered of tasks.
const (
	homesMost    = 4096
	homeLeast    = time.Minute
	homeLongest  = time.Hour
	farewellTime = 5 * time.Second // to cancel a task that nobody waits for
)

// lineFor returns a line for a request: that of the task that it is about,
// where there is one, else one of its key.
func (s *server) lineFor(ctx context.Context, r *Request, k key) (*slot, func(), error) {
	if r.TaskID == "" {
		return s.pool.take(ctx, k, ownerOf(r))
	}
	sl := s.homes.find(lodger{r.Agent, r.TaskID})
	if sl == nil || sl.line.dead() || !s.pool.visit(sl) {
		return s.pool.take(ctx, k, ownerOf(r))
	}
	if r.Method != mcpwire.MethodTasksResult || !sl.line.exclusive {
		return sl, func() { s.pool.release(sl) }, nil
	}
	defer s.pool.release(sl) // as a visitor
	if err := s.pool.hold(ctx, sl); err != nil {
		return nil, nil, err
	}
	return sl, func() { s.pool.giveBack(sl) }, nil
}

func (h *homes) find(l lodger) *slot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of[l].slot
}

// lodge notes where a task lives that a call has started.
func (s *server) lodge(r *Request, sl *slot, reply durward.Reply) {
	id, stay := started(r, reply)
	if id == "" {
		return
	}
	until := time.Now().Add(stay)
	if s.homes.add(lodger{r.Agent, id}, home{sl, until}) {
		s.pool.keep(sl, until)
	}
}

// started reads from a reply which task a call has become, and how long it is
// to be had; "" when it is none.
func started(r *Request, reply durward.Reply) (id string, stay time.Duration) {
	if reply.Result == nil || r.Method != mcpwire.MethodToolsCall {
		return "", 0
	}
	task, ttl := reply.Result, "ttlMs"
	switch {
	case reply.Modern && mcpwire.ResultType(reply.Result) == "task":
	case !reply.Modern && r.AsTask:
		task, ttl = mcpwire.TaskMember(reply.Result), "ttl"
	default:
		return "", 0
	}
	id, _ = mcpwire.FieldText(task, "taskId")
	stay = homeLongest
	raw, _ := mcpwire.Field(task, ttl)
	if ms, ok := mcpwire.Int(raw); ok && ms >= 0 {
		stay = min(max(time.Duration(min(ms, 1<<40))*time.Millisecond, homeLeast), homeLongest)
	}
	return id, stay
}

// add remembers a home; false when there is no room for it.
func (h *homes) add(l lodger, at home) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = map[lodger]home{}
	}
	if len(h.of) >= homesMost {
		now := time.Now()
		for old, was := range h.of {
			if now.After(was.until) || was.slot.line.dead() {
				delete(h.of, old)
			}
		}
	}
	if len(h.of) >= homesMost {
		return false
	}
	h.of[l] = at
	return true
}

// visit uses a slot that may be in use by another call; false when it is gone.
func (p *pool) visit(sl *slot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slots[sl.key] != sl {
		return false
	}
	sl.users++
	return true
}

// keep lets a slot stay open until then, used or not.
func (p *pool) keep(sl *slot, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(sl.until) {
		sl.until = until
	}
}

// hold waits for one lane and no other.
func (p *pool) hold(ctx context.Context, sl *slot) error {
	w, err := p.holdOrQueue(sl)
	if err != nil || w == nil {
		return err
	}
	_, err = p.await(ctx, sl.key.at(0), w)
	return err
}

func (p *pool) holdOrQueue(sl *slot) (*waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sl.held {
		return p.queue(sl.key.at(0), sl)
	}
	hold(sl)
	return nil, nil
}

// taskOf is the task that a request to an older server asks to become; nil when
// it asks for none.
func (s *server) taskOf(r *Request) []byte {
	switch {
	case r.AsTask:
		return r.Payload.Task.Of(r.Payload.Raw)
	case r.NeedsTask:
		return append(strconv.AppendInt([]byte(`{"ttl":`), s.timeout().Milliseconds(), 10), '}')
	}
	return nil
}

// drive brings a call to its end that its server runs only as a task, for a
// caller who asked for none: it waits for the task's result, and what the
// server asks meanwhile is asked of the caller (MCP 2025-11-25, tasks/result).
func (s *server) drive(ctx context.Context, r *Request, l *line, y *relay, first link.Answer) (durward.Reply, error) {
	id, _ := mcpwire.FieldText(mcpwire.TaskMember(first.Result), "taskId")
	if id == "" { // it answered at once
		return s.settle(r, l, first)
	}
	params := append(mcpwire.AppendQuote([]byte(`{"taskId":`), id), '}')
	a, err := l.conn.Do(ctx, &link.Call{
		ID: s.set.nextID(), Method: mcpwire.MethodTasksResult, Params: mcpwire.Whole(params), Peer: driven{y}, Via: s.set.via(r.Via),
	})
	if err != nil {
		s.suffer(err)
		s.abandon(l, params)
		return durward.Reply{}, err
	}
	if a.Error != nil {
		reply, _, err := s.refusal(r, l, y, a)
		return reply, err
	}
	a.Result = mcpwire.RelatedTask(a.Result, "")
	return s.settle(r, l, a)
}

// abandon cancels a task that nobody waits for any more.
func (s *server) abandon(l *line, params []byte) {
	s.pool.task(func() {
		ctx, cancel := context.WithTimeout(s.ctx, farewellTime)
		defer cancel()
		_, _ = l.conn.Do(ctx, &link.Call{ID: s.set.nextID(), Method: mcpwire.MethodTasksCancel, Params: mcpwire.Whole(params), Own: true, Peer: hermit{}})
	})
}

// driven is the caller of a task that it knows nothing of.
type driven struct{ *relay }

// Notify implements durward.Peer.
func (d driven) Notify(method string, params []byte) {
	d.relay.Notify(method, mcpwire.RelatedTask(params, ""))
}

// Ask implements durward.Peer.
func (d driven) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	return d.relay.Ask(ctx, method, mcpwire.RelatedTask(params, ""))
}
