package policy_test

import (
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/policy"
)

func facts(args string) *policy.Facts {
	return &policy.Facts{
		Agent: &durward.Agent{Name: "bot", Roles: []string{"support", "eu"}}, Key: "k_1", User: "ann",
		Op:   &durward.Operation{Kind: durward.KindTool, Upstream: "crm", Name: "refund", PolicyName: "crm__refund", Destructive: durward.Yes},
		Args: []byte(args), Labels: []string{"personal"}, Now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), Source: "10.1.2.3:555", Method: "tools/call",
	}
}

const some = `{"amount":100.5,"n":7,"big":12345678901234567890,"to":{"country":"FR","tags":["a","b"]},"ok":true,"none":null,"text":"caf\u00e9"}`

func TestConditions(t *testing.T) {
	for when, want := range map[string]bool{
		`agent.name == "bot" && "eu" in agent.roles`:              true,
		`user == "ann" && key == "k_1"`:                           true,
		`tool.upstream == "crm" && tool.name.startsWith("ref")`:   true,
		`tool.destructive && !tool.read_only && !tool.idempotent`: true,
		`args.amount > 100`:                                       true,
		`args.n == 7 && args.n < 7.5`:                             true,
		`args.big > 1e19`:                                         true,
		`args.to.country in ["DE","AT"]`:                          false,
		`args.to.tags.exists(x, x == "b")`:                        true,
		`args.ok && args.none == null && args.text == "café"`:     true,
		`has(args.missing) && args.missing == 1`:                  false,
		`"personal" in labels`:                                    true,
		`now.getHours() < 6 && now.getHours("Asia/Tokyo") == 12`:  true,
		`in_network(source, "10.0.0.0/8")`:                        true,
		`in_network(source, "192.168.0.0/16")`:                    false,
		`size(args) == 7 && args.all(k, k != "x")`:                true,
		``: true,
	} {
		c, err := policy.CompileConditions([]durward.PolicyRule{{Name: "r", When: when, Effect: "deny"}})
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		d := c.Decide(facts(some), durward.Verdict{Effect: durward.Allow})
		if got := d.Verdict.Denies(); got != want || d.Err != nil {
			t.Errorf("%s: holds %v (%v), want %v", when, got, d.Err, want)
		}
	}
}

func TestConditionsThatCannotBe(t *testing.T) {
	for when, want := range map[string]string{
		`tool.nmae == "x"`:              "undeclared reference",
		`args.amount`:                   "",
		`1 + 1`:                         "not true or false",
		`agent.name ==`:                 "Syntax error",
		`agent.name == 7`:               "no matching overload",
		strings.Repeat("true && ", 999): "longer than",
	} {
		_, err := policy.CompileConditions([]durward.PolicyRule{{Name: "r", When: when, Effect: "deny"}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", when, err, want)
		}
	}
	if _, err := policy.CompileConditions([]durward.PolicyRule{{Name: "r", Effect: "permit"}}); err == nil {
		t.Error("an unknown effect compiles")
	}
}

func TestWhatCannotBeEvaluatedDenies(t *testing.T) {
	for _, effect := range []string{"deny", "hold", "flag", "allow"} {
		for _, when := range []string{`args.missing == 1`, `args.text > 7`, `args.amount`, `[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, a+b+c+d+e > 0)))))`} {
			c, err := policy.CompileConditions([]durward.PolicyRule{{Name: "r", When: when, Effect: effect}})
			if err != nil {
				t.Fatal(err)
			}
			if d := c.Decide(facts(some), durward.Verdict{Effect: durward.Allow}); !d.Verdict.Denies() || d.Verdict.Reason != durward.ReasonPolicyFailed || d.Err == nil {
				t.Errorf("%s %.30s: %+v, want a denial", effect, when, d)
			}
		}
	}
}

func TestTheOrderOfRules(t *testing.T) {
	rule := func(name, effect string) durward.PolicyRule { return durward.PolicyRule{Name: name, Effect: effect} }
	allow, hold := durward.Verdict{Effect: durward.Allow}, durward.Verdict{Effect: durward.Hold}
	for _, c := range []struct {
		name  string
		rules []durward.PolicyRule
		roles durward.Verdict
		want  durward.Effect
		by    string
	}{
		{"a deny wins wherever it stands", []durward.PolicyRule{rule("a", "allow"), rule("d", "deny")}, hold, durward.Deny, "policy d"},
		{"an allow lifts a role's hold", []durward.PolicyRule{rule("a", "allow")}, hold, durward.Allow, "policy a"},
		{"an allow lifts a later hold", []durward.PolicyRule{rule("a", "allow"), rule("h", "hold")}, allow, durward.Allow, ""},
		{"and no earlier one", []durward.PolicyRule{rule("h", "hold"), rule("a", "allow")}, allow, durward.Hold, "policy h"},
		{"a flag lets pass", []durward.PolicyRule{rule("f", "flag")}, allow, durward.Flag, "policy f"},
		{"a hold is stricter than a flag", []durward.PolicyRule{rule("f", "flag"), rule("h", "hold")}, allow, durward.Hold, "policy h"},
		{"nothing lifts a role's deny", []durward.PolicyRule{rule("a", "allow")}, durward.Verdict{}, durward.Deny, ""},
		{"a rule for other agents", []durward.PolicyRule{{Name: "x", Effect: "deny", Agents: []string{"other"}}}, allow, durward.Allow, ""},
		{"a rule for other roles", []durward.PolicyRule{{Name: "x", Effect: "deny", Roles: []string{"ops"}}}, allow, durward.Allow, ""},
		{"a rule for other tools", []durward.PolicyRule{{Name: "x", Effect: "deny", Tools: []string{"bank__*"}}}, allow, durward.Allow, ""},
		{"a rule for this", []durward.PolicyRule{{Name: "x", Effect: "deny", Tools: []string{"crm__*"}, Roles: []string{"eu"}, Agents: []string{"bot"}}}, allow, durward.Deny, "policy x"},
	} {
		p, err := policy.CompileConditions(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if d := p.Decide(facts("{}"), c.roles); d.Verdict.Effect != c.want || d.Verdict.Rule != c.by {
			t.Errorf("%s: %v by %q, want %v by %q", c.name, d.Verdict.Effect, d.Verdict.Rule, c.want, c.by)
		}
	}
}

func BenchmarkCondition(b *testing.B) {
	for name, when := range map[string]string{
		"tool": `tool.destructive && agent.name != "x"`,
		"args": `has(args.amount) && args.amount > 100 && now.getHours() < 6`,
		"role": `"eu" in agent.roles && tool.upstream == "crm"`,
	} {
		c, err := policy.CompileConditions([]durward.PolicyRule{{Name: "r", When: when, Effect: "flag"}})
		if err != nil {
			b.Fatal(err)
		}
		f := facts(some)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := c.Decide(f, durward.Verdict{Effect: durward.Allow}); d.Err != nil {
					b.Fatal(d.Err)
				}
			}
		})
	}
}
