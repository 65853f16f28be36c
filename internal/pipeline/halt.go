package pipeline

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"durward"
)

// halts are the stops of a plan, by what they name; nil when there are none.
type halts struct {
	all                    *durward.Halt
	agents, keys, sessions map[string]*durward.Halt
}

func compileHalts(all []durward.Halt) *halts {
	if len(all) == 0 {
		return nil
	}
	h := &halts{agents: map[string]*durward.Halt{}, keys: map[string]*durward.Halt{}, sessions: map[string]*durward.Halt{}}
	for i := range all {
		switch one := &all[i]; one.Kind {
		case durward.HaltAgent:
			h.agents[one.Name] = one
		case durward.HaltKey:
			h.keys[one.Name] = one
		case durward.HaltSession:
			h.sessions[one.Name] = one
		default: // all, and what a newer release may have meant
			h.all = one
		}
	}
	return h
}

// of is the stop that holds for a caller; nil when none does.
func (h *halts) of(agent, key, session string) *durward.Halt {
	if h == nil {
		return nil
	}
	if h.all != nil {
		return h.all
	}
	if one := h.agents[agent]; one != nil {
		return one
	}
	if one := h.keys[key]; one != nil && key != "" {
		return one
	}
	if one := h.sessions[session]; one != nil && session != "" {
		return one
	}
	return nil
}

func (h *halts) ofCall(c *durward.Call) *durward.Halt {
	if h == nil {
		return nil
	}
	agent := ""
	if c.Agent != nil {
		agent = c.Agent.Name
	}
	session := ""
	if !c.Wire.Modern { // the stateless revision has none, whatever was sent
		session = c.SessionID
	}
	return h.of(agent, c.KeyID, session)
}

// halted refuses callers that were stopped.
func (t *transit) halted() (durward.Reply, error) {
	h := t.plan.halts.ofCall(t.call)
	if h == nil {
		return durward.Reply{}, nil
	}
	t.rule = "halt " + h.ID()
	return t.refusal(haltError(h))
}

// haltError is what a stopped caller hears. It does not say by whom.
func haltError(h *durward.Halt) *durward.Error {
	e := &durward.Error{Code: durward.Stopped, Reason: h.Cause}
	switch h.Kind {
	case durward.HaltAgent:
		e.Message = "This agent was stopped. Stop working and tell the person you work for; an operator has to release it."
	case durward.HaltKey:
		e.Message = "The key of this agent was put into quarantine. Stop working and tell the person you work for; an operator has to release it."
	case durward.HaltSession:
		e.Message = "This session was stopped. Stop working and tell the person you work for; an operator has to release it."
	default:
		e.Message = "All agents were stopped. Stop working and tell the person you work for; an operator has to release them."
	}
	return e
}

// shed refuses calls before memory runs out: those under way are to end, and
// to free what they hold.
func (g *Gateway) shed(*transit) error {
	if g.Pressed == nil || !g.Pressed() {
		return nil
	}
	return &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonShedding, Retry: 2 * time.Second,
		Message: "The gateway is short of memory at the moment; try again in 2 s."}
}

// stopped is the same for what is no call: lists, greetings, subscriptions.
func (t *transit) stopped() error {
	if h := t.plan.halts.ofCall(t.call); h != nil {
		t.rule, t.reason = "halt "+h.ID(), h.Cause
		return haltError(h)
	}
	return nil
}

// running are the calls under way, by agent, so that they can be cancelled and
// no agent has more of them than its share.
type running struct {
	seed  maphash.Seed
	share int // of one agent
	parts [16]crews
}

type crews struct {
	mu   sync.Mutex // guards the rest
	crew map[string]*crew
}

// crew is the calls of one agent, as a list.
type crew struct {
	n     int
	first *transit
}

// agentShare is how many calls one agent may have under way, a quarter of what
// the edge takes of all.
const agentShare = 1024

func newRunning() *running {
	r := &running{seed: maphash.MakeSeed(), share: agentShare}
	for i := range r.parts {
		r.parts[i].crew = make(map[string]*crew)
	}
	return r
}

func (r *running) of(agent string) *crews {
	return &r.parts[maphash.String(r.seed, agent)%uint64(len(r.parts))]
}

