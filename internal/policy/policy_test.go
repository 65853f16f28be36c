package policy_test

import (
	"regexp"
	"strings"
	"testing"

	"durward"
	"durward/internal/policy"
)

func tool(name string) *durward.Operation {
	return &durward.Operation{Kind: durward.KindTool, PolicyName: name}
}

func resource(name string) *durward.Operation {
	return &durward.Operation{Kind: durward.KindResource, PolicyName: name}
}

func TestDecide(t *testing.T) {
	p, err := policy.Compile([]durward.Role{
		{Name: "support", Allow: []string{"files__read_*", "crm__*"}, Deny: []string{"crm__delete_*"}},
		{Name: "admin", Allow: []string{"*"}},
		{Name: "reader", Allow: []string{"resource:docs__file:///public/*", "tool:docs__find"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what  string
		roles []string
		op    *durward.Operation
		want  durward.Effect
		why   durward.Reason
	}{
		{"nobody may nothing", nil, tool("crm__find"), durward.Deny, durward.ReasonNotAllowed},
		{"a role that does not exist gives nothing", []string{"ghost"}, tool("crm__find"), durward.Deny, durward.ReasonNotAllowed},
		{"an allow lets through", []string{"support"}, tool("crm__find"), durward.Allow, ""},
		{"what no pattern names stays shut", []string{"support"}, tool("files__write"), durward.Deny, durward.ReasonNotAllowed},
		{"a deny wins within a role", []string{"support"}, tool("crm__delete_all"), durward.Deny, durward.ReasonRuleDenies},
		{"a deny wins over another role's allow", []string{"admin", "support"}, tool("crm__delete_all"), durward.Deny, durward.ReasonRuleDenies},
		{"a deny wins whatever the order", []string{"support", "admin"}, tool("crm__delete_all"), durward.Deny, durward.ReasonRuleDenies},
		{"names are compared with their case", []string{"support"}, tool("CRM__find"), durward.Deny, durward.ReasonNotAllowed},
		{"a kind limits a rule", []string{"reader"}, tool("docs__file:///public/a"), durward.Deny, durward.ReasonNotAllowed},
		{"a resource rule opens resources", []string{"reader"}, resource("docs__file:///public/a"), durward.Allow, ""},
		{"nothing is denied", []string{"admin"}, nil, durward.Deny, durward.ReasonOperationUnknown},
	} {
		if v := p.Decide(tc.roles, tc.op); v.Effect != tc.want || v.Reason != tc.why {
			t.Errorf("%s: Decide = %+v, want %v %q", tc.what, v, tc.want, tc.why)
		}
	}
}

// Who writes a rule has seen the upstream's own name or the one in the lists:
// both are meant.
func TestRulesMatchEitherName(t *testing.T) {
	dotted := &durward.Operation{Kind: durward.KindTool, Upstream: "gh", Name: "repo.delete", PolicyName: "gh__repo.delete", Public: "gh__repo_delete_1bc3267a60"}
	page := &durward.Operation{Kind: durward.KindResource, Upstream: "gh", Name: "ui://x", PolicyName: "gh__ui://x", Public: "ui://gh/x"}
	for _, tc := range []struct {
		role durward.Role
		op   *durward.Operation
		want durward.Effect
	}{
		{durward.Role{Allow: []string{"*"}, Deny: []string{"gh__repo_delete*"}}, dotted, durward.Deny},
		{durward.Role{Allow: []string{"*"}, Deny: []string{"gh__repo_delete_1bc3267a60"}}, dotted, durward.Deny},
		{durward.Role{Allow: []string{"*"}, Deny: []string{"tool:gh__repo.*"}}, dotted, durward.Deny},
		{durward.Role{Allow: []string{"*"}, Hold: []string{"gh__repo_delete*"}}, dotted, durward.Hold},
		{durward.Role{Allow: []string{"gh__repo_delete_1bc3267a60"}}, dotted, durward.Allow},
		{durward.Role{Allow: []string{"gh__repo.delete"}}, dotted, durward.Allow},
		{durward.Role{Allow: []string{"gh__repo_delete"}}, dotted, durward.Deny},
		{durward.Role{Allow: []string{"*"}, Deny: []string{"prompt:gh__repo_delete*"}}, dotted, durward.Allow},
		{durward.Role{Allow: []string{"resource:ui://gh/*"}}, page, durward.Deny},
	} {
		tc.role.Name = "r"
		p, err := policy.Compile([]durward.Role{tc.role})
		if err != nil {
			t.Fatal(err)
		}
		if v := p.Decide([]string{"r"}, tc.op); v.Effect != tc.want {
			t.Errorf("allow %q, deny %q, hold %q: %s is %v, want %v", tc.role.Allow, tc.role.Deny, tc.role.Hold, tc.op.PolicyName, v.Effect, tc.want)
		}
		if m, err := policy.Matcher("gh__repo_delete*"); err != nil || m(dotted) != true || m(page) != false {
			t.Errorf("Matcher: %v", err)
		}
	}
}

func TestReaches(t *testing.T) {
	p, err := policy.Compile([]durward.Role{{Name: "r", Allow: []string{"crm__find", "files*", "*__x"}}, {Name: "s", Allow: []string{"crm__find", "files*"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		role, upstream string
		want           bool
	}{{"s", "crm", true}, {"s", "cr", false}, {"s", "files2", true}, {"s", "billing", false}, {"r", "billing", true}} {
		if got := p.Reaches([]string{tc.role}, tc.upstream); got != tc.want {
			t.Errorf("Reaches(%s, %s) = %v, want %v", tc.role, tc.upstream, got, tc.want)
		}
	}
}

func TestBadRulesAreRefused(t *testing.T) {
	for _, bad := range []string{"", "tool:", strings.Repeat("a", 513), strings.Repeat("*a", 9), "crm__{a,b}", "crm__[ab]", "crm__?", "template:crm__*", "tools:crm__*", "Tool:crm__x"} {
		if _, err := policy.Compile([]durward.Role{{Name: "r", Allow: []string{bad}}}); err == nil {
			t.Errorf("Compile accepted the pattern %q", bad)
		}
	}
	if _, err := policy.Compile([]durward.Role{{Name: "r"}, {Name: "r"}}); err == nil {
		t.Error("Compile accepted a role twice")
	}
}

// FuzzMatch holds the matcher against the regular expression that says the same.
func FuzzMatch(f *testing.F) {
	f.Add("crm__*", "crm__find")
	f.Add("*a*b*", "xxaxxbxx")
	f.Add("a*", "")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 40 || len(name) > 200 || strings.Count(pattern, "*") > 8 {
			return
		}
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re, err := regexp.Compile(`(?s)^` + strings.Join(parts, ".*") + `$`)
		if err != nil {
			return
		}
		if got, want := policy.Match(pattern, name), re.MatchString(name); got != want && strings.ToValidUTF8(name, "") == name {
			t.Errorf("Match(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}
