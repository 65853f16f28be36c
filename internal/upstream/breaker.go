package upstream

import (
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What breakers do that the upstream does not say otherwise of.
const (
	breakPercent = 50
	breakCalls   = 20
	breakWindow  = 30 * time.Second
	breakOpen    = 5 * time.Second
	breakLongest = time.Minute
	breakSlots   = 10
	breakTools   = 1024 // tools of one upstream with a breaker of their own
)

// breaker leaves an upstream, or one of its tools, alone that fails too often:
// open it lets nothing through, then one call to see whether it works again.
// One that fails anew stays open for longer.
type breaker struct {
	percent, calls int
	window, pause  time.Duration
	quiet          atomic.Bool // closed: nobody need ask

	mu      sync.Mutex // guards the rest
	slots   [breakSlots]tallies
	slot    int64 // the newest
	state   string
	since   time.Time
	until   time.Time // open
	probing bool
	rows    int // openings in a row
}

type tallies struct{ good, bad int }

func newBreaker(p *durward.Breaker) *breaker {
	b := &breaker{
		percent: or(p.Percent, breakPercent), calls: or(p.Calls, breakCalls),
		window: or(p.Window, breakWindow), pause: or(p.Open, breakOpen), state: durward.BreakerClosed,
	}
	b.quiet.Store(true)
	return b
}

// pass is leave to call; whoever has it says how the call ended.
type pass struct {
	b     *breaker
	probe bool
}

// admit gives leave, or tells when to ask again.
func (b *breaker) admit(now time.Time) (pass, time.Duration, bool) {
	if b == nil || b.quiet.Load() {
		return pass{b: b}, 0, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state == durward.BreakerClosed:
		return pass{b: b}, 0, true
	case b.state == durward.BreakerOpen && now.Before(b.until):
		return pass{}, b.until.Sub(now), false
	case b.probing:
		return pass{}, time.Second, false
	}
	b.become(durward.BreakerHalfOpen, now)
	b.probing = true
	return pass{b, true}, 0, true
}

func (b *breaker) become(state string, now time.Time) {
	if b.state != state {
		b.state, b.since = state, now
	}
	b.quiet.Store(state == durward.BreakerClosed)
}

// verdict is what a call says of its server.
type verdict uint8

const (
	neutral verdict = iota // nothing: it was cancelled, or never sent
	good
	bad
)

// done says how a call ended that had leave.
func (p pass) done(v verdict, now time.Time) {
	b := p.b
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.probe {
		b.probed(v, now)
		return
	}
	if v == neutral || b.state != durward.BreakerClosed {
		return
	}
	t := b.at(now)
	if v == good {
		t.good++
		return
	}
	t.bad++
	if sum := b.sum(); sum.good+sum.bad >= b.calls && sum.bad*100 >= b.percent*(sum.good+sum.bad) {
		b.open(now)
	}
}

// probed is called with mu held.
func (b *breaker) probed(v verdict, now time.Time) {
	b.probing = false
	switch v {
	case good:
		b.slots, b.rows = [breakSlots]tallies{}, 0
		b.become(durward.BreakerClosed, now)
	case bad:
		b.open(now)
	}
}

func (b *breaker) open(now time.Time) {
	pause := min(b.pause<<min(b.rows, 8), max(breakLongest, b.pause))
	b.rows++
	b.until = now.Add(pause)
	b.become(durward.BreakerOpen, now)
}

// at is the slot of a moment; those that are too old are emptied. A clock that
// goes back counts in the newest.
func (b *breaker) at(now time.Time) *tallies {
	n := now.UnixNano() / max(int64(b.window)/breakSlots, 1)
	if gone := n - b.slot; gone > 0 {
		for i := range min(gone, breakSlots) {
			b.slots[(n-i)%breakSlots] = tallies{}
		}
		b.slot = n
	}
	return &b.slots[b.slot%breakSlots]
}

func (b *breaker) sum() (s tallies) {
	for _, t := range b.slots {
		s.good += t.good
		s.bad += t.bad
	}
	return s
}

func (b *breaker) status(tool string, now time.Time) durward.BreakerStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at(now)
	sum := b.sum()
	st := durward.BreakerStatus{Tool: tool, State: b.state, Calls: sum.good + sum.bad, Failed: sum.bad, Since: b.since}
	if b.state == durward.BreakerOpen {
		st.Until = b.until
	}
	return st
}

// breakers are those of one upstream: its own for what concerns the server,
// and one for each tool that ever failed by itself.
type breakers struct {
	own    *breaker // nil: none
	policy durward.Breaker
	failed atomic.Bool // some tool has one

	mu    sync.RWMutex // guards tools
	tools map[string]*breaker
}

func newBreakers(p durward.Breaker) *breakers {
	bs := &breakers{policy: p}
	if !p.Disabled {
		bs.own, bs.tools = newBreaker(&p), make(map[string]*breaker)
	}
	return bs
}

// of is the breaker of a tool; nil when it never failed.
func (bs *breakers) of(tool string) *breaker {
	if tool == "" || !bs.failed.Load() {
		return nil
	}
	bs.mu.RLock()
	defer bs.mu.RUnlock()
	return bs.tools[tool]
}

