package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"durward"
	"durward/internal/catalog"
	"durward/internal/identity"
	"durward/internal/policy"
)

// Plan is all that decides about calls at one moment: it never changes, and a
// call uses one plan from its beginning to its end.
type Plan struct {
	Revision durward.Revision

	snapshot  *durward.Snapshot
	identity  *identity.Index
	policy    *policy.Program
	upstreams map[string]*durward.Upstream
	catalog   *catalog.Catalog
	views     *views
}

// Compile checks a snapshot and compiles it, without a catalogue: nothing is
// known of the upstreams' offers yet. It touches nothing outside.
func Compile(pepper []byte, s *durward.Snapshot) (*Plan, error) {
	program, err := policy.Compile(s.Roles)
	if err != nil {
		return nil, fmt.Errorf("compile the roles: %w", err)
	}
	p := &Plan{
		Revision:  s.Revision,
		snapshot:  s,
		identity:  identity.Compile(pepper, s.Agents, s.Keys),
		policy:    program,
		upstreams: make(map[string]*durward.Upstream, len(s.Upstreams)),
	}
	for i := range s.Upstreams {
		p.upstreams[s.Upstreams[i].Name] = &s.Upstreams[i]
	}
	return p.withCatalog(catalog.Compile(nil)), nil
}

// withCatalog returns a plan that differs in what the upstreams offer.
func (p *Plan) withCatalog(c *catalog.Catalog) *Plan {
	next := *p
	next.catalog = c
	next.views = &views{}
	return &next
}

// view is what the agent sees through an endpoint; nil when there is no such
// endpoint for it.
func (p *Plan) view(agent *durward.Agent, endpoint string) *catalog.View {
	if v, ok := p.views.get(agent, endpoint); ok {
		return v
	}
	return p.views.add(p, agent, endpoint)
}

// views caches a plan's views. Agents with the same roles share theirs.
type views struct {
	byAgent atomic.Pointer[map[agentKey]*catalog.View]

	mu      sync.Mutex // guards byRoles, and writing byAgent
	byRoles map[rolesKey]*catalog.View
}

type agentKey struct {
	agent    *durward.Agent
	endpoint string
}

type rolesKey struct{ roles, endpoint string }

// maxViews bounds the agents' entries; the rest is found by roles, more slowly.
const maxViews = 200_000

func (v *views) get(agent *durward.Agent, endpoint string) (*catalog.View, bool) {
	m := v.byAgent.Load()
	if m == nil {
		return nil, false
	}
	view, ok := (*m)[agentKey{agent, endpoint}]
	return view, ok
}

func (v *views) add(p *Plan, agent *durward.Agent, endpoint string) *catalog.View {
	if endpoint != "" && p.upstreams[endpoint] == nil {
		return nil // not cached: the name is the caller's
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	key := rolesKey{strings.Join(slices.Sorted(slices.Values(agent.Roles)), "\x00"), endpoint}
	view, ok := v.byRoles[key]
	if !ok {
		view = p.catalog.View(endpoint, asker{p.policy, agent.Roles})
		if v.byRoles == nil {
			v.byRoles = make(map[rolesKey]*catalog.View)
		}
		v.byRoles[key] = view
	}
	v.publish(agentKey{agent, endpoint}, view)
	return view
}

// publish is called with mu held. It copies the map, which is rare enough:
// once per agent and plan.
func (v *views) publish(key agentKey, view *catalog.View) {
	next := make(map[agentKey]*catalog.View)
	if m := v.byAgent.Load(); m != nil && len(*m) < maxViews {
		next = maps.Clone(*m)
	}
	next[key] = view
	v.byAgent.Store(&next)
}

// asker answers the catalogue's questions for one set of roles.
type asker struct {
	program *policy.Program
	roles   []string
}

func (a asker) Decide(op *durward.Operation) durward.Verdict { return a.program.Decide(a.roles, op) }
func (a asker) Reaches(upstream string) bool                 { return a.program.Reaches(a.roles, upstream) }
