// Package pipeline serves calls: it is the one place where the order of the
// checks is written down (see [Gateway.Serve] in serve.go).
//
// It holds the current [Plan] behind one atomic pointer, asks each part its
// one question in turn, and closes every call with a record, refusals
// included. It promises that nothing reaches an upstream that was not
// identified, resolved, allowed and checked, and that an answer with a side
// effect leaves only when its record is safe. It knows no wire formats: those
// are the edge's and the upstreams'.
package pipeline

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"durward"
	"durward/internal/approval"
	"durward/internal/audit"
	"durward/internal/catalog"
	"durward/internal/guard"
	"durward/internal/limit"
	"durward/internal/mcpwire"
	"durward/internal/once"
	"durward/internal/runaway"
	"durward/internal/session"
	"durward/internal/upstream"
)

// Upstreams is what the pipeline asks of what stands behind us.
type Upstreams interface {
	Apply(ups []durward.Upstream)
	Do(ctx context.Context, r *upstream.Request, p durward.Peer) (durward.Reply, error)
	Listings() []*upstream.Listing
	Changed() <-chan struct{}
	Watch(name, agent string, uris []string, fn func(durward.Event)) (cancel func(), err error)
}

// Recorder keeps the records.
type Recorder interface {
	Append(ctx context.Context, r *durward.Record, m audit.Mode) error
	Ready() error
}

