package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"durward"
)

// Approval names what an operator has looked at and approves: the definition
// with this very digest, so that nothing else is approved in its place.
type Approval struct {
	Kind   string `json:"kind"`
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest"` // the whole, or its first 8 characters or more
}

// Approved tells what came of an approval.
type Approved struct {
	Kind   string `json:"kind"`
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest"`
	// Missing is how many more people have to approve it.
	Missing int `json:"missing,omitempty"`
	// Already tells that it was approved before.
	Already bool `json:"already,omitempty"`
}

// Definitions tells what an upstream defines and what is thought of it. It
// takes a running gateway.
func (c *Control) Definitions(ctx context.Context, by durward.Actor, upstream string) ([]durward.Definition, error) {
	if _, err := c.Upstream(ctx, by, upstream); err != nil {
		return nil, err
	}
	all, ok := c.o.Definitions(upstream)
	if !ok {
		return nil, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonUpstreamUnavailable,
			Message: fmt.Sprintf("Nothing was read of upstream %s yet; durward upstream test %s says why.", upstream, upstream)}
	}
	return all, nil
}

// Approve makes definitions of an upstream, as it lists them now, the approved
// ones, beside them those that it shows to somebody else. The lists are read
// anew, so that nothing is put in force that it does not show any more. Where several people
// have to agree, each counts once.
func (c *Control) Approve(ctx context.Context, by durward.Actor, upstream string, wanted []Approval) ([]Approved, error) {
	if len(wanted) == 0 {
		return nil, bad("Nothing to approve was named.")
	}
	if _, err := c.Upstream(ctx, by, upstream); err != nil {
		return nil, err
	}
	c.o.Reread(ctx, upstream)
	var out []Approved
	err := c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		out = nil
		defined, err := c.Definitions(ctx, by, upstream)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(m.file.Pins, func(p durward.Pin) bool { return p.Upstream == upstream }) {
			return nil, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonReadOnly,
				Message: fmt.Sprintf("The definitions of %s are approved by the lock file; write it anew with durward lock.", upstream)}
		}
		choices, err := chosen(upstream, defined, wanted)
		if err != nil {
			return nil, err
		}
		var changes []durward.Change
		for _, c := range choices {
			p, done, err := m.approve(by, upstream, c)
			if err != nil {
				return nil, err
			}
			if p != nil {
				changes = append(changes, durward.Change{PutPin: p})
			}
			for _, digest := range c.digests {
				done.Digest = digest
				out = append(out, done)
			}
		}
		return changes, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// choice is what is approved of one name: what the gateway is shown, and what
// others are.
type choice struct {
	*durward.Definition
	digests []string
}

// chosen finds the definitions that approvals mean, those of one name together.
func chosen(upstream string, defined []durward.Definition, wanted []Approval) ([]*choice, error) {
	var out []*choice
	for _, a := range wanted {
		d, digest, err := listed(upstream, defined, a)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(out, func(c *choice) bool { return c.Definition == d })
		if i < 0 {
			i, out = len(out), append(out, &choice{Definition: d})
		}
		if !slices.Contains(out[i].digests, digest) {
			out[i].digests = append(out[i].digests, digest)
		}
	}
	return out, nil
}

// take puts what was chosen into a pin. Of what else was approved of the name
// it keeps what is still shown to somebody.
func (c *choice) take(p *durward.Pin) error {
	before := p.Digest
	shown := func(digest string) bool {
		return slices.ContainsFunc(c.Variants, func(v durward.DefinitionVariant) bool { return v.Digest == digest })
	}
	if slices.Contains(c.digests, c.Digest) {
		p.Digest, p.Definition, p.Groups = c.Digest, c.Now, c.Groups
	}
	if p.Digest != before {
		p.Before = before
	}
	if p.Digest == "" {
		return bad("Of %s nothing is approved yet: approve what the gateway is shown first, %.12s.", nameOf(c.Definition), c.Digest)
	}
	also := slices.DeleteFunc(slices.Clone(p.Also), func(digest string) bool { return !shown(digest) })
	also = append(also, c.digests...)
	slices.Sort(also)
	p.Also = slices.DeleteFunc(slices.Compact(also), func(digest string) bool { return digest == p.Digest })
	if len(p.Also) == 0 {
		p.Also = nil
	}
	return nil
}