// enter lets the call begin; false when its agent has its share under way.
func (r *running) enter(t *transit) bool {
	name := t.call.Agent.Name
	part := r.of(name)
	part.mu.Lock()
	defer part.mu.Unlock()
	c := part.crew[name]
	if c == nil {
		c = &crew{}
		part.crew[name] = c
	}
	if c.n >= r.share {
		return false
	}
	c.n++
	if t.next = c.first; t.next != nil {
		t.next.prev = t
	}
	c.first, t.crew = t, c
	return true
}

// outlive lets a call go on when its caller is gone. A stop still ends it.
func (r *running) outlive(ctx context.Context, t *transit) context.Context {
	part := r.of(t.call.Agent.Name)
	part.mu.Lock()
	defer part.mu.Unlock()
	on, end := context.WithCancelCause(context.WithoutCancel(ctx))
	before := t.cancel
	t.cancel = func(cause error) { before(cause); end(cause) }
	var why *durward.Error
	if errors.As(context.Cause(ctx), &why) && why.Code == durward.Stopped {
		end(why)
	}
	return on
}

func (r *running) leave(t *transit) {
	part := r.of(t.call.Agent.Name)
	part.mu.Lock()
	defer part.mu.Unlock()
	c := t.crew
	c.n--
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		c.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.crew = nil, nil, nil
}

// cancel ends the calls that stop names a reason for, and forgets agents that
// have none under way.
func (r *running) cancel(stop func(*durward.Call) error) {
	for i := range r.parts {
		part := &r.parts[i]
		part.mu.Lock()
		for name, c := range part.crew {
			for t := c.first; t != nil; t = t.next {
				if why := stop(t.call); why != nil {
					t.cancel(why)
				}
			}
			if c.n == 0 {
				delete(part.crew, name)
			}
		}
		part.mu.Unlock()
	}
}

// enter makes the call one that can be stopped while it runs. The plan is
// looked at again, because a stop that came in between has not seen it.
func (g *Gateway) enter(ctx context.Context, t *transit) (context.Context, error) {
	if t.dry() {
		return ctx, nil
	}
	ctx, t.cancel = context.WithCancelCause(ctx)
	if !g.running.enter(t) {
		t.cancel(nil)
		return ctx, &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Retry: time.Second,
			Message: "This agent has as many calls under way as it may; try again when some have ended."}
	}
	if now := g.plan.Load(); now != t.plan {
		if h := now.halts.ofCall(t.call); h != nil {
			t.rule = "halt " + h.ID()
			return ctx, haltError(h)
		}
	}
	return ctx, nil
}

// leave is called once for each call that entered, and for any other.
func (g *Gateway) leave(t *transit) {
	if t.crew != nil {
		g.running.leave(t)
	}
	if t.cancel != nil {
		t.cancel(nil)
	}
}

// cut replaces the error of a call that was cancelled by a stop with what the
// stop says.
func (g *Gateway) cut(ctx context.Context, t *transit, reply durward.Reply, err error) (durward.Reply, error) {
	var why *durward.Error
	if err == nil || !errors.As(context.Cause(ctx), &why) || why.Code != durward.Stopped {
		return reply, err
	}
	t.reason = why.Reason
	if h := g.plan.Load().halts.ofCall(t.call); h != nil {
		t.rule = "halt " + h.ID()
	}
	return durward.Reply{}, why
}

// halt ends what the halts of a plan name: calls under way, parked calls,
// subscriptions and sessions.
func (g *Gateway) halt(p *Plan) {
	if p.halts == nil {
		return
	}
	g.running.cancel(func(c *durward.Call) error {
		if h := p.halts.ofCall(c); h != nil {
			return haltError(h)
		}
		return nil
	})
	for id := range p.halts.sessions {
		if s, ok := g.Sessions.Find(id); ok && g.Sessions.Close(id, s.Agent) == nil {
			g.sessionClosed(s)
		}
	}
}

// forgive lets what was released begin anew: what it did before is not held
// against it.
func (g *Gateway) forgive(before, now *Plan) {
	for i := range before.snapshot.Halts {
		h := &before.snapshot.Halts[i]
		if !slices.ContainsFunc(now.snapshot.Halts, func(o durward.Halt) bool { return o.ID() == h.ID() }) {
			g.watcher.Forget(h.Agent)
		}
	}
}

// Session tells whose live session an id is.
func (g *Gateway) Session(id string) (agent string, ok bool) {
	s, ok := g.Sessions.Find(id)
	if !ok {
		return "", false
	}
	return s.Agent, true
}
