package notary

import (
	"slices"

	"durward"
	"durward/internal/mcpwire"
)

// Variant is a definition as somebody else is shown it.
type Variant struct {
	Who      string
	Seen     durward.Pin // without a digest when it cannot have one
	Approved bool        // somebody approved this one, too
	Findings []durward.Finding
}

// varied withholds definitions that the upstream shows otherwise to somebody:
// what the gateway lists may not be what is called. Those of which somebody
// has approved all that is shown stay in use.
func (c *session) varied() {
	for _, v := range c.offer.Varies {
		i := slices.IndexFunc(c.out.Opinions, func(o *Opinion) bool { return o.Seen.Kind == v.Kind && o.Seen.Name == v.Name })
		if i < 0 || !mcpwire.IsObject(v.Other) || v.Kind == durward.PinResource && c.policy.Resources != "pin" {
			continue
		}
		c.vary(c.out.Opinions[i], v)
	}
}

func (c *session) vary(o *Opinion, v Varied) {
	r := c.read(v.Kind, v.Name, v.Other)
	if r.err == nil && r.pin.Digest == o.Seen.Digest {
		return
	}
	out := Variant{Who: v.Who, Seen: r.pin, Approved: r.err == nil && o.Approved != nil && (o.Approved.Approves(r.pin.Digest) || o.Approved.Before == r.pin.Digest)}
	if out.Approved {
		o.Variants = append(o.Variants, out)
		return
	}
	reason := durward.ReasonDefinitionChanged
	out.Findings = []durward.Finding{finding("pin.varies", "high", 0.9, "it is another definition for "+v.Who)}
	if r.report == nil {
		r.report = inspect(c.notary.engine, &Opinion{Seen: durward.Pin{Name: v.Name}, Raw: v.Other})
	}
	for _, f := range r.report.Findings {
		if c.notary.engine.Stops(f) && !collision(f) {
			reason = durward.ReasonDefinitionPoisoned
			out.Findings = append(out.Findings, f)
		}
	}
	o.Variants = append(o.Variants, out)
	c.also(o, reason, out.Findings...)
}
