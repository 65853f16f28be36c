package config

import (
	"fmt"
	"time"

	"durward"
)

// approvals reads how held calls are answered.
func (b *builder) approvals() {
	in := &b.in.Approvals
	out := durward.ApprovalDefaults()
	out.ApprovalTerms = b.terms("approvals", in.terms)
	out.Expire, out.Wait, out.Patience = in.Expire.value(), in.Wait.value(), in.Patience.value()
	out.PerAgent, out.Most = int(in.PerAgent), int(in.Most)
	for _, d := range []struct {
		key         string
		value       time.Duration
		least, most time.Duration
	}{
		{"expire", out.Expire, time.Second, 7 * 24 * time.Hour},
		{"wait", out.Wait, time.Second, 10 * time.Minute},
		{"patience", out.Patience, time.Second, 25 * time.Minute},
	} {
		if d.value < d.least || d.value > d.most {
			b.failAt(join("approvals", d.key), fmt.Sprintf("is not between %s and %s", shortDuration(d.least), shortDuration(d.most)), "")
		}
	}
	if out.PerAgent < 1 || out.Most < out.PerAgent || out.Most > 100_000 {
		b.failAt("approvals.most", "is smaller than per_agent, or above 100000", "")
	}
	for i, r := range in.Rules {
		at := fmt.Sprintf("approvals.rules[%d]", i)
		if len(r.Tools) == 0 {
			b.failAt(at, "names no tools", "write tools: [\"bank__*\"]")
		}
		out.Rules = append(out.Rules, durward.ApprovalRule{Tools: texts(r.Tools), ApprovalTerms: b.terms(at, r.terms)})
	}
	b.webhook(&out.Webhook, in.Webhook)
	b.out.Approvals = out
}

func (b *builder) terms(at string, in terms) durward.ApprovalTerms {
	t := durward.ApprovalTerms{Approvers: texts(in.Approvers), Need: max(int(in.Need), 1), FourEyes: bool(in.FourEyes)}
	if n := len(t.Approvers); n > 0 && t.Need > n {
		b.failAt(join(at, "need"), fmt.Sprintf("is %d, but there are %d approvers", t.Need, n), "")
	}
	if t.Need > 1 || t.FourEyes {
		b.people(at, t)
	}
	return t
}

// people warns where one person at the gateway's machine could be several: its
// user makes keys of operators in any name that the file does not declare.
func (b *builder) people(at string, t durward.ApprovalTerms) {
	const hint = "declare each under admin.operators, and name them in approvers"
	key := join(at, "need")
	if t.FourEyes {
		key = join(at, "four_eyes")
	}
	if len(t.Approvers) == 0 {
		b.warn(b.keyNode(key), key, "asks for several people, but every operator may answer, and the user of this machine can make operators of any name", hint)
		return
	}
	for i, n := range t.Approvers {
		if len(b.in.Admin.Operators[n].Key) == 0 {
			p := fmt.Sprintf("%s[%d]", join(at, "approvers"), i)
			b.warn(b.keyNode(p), p, shown(n)+" has no key in this file: the user of this machine can make one in that name", hint)
		}
	}
}

func (b *builder) webhook(out *durward.Webhook, in webhook) {
	*out = durward.Webhook{URL: string(in.URL), Secret: durward.NewCredential(string(in.Secret)), Answers: bool(in.Answers)}
	if (out.URL != "" || out.Answers) && out.Secret.IsZero() {
		b.failAt("approvals.webhook", "has no secret", "what is sent is signed with it, and answers are")
	}
}

// once reads how calls are kept from being made twice.
func (b *builder) once() {
	in := &b.in.Once
	out := durward.Once{Mode: string(in.Mode), Tools: texts(in.Tools), Except: texts(in.Except), Window: in.Window.value(), KeyWindow: in.KeyWindow.value()}
	if out.Window < time.Second || out.Window > 24*time.Hour {
		b.failAt("once.window", "is not between 1s and 24h", "")
	}
	if out.KeyWindow < time.Second || out.KeyWindow > 7*24*time.Hour {
		b.failAt("once.key_window", "is not between 1s and 168h", "")
	}
	b.out.Once = out
}

// policy reads the attribute rules; whether their conditions can be compiled
// is found out with the plan.
func (b *builder) policy() {
	seen := map[string]bool{}
	for i, r := range b.in.Policy {
		at := fmt.Sprintf("policy[%d]", i)
		switch {
		case r.Name == "":
			b.failAt(at, "has no name", "write name: a-name; the record uses it")
		case seen[string(r.Name)]:
			b.failAt(at, "has the name of another rule, "+string(r.Name), "")
		}
		if r.Effect == "" {
			b.failAt(at, "has no effect", "write effect: deny, hold, flag or allow")
		}
		seen[string(r.Name)] = true
		b.out.Policy = append(b.out.Policy, durward.PolicyRule{
			Name: string(r.Name), When: string(r.When), Effect: string(r.Effect),
			Tools: texts(r.Tools), Roles: texts(r.Roles), Agents: texts(r.Agents), Message: string(r.Message),
		})
	}
}
