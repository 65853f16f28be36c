package control

import (
	"context"
	"fmt"
	"slices"

	"durward"
)

// Role is a role as operators see it.
type Role struct {
	durward.Role
	Origin durward.Origin `json:"origin"`
}

// Roles lists all roles in order of names.
func (c *Control) Roles(ctx context.Context, by durward.Actor) ([]Role, error) {
	m, err := c.look(ctx, by)
	if err != nil {
		return nil, err
	}
	out := make([]Role, 0, len(m.all.Roles))
	for _, r := range m.all.Roles {
		out = append(out, Role{Role: r, Origin: m.roleOrigin(r.Name)})
	}
	return out, nil
}

// PutRole makes or replaces a stored role.
func (c *Control) PutRole(ctx context.Context, by durward.Actor, r durward.Role) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		if err := durward.CheckRoleName(r.Name); err != nil {
			return nil, bad("%s.", sentence(err))
		}
		if len(r.Allow)+len(r.Deny)+len(r.Hold) > 4096 {
			return nil, bad("A role has at most 4096 patterns.")
		}
		for _, p := range slices.Concat(r.Allow, r.Deny, r.Hold) {
			if err := durward.CheckPattern(p); err != nil {
				return nil, bad("Pattern %q: %v.", p, err)
			}
		}
		if m.roleOrigin(r.Name) == durward.FromFile {
			return nil, m.readOnly("Role", r.Name)
		}
		return []durward.Change{{PutRole: &r}}, nil
	})
}

// DeleteRole forgets a stored role that no stored agent has.
func (c *Control) DeleteRole(ctx context.Context, by durward.Actor, name string) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		if m.roleOrigin(name) == durward.FromFile {
			return nil, m.readOnly("Role", name)
		}
		if err := m.rolesExist([]string{name}); err != nil {
			return nil, err
		}
		for _, a := range m.state.Agents {
			if slices.Contains(a.Roles, name) {
				return nil, conflict(fmt.Sprintf("Agent %s has the role %s; take it away first.", a.Name, name), nil)
			}
		}
		return []durward.Change{{DeleteRole: name}}, nil
	})
}

func (m *moment) roleOrigin(name string) durward.Origin {
	if slices.ContainsFunc(m.file.Roles, func(r durward.Role) bool { return r.Name == name }) {
		return durward.FromFile
	}
	return durward.FromStore
}
