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
// ones. Where several people have to agree, each counts once.
func (c *Control) Approve(ctx context.Context, by durward.Actor, upstream string, wanted []Approval) ([]Approved, error) {
	if len(wanted) == 0 {
		return nil, bad("Nothing to approve was named.")
	}
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
		var changes []durward.Change
		for _, a := range wanted {
			p, done, err := m.approve(by, upstream, defined, a)
			if err != nil {
				return nil, err
			}
			if p != nil {
				changes = append(changes, durward.Change{PutPin: p})
			}
			out = append(out, done)
		}
		return changes, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// approve is the pin that an approval makes; nil when it is as it should be.
func (m *moment) approve(by durward.Actor, upstream string, defined []durward.Definition, a Approval) (*durward.Pin, Approved, error) {
	d, err := listed(upstream, defined, a)
	if err != nil {
		return nil, Approved{}, err
	}
	done := Approved{Kind: d.Kind, Name: d.Name, Digest: d.Digest}
	p := m.pin(durward.PinKey{Upstream: upstream, Kind: d.Kind, Name: d.Name})
	if p.Digest == d.Digest && d.State == durward.DefinitionApproved {
		return nil, done, nil
	}
	needed := max(m.file.Guarding.People, 1)
	if needed > 1 && !by.Named() {
		return nil, done, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotApprover,
			Message: fmt.Sprintf("%d people with names have to approve definitions, and %s is none; use a named operator's key: durward operator create NAME makes one, DURWARD_ADMIN_KEY is where it goes.", needed, by.Name)}
	}
	people := []string{by.Name}
	if q := p.Proposal; q != nil && q.Digest == d.Digest {
		if slices.Contains(q.By, by.Name) {
			return nil, done, conflict(fmt.Sprintf("%s has approved %s already; somebody else has to, with a key of their own.", by.Name, nameOf(d)), nil)
		}
		if by.Since.After(q.At) {
			return nil, done, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotApprover,
				Message: fmt.Sprintf("The key of %s was made after %s approved %s, who could have made it: approve with an older key.", by.Name, strings.Join(q.By, " and "), nameOf(d))}
		}
		people = append(slices.Clone(q.By), by.Name)
	}
	if len(people) < needed {
		p.Proposal = &durward.Proposal{Digest: d.Digest, By: people, At: m.exact}
		done.Missing = needed - len(people)
		return &p, done, nil
	}
	p.Digest, p.Definition, p.Proposal = d.Digest, d.Now, nil
	p.Groups = d.Groups
	p.By, p.At, p.Origin = strings.Join(people, " and "), m.now, durward.FromStore
	return &p, done, nil
}

// listed finds the definition that an approval means, if it is still that one.
func listed(upstream string, defined []durward.Definition, a Approval) (*durward.Definition, error) {
	var names []string
	for i := range defined {
		d := &defined[i]
		if d.Kind == a.Kind {
			names = append(names, d.Name)
		}
		if d.Kind != a.Kind || d.Name != a.Name || d.State == durward.DefinitionGone {
			continue
		}
		switch {
		case d.Digest == "":
			return nil, bad("%s of %s cannot be approved: it cannot be pinned.", nameOf(d), upstream)
		case len(a.Digest) < 8 || !strings.HasPrefix(d.Digest, a.Digest):
			return nil, conflict(fmt.Sprintf("%s of %s is not the definition that you looked at; see durward diff %s.", nameOf(d), upstream, upstream), nil)
		}
		return d, nil
	}
	return nil, missing(a.Kind, a.Name, names)
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
