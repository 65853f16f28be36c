// Package policy answers one question: may this agent use this operation?
//
// Rules are globs in roles. A role allows, holds for an approval, or denies
// patterns over names (<upstream>__<name>, as the upstream has it or as agents
// see it; for resources <upstream>__<uri>); nothing is allowed unless a rule says so, and of the rules
// in all of the agent's roles the strictest wins: deny, then hold, then allow. Decide
// is a pure function of a compiled [Program]. The package neither looks names
// up nor hides them: that is the catalog's and the pipeline's.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"durward"
)

// Program is the compiled rules of one snapshot. It never changes and is safe
// for concurrent use.
type Program struct {
	roles map[string]*role
}

type role struct{ allow, deny, hold []rule }

type rule struct {
	says    string       // as records show it
	kind    durward.Kind // 0: every kind
	pattern string
}

// Compile checks and compiles the roles. The error names the role and pattern
// that cannot be used.
func Compile(roles []durward.Role) (*Program, error) {
	p := &Program{roles: make(map[string]*role, len(roles))}
	for _, r := range roles {
		c := &role{}
		var err error
		if c.allow, err = compileRules("role "+r.Name+": allow ", r.Allow); err != nil {
			return nil, fmt.Errorf("role %s: allow: %w", r.Name, err)
		}
		if c.deny, err = compileRules("role "+r.Name+": deny ", r.Deny); err != nil {
			return nil, fmt.Errorf("role %s: deny: %w", r.Name, err)
		}
		if c.hold, err = compileRules("role "+r.Name+": hold ", r.Hold); err != nil {
			return nil, fmt.Errorf("role %s: hold: %w", r.Name, err)
		}
		if p.roles[r.Name] != nil {
			return nil, fmt.Errorf("role %s is declared twice", r.Name)
		}
		p.roles[r.Name] = c
	}
	return p, nil
}

func compileRules(says string, texts []string) ([]rule, error) {
	out := make([]rule, 0, len(texts))
	for _, text := range texts {
		r, err := parseRule(text)
		if err != nil {
			return nil, err
		}
		r.says = says + text
		out = append(out, r)
	}
	return out, nil
}

// kinds are the words that limit a pattern; templates follow resources.
var kinds = map[string]durward.Kind{"tool": durward.KindTool, "prompt": durward.KindPrompt, "resource": durward.KindResource}

// parseRule reads "[kind:]pattern".
func parseRule(text string) (rule, error) {
	r := rule{pattern: text}
	if word, rest, found := strings.Cut(text, ":"); found {
		r.kind, r.pattern = kinds[word], rest
		if r.kind == 0 { // no kind: the colon belongs to the name
			r.pattern = text
		}
	}
	if err := durward.CheckPattern(text); err != nil {
		return r, fmt.Errorf("pattern %q: %w", text, err)
	}
	if r.pattern == "" {
		return r, fmt.Errorf("pattern %q names nothing", text)
	}
	return r, nil
}

// Decide tells whether an agent with these roles may use the operation. A role
// that does not exist gives nothing. The zero Verdict, and every verdict for
// nobody or nothing, denies.
func (p *Program) Decide(roles []string, op *durward.Operation) durward.Verdict {
	if op == nil {
		return durward.Verdict{Reason: durward.ReasonOperationUnknown}
	}
	verdict := durward.Verdict{Effect: durward.Deny, Reason: durward.ReasonNotAllowed, Rule: "no role allows it"}
	for _, name := range roles {
		r := p.roles[name]
		if r == nil {
			continue
		}
		if hit := first(r.deny, op); hit != nil {
			return durward.Verdict{Effect: durward.Deny, Reason: durward.ReasonRuleDenies, Rule: hit.says}
		}
		if hit := first(r.hold, op); hit != nil {
			verdict = durward.Verdict{Effect: durward.Hold, Reason: durward.ReasonRuleHolds, Rule: hit.says}
			continue
		}
		if hit := first(r.allow, op); hit != nil && verdict.Denies() {
			verdict = durward.Verdict{Effect: durward.Allow, Rule: hit.says}
		}
	}
	return verdict
}

// Reaches tells whether an agent with these roles may be allowed anything of
// an upstream: it is what decides whether the agent hears of its troubles.
func (p *Program) Reaches(roles []string, upstream string) bool {
	return slices.ContainsFunc(roles, func(name string) bool {
		r := p.roles[name]
		reaches := func(a rule) bool { return durward.PatternReaches(a.pattern, upstream) }
		return r != nil && (slices.ContainsFunc(r.allow, reaches) || slices.ContainsFunc(r.hold, reaches))
	})
}

func first(rules []rule, op *durward.Operation) *rule {
	for i := range rules {
		if rules[i].covers(op.Kind) && Matches(rules[i].pattern, op) {
			return &rules[i]
		}
	}
	return nil
}

// covers tells whether a rule speaks of a kind; templates follow resources.
func (r *rule) covers(k durward.Kind) bool {
	if k == durward.KindTemplate {
		k = durward.KindResource
	}
	return r.kind == 0 || r.kind == k
}

// Matcher reads one pattern as a role has it, for whoever else chooses
// operations by them.
func Matcher(pattern string) (func(*durward.Operation) bool, error) {
	r, err := parseRule(pattern)
	if err != nil {
		return nil, err
	}
	return func(op *durward.Operation) bool { return r.covers(op.Kind) && Matches(r.pattern, op) }, nil
}

// Matches tells whether a pattern without a kind means an operation: by its
// upstream's own name for it or by the name that agents see. Who writes a rule
// has seen one of the two, and a deny that does not mean what it says is worse
// than none.
func Matches(pattern string, op *durward.Operation) bool {
	if Match(pattern, op.PolicyName) {
		return true
	}
	shown := op.Shown()
	return shown != "" && Match(pattern, shown)
}

// Match tells whether name matches the glob: '*' stands for any run of
// characters, everything else for itself, case included. It takes time linear
// in name for each star and allocates nothing.
func Match(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark, p = p, n, p+1
		case p < len(pattern) && pattern[p] == name[n]:
			p, n = p+1, n+1
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
