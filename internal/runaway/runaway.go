// Package runaway answers one question: has this agent lost its mind?
//
// It keeps a short trail of what each session, and each principal across its
// sessions, has done lately, and finds in it what agents do that go in circles:
// the same call again and again, errors in a row, two calls in turns, ever more
// tools, spending that does not stop, and a dangerous tool out of the blue. How
// far a sign has grown says what is to be done, up to what the operator allows.
// It promises bounded memory and to be cheap for a call that shows no sign. It
// does nothing itself: slowing, holding and stopping are the pipeline's.
package runaway

import (
	"hash/maphash"
	"sync"
	"time"

	"durward"
)

// Step is what is to be done about a sign, the mildest first.
type Step uint8

// The steps.
const (
	Pass Step = iota
	Record
	Tell
	Slow
	Hold
	Stop
	Quarantine
)

// StepOf is the step that a mode goes up to.
func StepOf(mode string) Step {
	switch mode {
	case durward.RunawayRecord:
		return Record
	case durward.RunawayTell:
		return Tell
	case durward.RunawaySlow:
		return Slow
	case durward.RunawayHold:
		return Hold
	case durward.RunawayStop:
		return Stop
	case durward.RunawayQuarantine:
		return Quarantine
	}
	return Pass
}

// Sign is what a call shows. The zero Sign is none.
type Sign struct {
	Signal string // durward.SignalSameCall, ...
	Step   Step
	Count  int64 // how far it has grown
	Limit  int64 // from which on it is a sign
	// Crossed tells that it has just come so far, or twice as far as when it
	// last had: once is enough to tell.
	Crossed bool
	Delay   time.Duration // with Slow and beyond
}

// Subject is who calls.
type Subject struct {
	Agent, Key, Session string // Session is "" on the stateless revision
}

// Act is one call.
type Act struct {
	Tool      string // policy name
	Print     uint64 // of tool and arguments, see Watcher.Print
	Cost      int64
	Dangerous bool
}

// Bounds of what is remembered.
const (
	maxTrails  = 10_000
	trailIdle  = 6 * time.Hour // after which a trail is forgotten
	shards     = 16
	hotCalls   = 16 // different calls that are counted at a time
	maxTools   = 256
	maxDangers = 64
)

// Watcher keeps the trails. It is safe for concurrent use.
type Watcher struct {
	seed  maphash.Seed
	parts [shards]part
}

type part struct {
	mu     sync.Mutex // guards the trails too
	trails map[who]*trail
}

// who is a session, or the principal that a key makes of an agent.
type who struct {
	agent, of string
	session   bool
}

// NewWatcher returns a watcher that has seen nothing.
func NewWatcher() *Watcher {
	w := &Watcher{seed: maphash.MakeSeed()}
	for i := range w.parts {
		w.parts[i].trails = make(map[who]*trail)
	}
	return w
}

// Print tells calls apart by tool and arguments. Of long arguments it reads
// the length, the ends, and samples between: what an agent that goes in circles
// repeats is the same everywhere.
func (w *Watcher) Print(tool string, args []byte) uint64 {
	of := maphash.String(w.seed, tool) * 0x9e3779b97f4a7c15
	if len(args) <= printWhole {
		return of ^ maphash.Bytes(w.seed, args)
	}
	sum := uint64(len(args))
	for i := range printSamples { // the last ends where the arguments end
		at := (len(args) - printSample) * i / (printSamples - 1)
		sum = sum*0x100000001b3 ^ maphash.Bytes(w.seed, args[at:][:printSample])
	}
	return of ^ sum
}

// Arguments of up to printWhole bytes are read whole, of longer ones so many
// samples of so many bytes.
const (
	printWhole   = 16 << 10
	printSamples = 32
	printSample  = 256
)

