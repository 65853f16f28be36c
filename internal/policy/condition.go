package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"durward"
)

// Bounds of conditions.
const (
	maxConditions = 256
	maxCondition  = 4 << 10
	maxCost       = 20_000 // of one evaluation, in CEL's own units
)

// Conditions are the compiled attribute rules of one snapshot. They never
// change and are safe for concurrent use.
type Conditions struct {
	rules    []*condition
	labelled bool
}

// Labelled tells whether a condition looks at labels.
func (cs *Conditions) Labelled() bool { return cs != nil && cs.labelled }

type condition struct {
	durward.PolicyRule
	effect   durward.Effect
	patterns []rule
	program  cel.Program
	args     bool // it looks at the arguments
	labels   bool
}

// Facts are what conditions may look at.
type Facts struct {
	Agent   *durward.Agent
	Key     string
	User    string
	Session string
	Op      *durward.Operation
	Method  string
	Args    []byte // raw JSON object; nil for none
	Blind   bool   // the arguments are not known
	Labels  []string
	Now     time.Time
	Source  string // address of the caller, with or without port
}

// Decision is what the conditions say of a call.
type Decision struct {
	Verdict durward.Verdict // given the roles' verdict
	Message string          // for the agent, of a denial
	Flags   []string        // rules that flag the call
	Err     error           // for operators: why a condition could not be evaluated
	Unsure  []string        // rules that look at arguments, which are not known
}

