package guard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"durward"
	"durward/internal/guard/args"
	"durward/internal/guard/flow"
	"durward/internal/mcpwire"
)

// Policy is a configured guard: it knows for each agent and operation what a
// finding may do. It never changes and is safe for concurrent use.
type Policy struct {
	settings durward.Guard
	key      []byte
	tools    []string // patterns, the most specific first
	known    known    // texts in which nothing was found

	neighbours atomic.Pointer[Neighbours]

	mu      sync.RWMutex // guards both maps
	engines map[string]*Engine
	scopes  map[scopeKey]*Scope
}

type scopeKey struct {
	agent string
	op    *durward.Operation // of tools and prompts
	name  string             // of resources, which may be unlisted
}

// maxScopes bounds what is remembered; beyond it the memory starts over.
const maxScopes = 20_000

// CompilePolicy checks a configured guard. key makes the tokens of secrets.
func CompilePolicy(g durward.Guard, key []byte) (*Policy, error) {
	p := &Policy{settings: g, key: key, engines: map[string]*Engine{}, scopes: map[scopeKey]*Scope{}}
	if err := p.check(); err != nil {
		return nil, err
	}
	for pattern := range g.Tools {
		p.tools = append(p.tools, pattern)
	}
	slices.SortFunc(p.tools, func(a, b string) int {
		return cmp.Or(cmp.Compare(literals(b), literals(a)), strings.Compare(a, b))
	})
	if _, err := p.engine(p.settle(nil)); err != nil {
		return nil, err
	}
	return p, nil
}

func literals(pattern string) int { return len(pattern) - strings.Count(pattern, "*") }

// check finds names of rules and vectors, and modes, that do not exist: the
// configuration file is checked with places, other sources are not.
func (p *Policy) check() error {
	all := []durward.GuardScope{p.settings.GuardScope}
	for _, m := range []map[string]durward.GuardScope{p.settings.Upstreams, p.settings.Agents, p.settings.Tools} {
		for _, s := range m {
			all = append(all, s)
		}
	}
	for _, s := range all {
		if s.Mode != "" && s.Mode != Off && !Mode(s.Mode).valid() {
			return fmt.Errorf("guard: there is no mode %q", s.Mode)
		}
		for name, m := range s.Rules {
			if _, ok := ruleNamed(name); !ok || !Mode(m).valid() {
				return fmt.Errorf("guard: rule %s: %s: no such rule or mode", name, m)
			}
		}
		for name, m := range s.Vectors {
			if !vectorNamed(name) || !Mode(m).valid() {
				return fmt.Errorf("guard: vector %s: %s: no such vector or mode", name, m)
			}
		}
	}
	return nil
}

// Settled is what a rule does for a call, and where that is said.
type Settled struct {
	Mode Mode
	From string // "rule", or the scope and its part: "tool crm__*: mode"
	// Sure is the score from which it does it; below, it flags. Zero leaves it
	// to the rule.
	Sure float64
}

// unless something else is said, what a call passes does this: the table of
// rules, and milder where an honest call would often be hit. Sure findings act,
// the others flag: the evidence of a text, or of guessed roles, is no proof.
func standing(r Rule) Settled {
	s := Settled{Mode: r.Mode, From: "rule"}
	switch r.ID {
	case "secret.personal":
		s.Mode = Observe
	case "result.instruction", "result.encoded", "result.split":
		s.Sure = sureOfOthers // see Scope.sure
	case "flow.trifecta":
		s.Sure = 0.75
	case "flow.provenance":
		s.Sure = 0.8
	}
	return s
}

// part is one scope that holds for a call, with its name for people.
type part struct {
	name  string
	scope durward.GuardScope
}