// Options are the parts of a gateway; all are needed.
type Options struct {
	Log       *slog.Logger
	Pepper    []byte // of key hashes and sealed state
	Upstreams Upstreams
	Records   Recorder
	Sessions  *session.Table
	// Approvals hold calls until people have answered; nil refuses every held call.
	Approvals *approval.Desk
	// Ledger remembers calls with side effects; nil remembers none.
	Ledger *once.Ledger
	Server []byte // raw JSON Implementation: our name and version
	// Vault seals what the record keeps in full; without one it is kept as it is.
	Vault Vault
	// Counter keeps what limits count; nil means in memory.
	Counter limit.Counter
	// Pressed tells that memory is short, so that no call is begun; nil never.
	Pressed func() bool
	// Halt stops for good what the gateway itself has stopped; nil cannot.
	Halt func(ctx context.Context, h durward.Halt) error
	// Keep stores the pins of what was trusted at first sight; nil leaves them
	// in memory.
	Keep func(ctx context.Context, pins []durward.Pin) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Gateway serves calls. It is safe for concurrent use.
type Gateway struct {
	Options
	plan    atomic.Pointer[Plan]
	sealer  *session.Sealer
	schemas *guard.Schemas
	guard   *guard.Memory
	judges  *judges
	desk    *limit.Desk
	running *running
	watcher *runaway.Watcher
	probe   func(step string) // of tests
	parking *parking
	pins    *pins
	names   *catalog.Names
	loaded  chan struct{} // a snapshot came into force

	mu       sync.Mutex           // guards changes of plan, declared, watchers and onClosed
	declared map[string]time.Time // when each upstream was first seen, see settle
	watchers map[*watch]struct{}
	onClosed []func(*durward.Session)
	onLoad   []func()
}

// New returns a gateway that refuses everything until [Gateway.Load].
func New(o Options) (*Gateway, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Counter == nil {
		o.Counter = limit.NewMemory(limit.Options{})
	}
	sealer, err := session.NewSealer(o.Pepper)
	if err != nil {
		return nil, err
	}
	engine, err := guard.New(guard.Options{})
	if err != nil {
		return nil, err
	}
	g := &Gateway{Options: o, pins: newPins(engine), names: catalog.NewNames(), guard: guard.NewMemory(o.Now), judges: newJudges(), sealer: sealer, schemas: guard.NewSchemas(), desk: limit.NewDesk(o.Counter), running: newRunning(), watcher: runaway.NewWatcher(), parking: newParking(o.Log), declared: make(map[string]time.Time), watchers: make(map[*watch]struct{}), loaded: make(chan struct{}, 1)}
	g.pins.reader, _ = o.Upstreams.(Rereader)
	g.names.Seal(o.Pepper)
	empty, err := Compile(o.Pepper, &durward.Snapshot{})
	if err != nil {
		return nil, err
	}
	g.put(empty)
	return g, nil
}

// Load makes a snapshot the one that decides, for every call that begins from
// now on. A snapshot that does not compile changes nothing.
func (g *Gateway) Load(s *durward.Snapshot) error {
	plan, err := Compile(g.Pepper, s)
	if err != nil {
		return err
	}
	if g.Approvals != nil {
		g.Approvals.Rule(s.Approvals)
	}
	g.mu.Lock()
	before := g.plan.Load()
	g.Upstreams.Apply(s.Upstreams)
	if u, ok := g.Upstreams.(Prober); ok {
		u.Probe(max(s.Guarding.Probe, 0))
	}
	g.put(g.offering(plan))
	g.desk.Adopt(plan.limits)
	g.mu.Unlock()
	g.halt(plan)
	g.forgive(before, plan)
	g.endSessions()
	g.wake()
	g.recheck()
	select {
	case g.loaded <- struct{}{}:
	default:
	}
	return nil
}

// recheck has all that stays open ask again whether it may.
func (g *Gateway) recheck() {
	g.mu.Lock()
	fns := g.onLoad
	g.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}

// untilExpiry is how long no key ends by itself, and a minute at most: a timer
// does not notice that the machine slept, or that its clock was set.
func (g *Gateway) untilExpiry() time.Duration {
	now, keys := g.Now(), g.plan.Load().snapshot.Keys
	next := now.Add(time.Minute)
	for i := range keys {
		if end := keys[i].Expires; end.After(now) && end.Before(next) {
			next = end
		}
	}
	return next.Sub(now)
}

// keyEnded tells whether a key has ended by itself since a moment.
func (g *Gateway) keyEnded(since time.Time) bool {
	now := g.Now()
	return slices.ContainsFunc(g.plan.Load().snapshot.Keys, func(k durward.Key) bool {
		return k.Expires.After(since) && !k.Expires.After(now)
	})
}

// OnLoad registers a function that is called after a new snapshot is in force,
// and when a key has expired. Register before serving.
func (g *Gateway) OnLoad(fn func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.onLoad = append(g.onLoad, fn)
}

// Run follows the upstreams' changes, ends what expired keys have open, and
// idle sessions, until ctx is done.
func (g *Gateway) Run(ctx context.Context) error {
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	looked := g.Now()
	expiry := time.NewTimer(g.untilExpiry())
	defer expiry.Stop()
	asked := make(chan struct{}, 1)
	var asking sync.WaitGroup
	defer asking.Wait()
	for {
		select {
		case <-ctx.Done():
			g.judges.close()
			g.parking.end(func(string, string) bool { return false })
			return nil
		case <-g.Upstreams.Changed():
			g.relist()
		case <-g.pins.news:
			g.keepPins(ctx)
			select {
			case asked <- struct{}{}: // one asks at a time
				asking.Go(func() {
					g.askDefinitions(ctx)
					<-asked
					g.pins.askAgain()
				})
			default:
			}
		case <-g.loaded:
			expiry.Reset(g.untilExpiry())
		case <-expiry.C:
			since := looked
			if looked = g.Now(); g.keyEnded(since) {
				g.recheck()
			}
			expiry.Reset(g.untilExpiry())
		case <-sweep.C:
			g.endSessions()
			g.retryWords()
		}
	}
}

// OnSessionClosed registers a function that hears of every session that ended,
// for whatever reason. Register before serving.
func (g *Gateway) OnSessionClosed(fn func(*durward.Session)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.onClosed = append(g.onClosed, fn)
}

// Revision is the revision of the plan in force.
func (g *Gateway) Revision() durward.Revision { return g.plan.Load().Revision }

// Anonymous reports whether callers without a credential are served at the moment.
func (g *Gateway) Anonymous() bool { return g.plan.Load().identity.Anonymous() }

// relist takes over what the upstreams offer now.
func (g *Gateway) relist() {
	g.mu.Lock()
	plan := g.plan.Load()
	g.put(g.offering(plan))
	g.mu.Unlock()
	g.wake()
}

// offering is a plan with what the upstreams offer at this moment. The caller holds mu.
func (g *Gateway) offering(p *Plan) *Plan {
	listings := g.Upstreams.Listings() // once: what is offered and what is unread belong together
	next := p.withCatalog(g.compileCatalog(p, listings), g.unread(p, listings))
	next.read = make(map[string]uint64, len(listings))
	for _, l := range listings {
		next.read[l.Upstream] = l.Generation
	}
	return next
}

func (g *Gateway) compileCatalog(p *Plan, listings []*upstream.Listing) *catalog.Catalog {
	var sources []catalog.Source
	stirs, fresh := g.pins.notary.Stirs(), false
	for _, l := range listings {
		up := p.upstreams[l.Upstream]
		if up == nil || up.Disabled {
			continue
		}
		s := source(up, l)
		var trusted bool
		s.Standings, trusted = g.judge(p, up, l)
		fresh = fresh || trusted
		sources = append(sources, s)
	}
	if fresh || g.pins.notary.Stirs() != stirs {
		g.rejudge(p, listings, sources)
	}
	g.pins.retain(p.upstreams)
	p.guard.Know(neighbours(sources))
	g.names.Declare(slices.Collect(maps.Keys(p.upstreams)))
	c := g.names.Compile(sources)
	known := g.plan.Load().catalog.Problems()
	for _, problem := range c.Problems() {
		if slices.Contains(known, problem) { // it was told when it came up
			continue
		}
		g.Log.Warn("item of upstream not offered", "upstream", problem.Upstream, "item", problem.Item, "why", problem.Why)
	}
	return c
}

// Names remembers the public names of tools and prompts. What was kept of them
// is recalled before the first [Gateway.Load].
func (g *Gateway) Names() *catalog.Names { return g.names }

// neighbours are the tools that there are, for the guard.
func neighbours(sources []catalog.Source) *guard.Neighbours {
	var all []guard.Approved
	for i := range sources {
		for _, tool := range sources[i].Tools {
			if name, ok := mcpwire.FieldText(tool, "name"); ok {
				all = append(all, guard.Approved{Server: sources[i].Upstream, Name: name})
			}
		}
	}
	return guard.NewNeighbours(all)
}

// rejudge looks again at all upstreams, since what is new in one of them bears
// on those that were judged before it: which came first is chance.
func (g *Gateway) rejudge(p *Plan, listings []*upstream.Listing, sources []catalog.Source) {
	for i := range sources {
		s := &sources[i]
		for _, l := range listings {
			if l.Upstream == s.Upstream {
				s.Standings, _ = g.judge(p, p.upstreams[l.Upstream], l)
			}
		}
	}
}

func source(up *durward.Upstream, l *upstream.Listing) catalog.Source {
	s := catalog.Source{
		Upstream: up.Name, Bare: up.Prefix == "none", Modern: l.Modern,
		Capabilities: l.Capabilities, Instructions: l.Instructions,
		Tools: l.Tools, Resources: l.Resources, Templates: l.Templates, Prompts: l.Prompts,
		TTL: l.TTL,
	}
	switch {
	case l.Err != nil:
		s.Trouble = durward.AsError(l.Err).Message
	case l.Tried.IsZero():
		s.Trouble = "The upstream " + up.Name + " has not answered yet; it may still be starting."
	}
	return s
}

// OpenSessions is how many sessions of agents are open.
func (g *Gateway) OpenSessions() int { return g.Sessions.Len() }

// endSessions drops idle sessions, and what agents that are gone have left:
// sessions and parked calls.
func (g *Gateway) endSessions() {
	plan := g.plan.Load()
	alive := func(agent string) bool {
		_, ok := plan.identity.Agent(agent)
		return ok
	}
	g.parking.end(func(agent, key string) bool { return alive(agent) && plan.halts.of(agent, key, "") == nil })
	ended := g.Sessions.Sweep(g.Now(), alive)
	for _, s := range ended {
		g.sessionClosed(s)
	}
}

func (g *Gateway) sessionClosed(s *durward.Session) {
	g.guard.End(sessionKey(s.Agent, s.ID))
	g.mu.Lock()
	fns := g.onClosed
	g.mu.Unlock()
	for _, fn := range fns {
		fn(s)
	}
}