// made is the same, making it.
func (bs *breakers) made(tool string) *breaker {
	if bs.own == nil || tool == "" {
		return nil
	}
	bs.mu.Lock()
	defer bs.mu.Unlock()
	b := bs.tools[tool]
	if b == nil && len(bs.tools) < breakTools {
		b = newBreaker(&bs.policy)
		bs.tools[tool] = b
		bs.failed.Store(true)
	}
	return b
}

// status tells of the upstream's breaker and of the tools' that have something
// to tell; open tells of those that are not closed alone.
func (bs *breakers) status(now time.Time, open bool) (out []durward.BreakerStatus) {
	if bs.own == nil {
		return nil
	}
	add := func(st durward.BreakerStatus) {
		if !open || st.State != durward.BreakerClosed {
			out = append(out, st)
		}
	}
	add(bs.own.status("", now))
	bs.mu.RLock()
	defer bs.mu.RUnlock()
	for tool, b := range bs.tools {
		if st := b.status(tool, now); st.Failed > 0 || st.State != durward.BreakerClosed {
			add(st)
		}
	}
	slices.SortFunc(out, func(a, b durward.BreakerStatus) int { return strings.Compare(a.Tool, b.Tool) })
	return out
}

// admit asks both breakers of a call.
func (s *server) admit(r *Request, now time.Time) (own, tool pass, err error) {
	own, retry, ok := s.breakers.own.admit(now)
	if !ok {
		return own, tool, s.leftAlone("The upstream "+s.up.Name, retry)
	}
	if tool, retry, ok = s.breakers.of(r.Name).admit(now); !ok {
		own.done(neutral, now)
		return own, tool, s.leftAlone(r.Name+" of the upstream "+s.up.Name, retry)
	}
	return own, tool, nil
}

func (s *server) leftAlone(who string, retry time.Duration) *durward.Error {
	return &durward.Error{
		Code: durward.Unavailable, Reason: durward.ReasonBreakerOpen, Retry: retry,
		Message: fmt.Sprintf("%s has failed too often and is left alone for now: try again in %d s.", who, int((retry+time.Second-1)/time.Second)),
	}
}

// judge tells both breakers how a call ended. What says that the server cannot
// be talked to is the upstream's; a call that took too long or broke inside is
// the tool's, so that one bad tool does not take the others with it.
func (s *server) judge(r *Request, own, tool pass, reply *durward.Reply, err error, turnedDown bool) {
	if s.breakers.own == nil {
		return
	}
	now := time.Now()
	of, v := blame(reply, err)
	if of == theTool && err == nil && (turnedDown || gatewaysOwn(reply.Error)) {
		v = neutral // a client that answers nothing must not close the tool for others
	}
	switch {
	case v == bad && of == theTool && tool.b == nil:
		tool.b = s.breakers.made(r.Name)
		own.done(good, now) // it answers, or others may
		tool.done(bad, now)
	case v == bad && of == theTool:
		own.done(good, now)
		tool.done(bad, now)
	case v == bad:
		own.done(bad, now)
		tool.done(neutral, now)
	default:
		own.done(v, now)
		tool.done(v, now)
	}
}

type culprit uint8

const (
	theServer culprit = iota
	theTool
)

// blame reads what a call says of whom. What a tool answers as its own error
// (isError) is an answer. A server that cannot be reached at all is the gate's:
// it is tried once a second as it is.
func blame(reply *durward.Reply, err error) (culprit, verdict) {
	if err == nil {
		if reply.Error != nil && reply.Error.Code == mcpwire.CodeInternal {
			return theTool, bad
		}
		return theServer, good
	}
	e := durward.AsError(err)
	kind, ok := link.KindOf(e.Err)
	switch {
	case e.Reason == durward.ReasonUpstreamTimeout:
		return theTool, bad
	case ok && (kind == link.Busy || kind == link.Lost || kind == link.Broken):
		return theServer, bad
	case e.Reason == durward.ReasonUpstreamProtocol:
		return theServer, bad
	}
	return theServer, neutral
}

// gatewaysOwn tells that the error is the refusal of a gateway behind us, which
// has judged it already.
func gatewaysOwn(e *durward.RPCError) bool {
	if e == nil {
		return false
	}
	switch reason, _ := mcpwire.FieldText(e.Data, "reason"); durward.Reason(reason) {
	case durward.ReasonCapabilityMissing, durward.ReasonCancelled, durward.ReasonUpstreamProtocol,
		durward.ReasonUpstreamUnavailable, durward.ReasonUpstreamTimeout, durward.ReasonBreakerOpen:
		return true
	}
	return false
}

// thrift keeps retries a small part of all calls, so that a server that fails
// does not get more work for it: each call puts in a tenth of a retry.
type thrift struct{ tenths atomic.Int64 }

const thriftMost = 100 // tenths that are kept, and that there are at first

func (t *thrift) earn() {
	if n := t.tenths.Load(); n < thriftMost {
		t.tenths.CompareAndSwap(n, n+1) // one lost to another call is no loss
	}
}

func (t *thrift) spend() bool {
	for {
		n := t.tenths.Load()
		if n < 10 {
			return false
		}
		if t.tenths.CompareAndSwap(n, n-10) {
			return true
		}
	}
}