// parts are the scopes that hold, from the narrowest to the widest.
func (p *Policy) parts(agent string, op *durward.Operation) []part {
	var out []part
	if op != nil {
		for _, pattern := range p.tools {
			if shown := op.Shown(); Match(pattern, op.PolicyName) || shown != "" && Match(pattern, shown) {
				out = append(out, part{"tool " + pattern, p.settings.Tools[pattern]})
				break
			}
		}
	}
	if s, ok := p.settings.Agents[agent]; ok {
		out = append(out, part{"agent " + agent, s})
	}
	if op != nil {
		if s, ok := p.settings.Upstreams[op.Upstream]; ok {
			out = append(out, part{"upstream " + op.Upstream, s})
		}
	}
	return append(out, part{"guard", p.settings.GuardScope})
}

// settle decides for each rule; the first part that says something counts.
func (p *Policy) settle(parts []part) map[string]Settled {
	if parts == nil {
		parts = []part{{"guard", p.settings.GuardScope}}
	}
	out := make(map[string]Settled, len(rules))
	for _, r := range rules {
		out[r.ID] = decide(r, parts)
	}
	return out
}

func decide(r Rule, parts []part) Settled {
	s := standing(r)
	for _, p := range parts {
		if m, ok := p.scope.Rules[r.ID]; ok {
			return Settled{Mode: Mode(m), From: p.name + ": rules"}
		}
		if m, ok := p.scope.Vectors[r.Vector]; ok {
			return Settled{Mode: Mode(m), From: p.name + ": vectors"}
		}
		if p.scope.Mode == "" {
			continue
		}
		if p.scope.Mode == Off {
			return Settled{Mode: Observe, From: p.name + ": mode"}
		}
		if most := Mode(p.scope.Mode); most.effect() > s.Mode.effect() {
			s.Mode, s.From = most, p.name+": mode"
		}
		return s
	}
	return s
}

// Settle is what each rule does for calls of an agent to an operation; both
// may be left out for what holds for everything.
func (p *Policy) Settle(agent string, op *durward.Operation) map[string]Settled {
	return p.settle(p.parts(agent, op))
}

// Table is the table of rules with what each does for calls of an agent to an
// operation; both may be left out.
func (p *Policy) Table(agent string, op *durward.Operation) []durward.GuardRule {
	settled := p.Settle(agent, op)
	sure := sureOfOthers
	if op != nil {
		sure = p.sureOf(agent, op)
	}
	out := make([]durward.GuardRule, 0, len(rules))
	for _, r := range rules {
		s := settled[r.ID]
		if s.Sure > 0 && r.orders() {
			s.Sure = sure
		}
		out = append(out, durward.GuardRule{
			ID: r.ID, Vector: r.Vector, OWASP: r.OWASP, Severity: r.Severity, Mode: string(s.Mode), From: s.From,
			Flag: r.Flag, Act: max(r.Act, s.Sure), Help: r.Help,
		})
	}
	return out
}

// sureOf is from which score orders act in what an operation returns.
func (p *Policy) sureOf(agent string, op *durward.Operation) float64 {
	named := *op
	if named.Name == "" {
		_, named.Name, _ = strings.Cut(op.PolicyName, "__")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scope(agent, &named).sure(usual)
}

// engine returns the engine of a set of modes; scopes that say the same share one.
func (p *Policy) engine(modes map[string]Settled) (*Engine, error) {
	set := make(map[string]Mode, len(modes))
	var key strings.Builder
	for _, r := range rules {
		set[r.ID] = modes[r.ID].Mode
		key.WriteString(string(modes[r.ID].Mode) + ",")
	}
	if e := p.engines[key.String()]; e != nil {
		return e, nil
	}
	e, err := New(Options{Key: p.key, Modes: set})
	if err == nil {
		p.engines[key.String()] = e
	}
	return e, err
}

// Scope is what holds for the calls of one agent to one operation. It never
// changes and is safe for concurrent use.
type Scope struct {
	engine   *Engine
	modes    map[string]Settled
	off      bool // nothing is inspected
	op       *durward.Operation
	policy   *Policy
	role     flow.Role
	declared bool // the role was said, not guessed
	reads    bool // and that it only reads
	claims   bool // its server says that it only reads
	trust    string
	to       []string
	restore  bool
	tool     *args.Tool
	routine  routine // arguments in which nothing was found
}

// Scope returns what holds for the calls of an agent to an operation.
func (p *Policy) Scope(agent string, op *durward.Operation) *Scope {
	key := scopeKey{agent, op, ""}
	if op.Kind == durward.KindResource || op.Kind == durward.KindTemplate {
		key = scopeKey{agent, nil, op.PolicyName}
	}
	p.mu.RLock()
	s := p.scopes[key]
	p.mu.RUnlock()
	if s != nil {
		return s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.scopes) >= maxScopes {
		clear(p.scopes)
	}
	if s = p.scopes[key]; s == nil {
		s = p.scope(agent, op)
		p.scopes[key] = s
	}
	return s
}

// Forget drops what is known of operations that have been replaced.
func (p *Policy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.scopes)
}

