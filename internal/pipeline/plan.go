package pipeline

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"durward"
	"durward/internal/catalog"
	"durward/internal/guard"
	"durward/internal/guard/notary"
	"durward/internal/identity"
	"durward/internal/limit"
	"durward/internal/policy"
)

// Plan is all that decides about calls at one moment: it never changes, and a
// call uses one plan from its beginning to its end.
type Plan struct {
	Revision durward.Revision

	snapshot   *durward.Snapshot
	identity   *identity.Index
	policy     *policy.Program
	attributes *policy.Conditions // nil without attribute rules
	guard      *guard.Policy
	limits     *limit.Program // nil without limits
	halts      *halts         // nil when nothing is stopped
	runaway    runawayWays
	keeps      []recordRule
	upstreams  map[string]*durward.Upstream
	book       *notary.Book
	catalog    *catalog.Catalog
	views      map[*durward.Agent]*views // agents with the same roles share theirs
	read       map[string]uint64         // generations of the upstreams' lists
	unread     map[string]time.Time      // upstreams not read yet, and since when they are declared
	replaced   chan struct{}             // closed when another plan is in force
}

// Compile checks a snapshot and compiles it, without a catalogue: nothing is
// known of the upstreams' offers yet. It touches nothing outside.
func Compile(pepper []byte, s *durward.Snapshot) (*Plan, error) {
	program, err := policy.Compile(s.Roles)
	if err != nil {
		return nil, fmt.Errorf("compile the roles: %w", err)
	}
	attributes, err := policy.CompileConditions(s.Policy)
	if err != nil {
		return nil, err
	}
	limits, err := compileLimits(s)
	if err != nil {
		return nil, fmt.Errorf("compile the limits: %w", err)
	}
	keeps, err := compileRecordRules(s.RecordRules)
	if err != nil {
		return nil, err
	}
	inspection, err := guard.CompilePolicy(s.Guard, tokenKey(pepper))
	if err != nil {
		return nil, err
	}
	p := &Plan{
		guard:      inspection,
		limits:     limits,
		keeps:      keeps,
		halts:      compileHalts(s.Halts),
		runaway:    compileRunaway(&s.Runaway),
		Revision:   s.Revision,
		snapshot:   s,
		identity:   identity.Compile(pepper, s.Agents, s.Keys),
		policy:     program,
		attributes: attributes,
		upstreams:  make(map[string]*durward.Upstream, len(s.Upstreams)),
		book:       notary.NewBook(s.Pins),
	}
	for i := range s.Upstreams {
		p.upstreams[s.Upstreams[i].Name] = &s.Upstreams[i]
	}
	return p.withCatalog(catalog.Compile(nil), nil), nil
}

// tokenKey makes the tokens that stand for secrets.
func tokenKey(pepper []byte) []byte {
	sum := sha256.Sum256(append([]byte("durward guard tokens v1\x00"), pepper...))
	return sum[:]
}

// withCatalog returns a plan that differs in what the upstreams offer.
func (p *Plan) withCatalog(c *catalog.Catalog, unread map[string]time.Time) *Plan {
	next := *p
	next.catalog, next.unread, next.replaced = c, unread, make(chan struct{})
	next.views = make(map[*durward.Agent]*views, len(p.snapshot.Agents))
	byRoles := make(map[string]*views)
	for i := range p.snapshot.Agents {
		agent := &p.snapshot.Agents[i]
		key := strings.Join(slices.Sorted(slices.Values(agent.Roles)), "\x00")
		if byRoles[key] == nil {
			byRoles[key] = &views{ask: asker{p.policy, agent.Roles}}
		}
		next.views[agent] = byRoles[key]
	}
	return &next
}

// view is what the agent sees through an endpoint; nil when there is no such
// endpoint for it.
func (p *Plan) view(agent *durward.Agent, endpoint string) *catalog.View {
	v := p.views[agent]
	if v == nil || (endpoint != "" && p.upstreams[endpoint] == nil) {
		return nil
	}
	if m := v.byEndpoint.Load(); m != nil {
		if view, ok := (*m)[endpoint]; ok {
			return view
		}
	}
	return v.build(p.catalog, endpoint)
}

// views are what agents with one set of roles see, built when first asked for.
type views struct {
	ask        asker
	byEndpoint atomic.Pointer[map[string]*catalog.View]
	mu         sync.Mutex // guards building
}

func (v *views) build(c *catalog.Catalog, endpoint string) *catalog.View {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := make(map[string]*catalog.View)
	if m := v.byEndpoint.Load(); m != nil {
		if view, ok := (*m)[endpoint]; ok {
			return view
		}
		next = maps.Clone(*m)
	}
	next[endpoint] = c.View(endpoint, v.ask)
	v.byEndpoint.Store(&next)
	return next[endpoint]
}

// asker answers the catalogue's questions for one set of roles.
type asker struct {
	program *policy.Program
	roles   []string
}

// Decide implements catalog.Asker.
func (a asker) Decide(op *durward.Operation) durward.Verdict { return a.program.Decide(a.roles, op) }

// Reaches implements catalog.Asker.
func (a asker) Reaches(upstream string) bool { return a.program.Reaches(a.roles, upstream) }