// approve is the pin that an approval makes; nil when it is as it should be.
func (m *moment) approve(by durward.Actor, upstream string, c *choice) (*durward.Pin, Approved, error) {
	done := Approved{Kind: c.Kind, Name: c.Name}
	had := m.pin(durward.PinKey{Upstream: upstream, Kind: c.Kind, Name: c.Name})
	p := had
	if err := c.take(&p); err != nil {
		return nil, done, err
	}
	if p.Digest == had.Digest && slices.Equal(p.Also, had.Also) && (c.State == durward.DefinitionApproved || had.By != firstSight) {
		done.Already = true
		return nil, done, nil
	}
	needed := max(m.file.Guarding.People, 1)
	if needed > 1 && !by.Named() {
		return nil, done, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotApprover,
			Message: fmt.Sprintf("%d people with names have to approve definitions, and %s is none; use a named operator's key: durward operator create NAME makes one, DURWARD_ADMIN_KEY is where it goes.", needed, by.Name)}
	}
	people := []string{by.Name}
	if q := had.Proposal; q != nil && q.Digest == p.Digest && slices.Equal(q.Also, p.Also) {
		if slices.Contains(q.By, by.Name) {
			return nil, done, conflict(fmt.Sprintf("%s has approved %s already; somebody else has to, with a key of their own.", by.Name, nameOf(c.Definition)), nil)
		}
		if by.Since.After(q.At) {
			return nil, done, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotApprover,
				Message: fmt.Sprintf("The key of %s was made after %s approved %s, who could have made it: approve with an older key.", by.Name, strings.Join(q.By, " and "), nameOf(c.Definition))}
		}
		people = append(slices.Clone(q.By), by.Name)
	}
	if len(people) < needed {
		had.Proposal = &durward.Proposal{Digest: p.Digest, Also: p.Also, By: people, At: m.exact}
		done.Missing = needed - len(people)
		return &had, done, nil
	}
	p.Proposal = nil
	p.By, p.At, p.Origin = strings.Join(people, " and "), m.now, durward.FromStore
	return &p, done, nil
}

// firstSight is who approved what no person has, see notary.FirstSight.
const firstSight = "first sight"

// listed finds the definition that an approval means, if it is still that one,
// and which of those that are shown of its name.
func listed(upstream string, defined []durward.Definition, a Approval) (*durward.Definition, string, error) {
	var names []string
	for i := range defined {
		d := &defined[i]
		if d.Kind == a.Kind {
			names = append(names, d.Name)
		}
		if d.Kind != a.Kind || d.Name != a.Name || d.State == durward.DefinitionGone {
			continue
		}
		if len(a.Digest) >= 8 {
			if d.Digest != "" && strings.HasPrefix(d.Digest, a.Digest) {
				return d, d.Digest, nil
			}
			for _, v := range d.Variants {
				if v.Digest != "" && strings.HasPrefix(v.Digest, a.Digest) {
					return d, v.Digest, nil
				}
			}
		}
		if d.Digest == "" {
			return nil, "", bad("%s of %s cannot be approved: it cannot be pinned.", nameOf(d), upstream)
		}
		return nil, "", conflict(fmt.Sprintf("%s of %s is not the definition that you looked at; see durward diff %s.", nameOf(d), upstream, upstream), nil)
	}
	return nil, "", missing(a.Kind, a.Name, names)
}

func nameOf(d *durward.Definition) string {
	if d.Name == "" {
		return "the " + d.Kind
	}
	return d.Name
}

// pin is what is stored of a definition; an empty one when nothing is.
func (m *moment) pin(k durward.PinKey) durward.Pin {
	i, ok := slices.BinarySearchFunc(m.state.Pins, k, func(p durward.Pin, k durward.PinKey) int {
		return cmp.Or(cmp.Compare(p.Upstream, k.Upstream), cmp.Compare(p.Kind, k.Kind), cmp.Compare(p.Name, k.Name))
	})
	if ok {
		return m.state.Pins[i]
	}
	return durward.Pin{Upstream: k.Upstream, Kind: k.Kind, Name: k.Name, Origin: durward.FromStore}
}

// Trust stores pins that policy approves at first sight, where nothing is
// approved yet. What a server is may replace what it was.
func (c *Control) Trust(ctx context.Context, by durward.Actor, pins []durward.Pin) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		var changes []durward.Change
		for i := range pins {
			p := &pins[i]
			if had := m.pin(p.Key()); had.Digest == p.Digest || (had.Digest != "" && p.Kind != durward.PinServer) {
				continue
			}
			if slices.ContainsFunc(m.all.Upstreams, func(u durward.Upstream) bool { return u.Name == p.Upstream }) {
				changes = append(changes, durward.Change{PutPin: p})
			}
		}
		return changes, nil
	})
}

// keptPins are the pins that outlive their upstream. Where several people
// approve definitions, one of them must not get around the others by removing
// an upstream and adding it again.
func (m *moment) keptPins(upstream string) (out []durward.Change) {
	if m.file.Guarding.People < 2 {
		return nil
	}
	for i := range m.state.Pins {
		if m.state.Pins[i].Upstream == upstream {
			out = append(out, durward.Change{PutPin: &m.state.Pins[i]})
		}
	}
	return out
}
