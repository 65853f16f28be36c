package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"durward"
	"durward/internal/identity"
	"durward/internal/inventory"
)

// maxUpstreams bounds what one gateway aggregates.
const maxUpstreams = 1000

// Upstream is an upstream as operators see it: without the values of headers,
// environment variables and URL queries, which hold secrets.
type Upstream struct {
	durward.Upstream
	// Status is how it is; nil when no gateway runs.
	Status *durward.UpstreamStatus `json:"status,omitempty"`
}

// Upstreams lists all upstreams in order of names, with their status.
func (c *Control) Upstreams(ctx context.Context, by durward.Actor) ([]Upstream, error) {
	m, err := c.look(ctx, by)
	if err != nil {
		return nil, err
	}
	status := map[string]*durward.UpstreamStatus{}
	for _, s := range c.o.Status() {
		status[s.Name] = &s
	}
	out := make([]Upstream, 0, len(m.all.Upstreams))
	for _, u := range m.all.Upstreams {
		out = append(out, Upstream{Upstream: u.WithoutSecrets(), Status: status[u.Name]})
	}
	return out, nil
}

// Upstream tells of one upstream.
func (c *Control) Upstream(ctx context.Context, by durward.Actor, name string) (Upstream, error) {
	all, err := c.Upstreams(ctx, by)
	if err != nil {
		return Upstream{}, err
	}
	known := make([]string, 0, len(all))
	for _, u := range all {
		if u.Name == name {
			return u, nil
		}
		known = append(known, u.Name)
	}
	return Upstream{}, missing("upstream", name, known)
}

// AddUpstream makes a new stored upstream. Nothing of it is exposed until a
// role allows it.
func (c *Control) AddUpstream(ctx context.Context, by durward.Actor, u durward.Upstream) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		if err := checkUpstream(&u); err != nil {
			return nil, err
		}
		if err := c.notSelf(m, &u); err != nil {
			return nil, err
		}
		if len(m.all.Upstreams) >= maxUpstreams {
			return nil, conflict(fmt.Sprintf("There are %d upstreams already.", maxUpstreams), nil)
		}
		for _, other := range m.all.Upstreams {
			if !durward.UpstreamNamesClash(other.Name, u.Name) {
				continue
			}
			if other.Origin == durward.FromFile {
				return nil, m.readOnly("Upstream", other.Name)
			}
			return nil, conflict(fmt.Sprintf("There is an upstream %s already; remove it or choose another name.", other.Name), nil)
		}
		u.Origin = durward.FromStore
		return []durward.Change{{PutUpstream: &u}}, nil
	})
}

// notSelf refuses an upstream that is this gateway: it would list its own
// tools as new ones.
func (c *Control) notSelf(m *moment, u *durward.Upstream) error {
	if why := inventory.Self(*u, c.o.Own()); why != "" {
		return bad("Upstream %s is this gateway itself: %s.", u.Name, why)
	}
	for _, secret := range inventory.Keys(*u) {
		hash := identity.Hash(c.o.Pepper, secret)
		if slices.ContainsFunc(m.all.Keys, func(k durward.Key) bool { return k.Hash == hash }) {
			return bad("Upstream %s is this gateway itself: it is called with one of its keys.", u.Name)
		}
	}
	return nil
}

func checkUpstream(u *durward.Upstream) error {
	if faults := u.Faults(); len(faults) > 0 {
		return bad("Upstream %s: %s.", u.Name, faults[0].Error())
	}
	if mentionsReference(u) {
		return bad("Upstream %s: ${env:...} and ${file:...} are for the configuration file; give the value itself.", u.Name)
	}
	return nil
}

// mentionsReference finds references that would reach the upstream as they are.
func mentionsReference(u *durward.Upstream) bool {
	texts := append([]string{u.Command, u.URL, u.Dir}, u.Args...)
	if u.OAuth != nil {
		texts = append(texts, u.OAuth.ClientID, u.OAuth.ClientSecret, u.OAuth.ClientMetadata)
	}
	for _, m := range []map[string]string{u.Env, u.Headers} {
		for _, v := range m {
			texts = append(texts, v)
		}
	}
	for _, t := range texts {
		if strings.Contains(t, "${env:") || strings.Contains(t, "${file:") || strings.Contains(t, "${vault:") {
			return true
		}
	}
	return false
}

// RemoveUpstream forgets a stored upstream, and what it granted.
func (c *Control) RemoveUpstream(ctx context.Context, by durward.Actor, name string) error {
	var gone durward.Upstream
	err := c.change(ctx, by, func(m *moment) (_ []durward.Change, err error) {
		if gone, err = m.storedUpstream(name); err != nil {
			return nil, err
		}
		return append([]durward.Change{{DeleteUpstream: name}}, m.keptPins(name)...), nil
	})
	if err != nil || c.o.SignOut == nil {
		return err
	}
	if err := c.o.SignOut(&gone); err != nil {
		return &durward.Error{Code: durward.Internal, Reason: durward.ReasonInternal, Err: err,
			Message: "The upstream is removed, but what it granted could not be forgotten; revoke it at its authorization server."}
	}
	return nil
}

// SetUpstreamDisabled takes an upstream out of use, or into use again.
func (c *Control) SetUpstreamDisabled(ctx context.Context, by durward.Actor, name string, disabled bool) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		u, err := m.storedUpstream(name)
		if err != nil || u.Disabled == disabled {
			return nil, err
		}
		u.Disabled = disabled
		return []durward.Change{{PutUpstream: &u}}, nil
	})
}

func (m *moment) storedUpstream(name string) (durward.Upstream, error) {
	known := make([]string, 0, len(m.all.Upstreams))
	for _, u := range m.all.Upstreams {
		known = append(known, u.Name)
		if u.Name != name {
			continue
		}
		if u.Origin == durward.FromFile {
			return u, m.readOnly("Upstream", name)
		}
		return u, nil
	}
	return durward.Upstream{}, missing("upstream", name, known)
}
