package admin

import (
	"context"
	"time"

	"durward"
	"durward/internal/control"
)

// Direct has the verbs of a [Client] without a gateway in between, for a data
// directory that no gateway uses.
type Direct struct {
	c  *control.Control
	by durward.Actor
}

// NewDirect makes the verbs over control, done by one operator.
func NewDirect(c *control.Control, by durward.Actor) *Direct { return &Direct{c: c, by: by} }

// Agents lists all agents.
func (d *Direct) Agents(ctx context.Context) ([]Agent, error) { return d.c.Agents(ctx, d.by) }

// Agent tells of one agent.
func (d *Direct) Agent(ctx context.Context, name string) (Agent, error) {
	return d.c.Agent(ctx, d.by, name)
}

// CreateAgent makes an agent and mints its first key.
func (d *Direct) CreateAgent(ctx context.Context, in NewAgent) (Minted, error) {
	return d.c.CreateAgent(ctx, d.by, in)
}

// SetAgentRoles replaces the roles of an agent.
func (d *Direct) SetAgentRoles(ctx context.Context, name string, roles []string) error {
	return d.c.SetAgentRoles(ctx, d.by, name, roles)
}

// SetAgentDisabled refuses or accepts again all calls of an agent.
func (d *Direct) SetAgentDisabled(ctx context.Context, name string, disabled bool) error {
	return d.c.SetAgentDisabled(ctx, d.by, name, disabled)
}

// SetAgentCompat tells how an agent's mistakes in the protocol are taken.
func (d *Direct) SetAgentCompat(ctx context.Context, name string, compat durward.Compat) error {
	return d.c.SetAgentCompat(ctx, d.by, name, compat)
}

// DeleteAgent forgets an agent and its keys.
func (d *Direct) DeleteAgent(ctx context.Context, name string) error {
	return d.c.DeleteAgent(ctx, d.by, name)
}

// RotateKey mints a new key for an agent; the old ones end after the overlap.
func (d *Direct) RotateKey(ctx context.Context, name string, r Rotation) (Minted, error) {
	return d.c.RotateKey(ctx, d.by, name, r)
}

// RevokeAgent ends all keys of an agent at once and disables it.
func (d *Direct) RevokeAgent(ctx context.Context, name string) error {
	return d.c.RevokeAgent(ctx, d.by, name)
}

// RevokeKey ends one key at once.
func (d *Direct) RevokeKey(ctx context.Context, id string) error {
	return d.c.RevokeKey(ctx, d.by, id)
}

// AdminKeys lists the operators' keys.
func (d *Direct) AdminKeys(ctx context.Context) ([]Key, error) { return d.c.AdminKeys(ctx, d.by) }

// CreateAdminKey mints an operator's key; a zero expires never ends it.
func (d *Direct) CreateAdminKey(ctx context.Context, name string, expires time.Time) (Minted, error) {
	return d.c.CreateAdminKey(ctx, d.by, name, expires)
}

// Upstreams lists all upstreams.
func (d *Direct) Upstreams(ctx context.Context) ([]Upstream, error) {
	all, err := d.c.Upstreams(ctx, d.by)
	return upstreamsOf(all), err
}

// Upstream tells of one upstream.
func (d *Direct) Upstream(ctx context.Context, name string) (Upstream, error) {
	u, err := d.c.Upstream(ctx, d.by, name)
	return upstreamOf(u), err
}

// AddUpstream makes a new upstream.
func (d *Direct) AddUpstream(ctx context.Context, u durward.Upstream) error {
	return d.c.AddUpstream(ctx, d.by, u)
}

// SetUpstreamDisabled takes an upstream out of use, or into use again.
func (d *Direct) SetUpstreamDisabled(ctx context.Context, name string, disabled bool) error {
	return d.c.SetUpstreamDisabled(ctx, d.by, name, disabled)
}

// RemoveUpstream forgets an upstream.
func (d *Direct) RemoveUpstream(ctx context.Context, name string) error {
	return d.c.RemoveUpstream(ctx, d.by, name)
}

// InspectUpstream is beyond a data directory: it takes a running gateway.
func (d *Direct) InspectUpstream(context.Context, string) (durward.UpstreamDetail, error) {
	return durward.UpstreamDetail{}, ErrNotRunning
}

// TestUpstream is beyond a data directory: it takes a running gateway.
func (d *Direct) TestUpstream(context.Context, string) (UpstreamTest, error) {
	return UpstreamTest{}, ErrNotRunning
}

// Roles lists all roles.
func (d *Direct) Roles(ctx context.Context) ([]Role, error) { return d.c.Roles(ctx, d.by) }

// PutRole makes or replaces a role.
func (d *Direct) PutRole(ctx context.Context, r durward.Role) error { return d.c.PutRole(ctx, d.by, r) }

// DeleteRole forgets a role.
func (d *Direct) DeleteRole(ctx context.Context, name string) error {
	return d.c.DeleteRole(ctx, d.by, name)
}