// Begin notes a call and says what it shows.
func (w *Watcher) Begin(now time.Time, p *durward.Runaway, s Subject, a Act) Sign {
	top := StepOf(p.Mode)
	if top == Pass {
		return Sign{}
	}
	at := now.UnixNano()
	principal, session := whoOf(s)
	sign := w.with(principal, at, func(t *trail) Sign {
		sign := t.wide(at, p, a)
		if s.Session == "" {
			sign = worse(sign, t.loops(at, p, a))
		}
		return sign
	})
	if s.Session != "" {
		sign = worse(sign, w.with(session, at, func(t *trail) Sign { return t.loops(at, p, a) }))
	}
	return sign.upTo(top, p)
}

// End notes how a call ended; refusals are failures too.
func (w *Watcher) End(now time.Time, p *durward.Runaway, s Subject, failed bool) {
	if StepOf(p.Mode) == Pass {
		return
	}
	at := now.UnixNano()
	principal, session := whoOf(s)
	if s.Session != "" {
		principal = session
	}
	part := w.of(principal)
	part.mu.Lock()
	defer part.mu.Unlock()
	t := part.trails[principal]
	switch {
	case t == nil && !failed:
	case t == nil:
		part.make(principal, at).ended(at, p, failed)
	default:
		t.ended(at, p, failed)
	}
}

// Forget drops the trail of what was released: it begins anew.
func (w *Watcher) Forget(agent string) {
	for i := range w.parts {
		p := &w.parts[i]
		p.mu.Lock()
		for k := range p.trails {
			if k.agent == agent || agent == "" {
				delete(p.trails, k)
			}
		}
		p.mu.Unlock()
	}
}

// Len is how many trails are kept.
func (w *Watcher) Len() (n int) {
	for i := range w.parts {
		w.parts[i].mu.Lock()
		n += len(w.parts[i].trails)
		w.parts[i].mu.Unlock()
	}
	return n
}

func whoOf(s Subject) (principal, session who) {
	return who{s.Agent, s.Key, false}, who{s.Agent, s.Session, true}
}

func (w *Watcher) of(k who) *part {
	return &w.parts[(maphash.String(w.seed, k.agent)^maphash.String(w.seed, k.of)*3)%shards]
}

func (w *Watcher) with(k who, now int64, do func(*trail) Sign) Sign {
	p := w.of(k)
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trails[k]
	if t == nil {
		t = p.make(k, now)
	}
	t.used = now
	return do(t)
}

// make is called with mu held.
func (p *part) make(k who, now int64) *trail {
	if len(p.trails) >= maxTrails/shards {
		p.forget(now)
	}
	t := &trail{began: now, used: now}
	p.trails[k] = t
	return t
}

// forget makes room: all that is idle, else what was used least of a few.
func (p *part) forget(now int64) {
	var oldest who
	least := now + 1
	for k, t := range p.trails {
		if now-t.used > int64(trailIdle) {
			delete(p.trails, k)
			continue
		}
		if t.used < least {
			oldest, least = k, t.used
		}
	}
	if len(p.trails) >= maxTrails/shards {
		delete(p.trails, oldest)
	}
}

// worse is the sign that has grown further.
func worse(a, b Sign) Sign {
	switch {
	case a.Limit == 0:
		return b
	case b.Limit == 0 || a.Count/a.Limit >= b.Count/b.Limit:
		return a
	}
	return b
}

// upTo says what is to be done, never more than the operator allows: at the
// limit the agent is told, at twice the limit slowed down, and from three times
// on it gets what the operator's mode says.
func (s Sign) upTo(top Step, p *durward.Runaway) Sign {
	if s.Limit == 0 {
		return Sign{}
	}
	grown := s.Count / s.Limit
	switch {
	case grown >= 3:
		s.Step = top
	case grown == 2:
		s.Step = min(Slow, top)
	default:
		s.Step = min(Tell, top)
	}
	if s.Signal == durward.SignalNovel { // there is nothing that grows
		s.Step = min(Hold, top)
		if top == Slow {
			s.Step = Tell
		}
	}
	if s.Step >= Slow {
		s.Delay = min(100*time.Millisecond<<min(grown-1, 10), p.Slow)
	}
	return s
}
