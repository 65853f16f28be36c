// Package limit answers one question: how often, how much, how many at once?
//
// Limits are compiled to a [Program] that finds, for a call, the counters it
// counts in; a [Counter] keeps them. It promises that a call is booked in all
// its counters or in none, that no counter ever gives more than its limit and
// burst allow, whatever calls at the same time, and that what is refused later
// on can be given back. Replies are counted when they are known: a limit of
// bytes may be overdrawn by what was under way, and then refuses until the debt
// is paid. It knows nothing of policy, and of time only what it is told.
package limit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"durward"
)

// Matcher tells whether an operation is meant by a pattern.
type Matcher func(*durward.Operation) bool

// Program is the compiled limits of one snapshot. It never changes, but for
// what it remembers of the calendar, and is safe for concurrent use.
type Program struct {
	byAgent map[*durward.Agent][]*rule
	byID    map[string]*Spec
	prices  []price
}

// rule is one limit, ready to be asked.
type rule struct {
	says      durward.Limit
	spec      *Spec
	per       []durward.Dimension
	upstreams []string
	tools     []Matcher
}

type price struct {
	matches Matcher
	units   int64
}

// maxRules bounds the limits of a snapshot, maxPer the dimensions of one.
const (
	maxRules = 10_000
	maxPer   = 4
)

// Compile checks and compiles the limits for some agents. It returns nil when
// there are none. match reads a pattern of tools.
func Compile(l durward.Limits, agents []durward.Agent, match func(pattern string) (Matcher, error)) (*Program, error) {
	if len(l.Rules) == 0 && len(l.Prices) == 0 {
		return nil, nil
	}
	if len(l.Rules) > maxRules {
		return nil, fmt.Errorf("there are more than %d limits", maxRules)
	}
	zone, err := time.LoadLocation(cmp.Or(l.Zone, "UTC"))
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", l.Zone, err)
	}
	p := &Program{byAgent: make(map[*durward.Agent][]*rule), byID: make(map[string]*Spec, len(l.Rules))}
	for i := range l.Rules {
		r, err := compileRule(&l.Rules[i], zone, match)
		if err != nil {
			return nil, fmt.Errorf("limit %s: %w", l.Rules[i].Name, err)
		}
		if p.byID[r.spec.id] != nil {
			return nil, fmt.Errorf("limit %s is declared twice for the same thing", l.Rules[i].Name)
		}
		p.byID[r.spec.id] = r.spec
		for a := range agents {
			if speaksOf(&r.says, &agents[a]) {
				p.byAgent[&agents[a]] = append(p.byAgent[&agents[a]], r)
			}
		}
	}
	return p, p.compilePrices(l.Prices, match)
}

func compileRule(l *durward.Limit, zone *time.Location, match func(string) (Matcher, error)) (*rule, error) {
	spec, err := specOf(l, zone)
	if err != nil {
		return nil, err
	}
	if len(l.Per) > maxPer {
		return nil, fmt.Errorf("counts apart by more than %d things", maxPer)
	}
	r := &rule{says: *l, spec: spec, per: l.Per, upstreams: l.Upstreams}
	for _, pattern := range l.Tools {
		m, err := match(pattern)
		if err != nil {
			return nil, err
		}
		r.tools = append(r.tools, m)
	}
	return r, nil
}

// compilePrices orders the prices: what says more decides.
func (p *Program) compilePrices(prices []durward.Price, match func(string) (Matcher, error)) error {
	sorted := slices.Clone(prices)
	slices.SortStableFunc(sorted, func(a, b durward.Price) int { return cmp.Compare(literal(b.Tool), literal(a.Tool)) })
	for _, one := range sorted {
		m, err := match(one.Tool)
		if err != nil {
			return fmt.Errorf("price of %s: %w", one.Tool, err)
		}
		p.prices = append(p.prices, price{m, one.Units})
	}
	return nil
}

func literal(pattern string) int { return len(pattern) - strings.Count(pattern, "*") }

func speaksOf(l *durward.Limit, a *durward.Agent) bool {
	if len(l.Agents) > 0 && !slices.Contains(l.Agents, a.Name) {
		return false
	}
	return len(l.Roles) == 0 || slices.ContainsFunc(a.Roles, func(r string) bool { return slices.Contains(l.Roles, r) })
}

func (r *rule) covers(op *durward.Operation) bool {
	if len(r.upstreams) > 0 && !slices.Contains(r.upstreams, op.Upstream) {
		return false
	}
	return len(r.tools) == 0 || slices.ContainsFunc(r.tools, func(m Matcher) bool { return m(op) })
}

func (p *Program) specs() map[string]*Spec {
	if p == nil {
		return nil
	}
	return p.byID
}

// Applies reports whether any limit may speak of the agent.
func (p *Program) Applies(a *durward.Agent) bool { return p != nil && len(p.byAgent[a]) > 0 }

// Cost is what a call of the operation costs.
func (p *Program) Cost(op *durward.Operation) int64 {
	if p == nil {
		return 1
	}
	for i := range p.prices {
		if p.prices[i].matches(op) {
			return p.prices[i].units
		}
	}
	return 1
}

// Subject is who calls what.
type Subject struct {
	Agent     *durward.Agent
	Key, User string
	Op        *durward.Operation
	Bytes     int64 // of the request
}

// charge adds to charges what the subject is to be booked for.
func (p *Program) charge(charges []Charge, s *Subject) []Charge {
	for _, r := range p.byAgent[s.Agent] {
		if !r.covers(s.Op) {
			continue
		}
		c := Charge{Key: Key{Limit: r.spec.id}, Spec: r.spec, N: 1}
		switch r.says.Unit {
		case durward.UnitBytes:
			c.N = s.Bytes
		case durward.UnitCost:
			if c.N = p.Cost(s.Op); c.N == 0 {
				continue
			}
		}
		charges = r.apart(charges, c, s)
	}
	return charges
}

// apart adds the charge under the values that the rule counts apart. An agent
// with several of the roles counts in each.
func (r *rule) apart(charges []Charge, c Charge, s *Subject) []Charge {
	role := -1
	for i, d := range r.per {
		if d == durward.PerRole {
			role = i
			continue
		}
		c.Key.Of[i] = valueOf(d, s)
	}
	if role < 0 {
		return append(charges, c)
	}
	for _, name := range s.Agent.Roles {
		if len(r.says.Roles) == 0 || slices.Contains(r.says.Roles, name) {
			c.Key.Of[role] = name
			charges = append(charges, c)
		}
	}
	return charges
}

func valueOf(d durward.Dimension, s *Subject) string {
	switch d {
	case durward.PerKey:
		if s.Key == "" { // the operating system vouched for it
			return s.Agent.Name
		}
		return s.Key
	case durward.PerAgent:
		return s.Agent.Name
	case durward.PerUser:
		if s.User == "" { // nobody was named: it acts for itself
			return s.Agent.Name
		}
		return s.User
	case durward.PerUpstream:
		return s.Op.Upstream
	case durward.PerTool:
		return toolOf(s.Op)
	}
	return ""
}

// toolOf is the name that calls of an operation are counted under. URIs are
// the caller's to choose, so all resources of an upstream are one.
func toolOf(op *durward.Operation) string {
	if op.Kind == durward.KindResource || op.Kind == durward.KindTemplate {
		return op.Upstream
	}
	return op.PolicyName
}