// CompileConditions checks and compiles attribute rules.
func CompileConditions(rules []durward.PolicyRule) (*Conditions, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	if len(rules) > maxConditions {
		return nil, fmt.Errorf("there are %d rules; at most %d", len(rules), maxConditions)
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	c := &Conditions{}
	seen := make(map[string]bool)
	for _, r := range rules {
		one, err := compileCondition(env, r)
		if err != nil {
			return nil, fmt.Errorf("policy rule %s: %w", r.Name, err)
		}
		if r.Name == "" || seen[r.Name] {
			return nil, fmt.Errorf("policy rule %q: a rule needs a name of its own", r.Name)
		}
		seen[r.Name] = true
		c.rules, c.labelled = append(c.rules, one), c.labelled || one.labels
	}
	return c, nil
}

// environment is what conditions can name. Names are whole words to CEL, so
// that a misspelled attribute is found when the rules are compiled.
func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("agent.name", cel.StringType),
		cel.Variable("agent.roles", cel.ListType(cel.StringType)),
		cel.Variable("agent.owner", cel.StringType),
		cel.Variable("agent.anonymous", cel.BoolType),
		cel.Variable("key", cel.StringType),
		cel.Variable("user", cel.StringType),
		cel.Variable("session", cel.StringType),
		cel.Variable("method", cel.StringType),
		cel.Variable("tool.name", cel.StringType),
		cel.Variable("tool.upstream", cel.StringType),
		cel.Variable("tool.kind", cel.StringType),
		cel.Variable("tool.read_only", cel.BoolType),
		cel.Variable("tool.destructive", cel.BoolType),
		cel.Variable("tool.idempotent", cel.BoolType),
		cel.Variable("tool.open_world", cel.BoolType),
		cel.Variable("args", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("labels", cel.ListType(cel.StringType)),
		cel.Variable("now", cel.TimestampType),
		cel.Variable("source", cel.StringType),
		cel.Function("in_network", cel.Overload("in_network_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(inNetwork))),
	)
}

// inNetwork tells whether an address is in a network such as 10.0.0.0/8.
func inNetwork(address, network ref.Val) ref.Val {
	a, _ := address.Value().(string)
	n, _ := network.Value().(string)
	prefix, err := netip.ParsePrefix(n)
	if err != nil {
		return types.NewErr("in_network: %q is no network", n)
	}
	ip, err := netip.ParseAddr(a)
	if err != nil {
		return types.False // a local caller has no address
	}
	return types.Bool(prefix.Contains(ip.Unmap()))
}

var errNotBool = errors.New("the condition is not true or false")

func compileCondition(env *cel.Env, r durward.PolicyRule) (*condition, error) {
	c := &condition{PolicyRule: r}
	switch r.Effect {
	case "deny":
		c.effect = durward.Deny
	case "hold":
		c.effect = durward.Hold
	case "flag":
		c.effect = durward.Flag
	case "allow":
		c.effect = durward.Allow
	default:
		return nil, fmt.Errorf("the effect %q is none of deny, hold, flag, allow", r.Effect)
	}
	var err error
	if c.patterns, err = compileRules("", r.Tools); err != nil {
		return nil, err
	}
	if len(r.When) > maxCondition {
		return nil, fmt.Errorf("the condition is longer than %d bytes", maxCondition)
	}
	when := r.When
	if strings.TrimSpace(when) == "" {
		when = "true"
	}
	ast, issues := env.Compile(when)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	if !ast.OutputType().IsExactType(cel.BoolType) && !ast.OutputType().IsExactType(cel.DynType) {
		return nil, errNotBool
	}
	for _, name := range ast.NativeRep().ReferenceMap() {
		c.args = c.args || name.Name == "args"
		c.labels = c.labels || name.Name == "labels"
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if loops(ast.NativeRep().Expr()) { // everything else costs no more than it is long
		options = append(options, cel.CostLimit(maxCost))
	}
	c.program, err = env.Program(ast, options...)
	return c, err
}

// loops tells whether a condition can take longer than its own length: by
// going through lists, or by matching patterns.
func loops(e celast.Expr) (yes bool) {
	celast.PostOrderVisit(e, celast.NewExprVisitor(func(e celast.Expr) {
		yes = yes || e.Kind() == celast.ComprehensionKind || (e.Kind() == celast.CallKind && e.AsCall().FunctionName() == "matches")
	}))
	return yes
}

// speaksOf tells whether a rule is about a call at all, before its condition.
func (c *condition) speaksOf(f *Facts) bool {
	if len(c.Agents) > 0 && !slices.Contains(c.Agents, f.Agent.Name) {
		return false
	}
	if len(c.Roles) > 0 && !slices.ContainsFunc(c.Roles, func(r string) bool { return slices.Contains(f.Agent.Roles, r) }) {
		return false
	}
	return len(c.patterns) == 0 || first(c.patterns, f.Op) != nil
}

// Decide goes through the rules in their order. A deny that holds wins over
// all; of hold and allow the first that holds counts, and an allow lifts the
// hold of a role; flags are kept. A condition that cannot be evaluated denies.
func (cs *Conditions) Decide(f *Facts, roles durward.Verdict) Decision {
	d := Decision{Verdict: roles}
	if cs == nil || roles.Denies() {
		return d
	}
	settled := false
	for _, c := range cs.rules {
		if !c.speaksOf(f) || (settled && (c.effect == durward.Hold || c.effect == durward.Allow)) {
			continue
		}
		if f.Blind && c.args {
			d.Unsure = append(d.Unsure, c.Name)
			continue
		}
		holds, err := c.holds(f)
		if err != nil {
			d.Verdict = durward.Verdict{Effect: durward.Deny, Reason: durward.ReasonPolicyFailed, Rule: "policy " + c.Name}
			d.Err, d.Message = err, ""
			return d
		}
		if !holds {
			continue
		}
		switch c.effect {
		case durward.Deny:
			d.Verdict = durward.Verdict{Effect: durward.Deny, Reason: durward.ReasonPolicyDenies, Rule: "policy " + c.Name}
			d.Message = c.Message
			return d
		case durward.Hold:
			settled = true
			d.Verdict = d.Verdict.Stricter(durward.Verdict{Effect: durward.Hold, Reason: durward.ReasonPolicyHolds, Rule: "policy " + c.Name})
		case durward.Allow:
			settled = true
			if d.Verdict.Effect == durward.Hold {
				d.Verdict = durward.Verdict{Effect: durward.Allow, Rule: "policy " + c.Name}
			}
		default:
			d.Flags = append(d.Flags, c.Name)
			d.Verdict = d.Verdict.Stricter(durward.Verdict{Effect: durward.Flag, Reason: durward.ReasonPolicyFlags, Rule: "policy " + c.Name})
		}
	}
	return d
}

// holds evaluates the condition. The evaluation is bounded in cost, and has
// nothing to wait for.
func (c *condition) holds(f *Facts) (yes bool, err error) {
	out, _, err := c.program.Eval((*activation)(f))
	if err != nil {
		return false, err
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, errNotBool
	}
	return bool(b), nil
}