// scope is called with mu held.
func (p *Policy) scope(agent string, op *durward.Operation) *Scope {
	parts := p.parts(agent, op)
	s := &Scope{policy: p, op: op, off: off(parts), modes: p.settle(parts), tool: args.For(op.Name, Formats(op.InputSchema), members(op.InputSchema)...)}
	engine, err := p.engine(s.modes)
	if err != nil { // check has seen every mode
		panic(err)
	}
	s.engine = engine
	s.role = flow.Suggest(op.Upstream, op.Name)
	if op.Kind == durward.KindTool {
		description, _ := mcpwire.FieldText(object(op.Definition), "description")
		s.role = s.role.Hinted(op.Name, description, op.InputSchema)
		s.claims = claimsToRead(op.Definition, description)
	} else if op.Kind == durward.KindPrompt && s.role.Reach == flow.Stays {
		s.role.Reach = flow.Tells // to its server
	}
	if op.Kind != durward.KindTool { // reading has no effect outside, but an address on the web carries what it says there
		s.role.Acts, s.role.Grave, s.role.Away = false, false, false
		s.role.Sink = strings.HasPrefix(op.Name, "http://") || strings.HasPrefix(op.Name, "https://")
	}
	for _, q := range slices.Backward(parts) { // the narrowest has the last word
		s.say(q.scope)
	}
	return s
}

// off reports whether the narrowest part that has a mode says so.
func off(parts []part) bool {
	for _, q := range parts {
		if q.scope.Mode != "" {
			return q.scope.Mode == Off
		}
	}
	return false
}

// Off reports whether calls are not inspected at all.
func (s *Scope) Off() bool { return s.off }

// say takes over what a part says of what the operation is.
func (s *Scope) say(q durward.GuardScope) {
	switch q.Trust {
	case "trusted":
		s.role.Untrusted, s.trust, s.declared = false, q.Trust, true
	case "untrusted":
		s.role.Untrusted, s.trust, s.declared = true, q.Trust, true
	}
	if class, ok := classes[q.Data]; ok {
		s.role.Private, s.role.Work, s.declared = class, false, true
	}
	if q.Effect != "" {
		s.reads, s.claims = q.Effect == "reads", false
		s.role.Acts = !s.reads
		s.role.Sink = q.Effect == "sends"
		s.role.Reach, s.role.Away = flow.Stays, false
		s.role.Grave = q.Effect == "irreversible"
		s.declared = true
	}
	if len(q.To) > 0 {
		s.to, s.role.Sink, s.role.Acts = q.To, true, true
	}
	s.restore = s.restore || q.Restore
}

var classes = map[string]flow.Class{"public": flow.Public, "internal": flow.Internal, "personal": flow.Personal, "secret": flow.Secret}

// Match reports whether a name matches a pattern in which * stands for any
// characters.
func Match(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		middle, more, again := strings.Cut(rest, "*")
		if !again {
			return strings.HasSuffix(name, middle)
		}
		i := strings.Index(name, middle)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(middle):], more
	}
}
