package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"durward"
)

// Agent is an agent as operators see it, with its keys.
type Agent struct {
	durward.Agent
	Keys []Key `json:"keys"`
	// Overlooked counts the mistakes of a tolerated agent since the gateway
	// started, by name; of a gateway that does not run it is not known.
	Overlooked map[string]uint64 `json:"overlooked,omitempty"`
}

// NewAgent is what is wanted of [Control.CreateAgent].
type NewAgent struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles,omitempty"`
	// Compat is strict when empty.
	Compat durward.Compat `json:"compat,omitempty"`
	// NoKey leaves the agent without a key; [Control.RotateKey] mints one later.
	NoKey bool `json:"no_key,omitempty"`
	// Expires is when the first key ends; zero is never.
	Expires time.Time `json:"expires,omitzero"`
}

// Agents lists all agents in order of names.
func (c *Control) Agents(ctx context.Context, by durward.Actor) ([]Agent, error) {
	m, err := c.look(ctx, by)
	if err != nil {
		return nil, err
	}
	out := make([]Agent, 0, len(m.all.Agents))
	for _, a := range m.all.Agents {
		out = append(out, m.agentView(a))
	}
	return out, nil
}

// Agent tells of one agent.
func (c *Control) Agent(ctx context.Context, by durward.Actor, name string) (Agent, error) {
	m, err := c.look(ctx, by)
	if err != nil {
		return Agent{}, err
	}
	a, err := m.agent(name)
	if err != nil {
		return Agent{}, err
	}
	return m.agentView(a), nil
}

// CreateAgent makes an agent and mints its first key. The secret is shown this
// once.
func (c *Control) CreateAgent(ctx context.Context, by durward.Actor, in NewAgent) (Minted, error) {
	var out Minted
	err := c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		if err := m.mayCreate(in); err != nil {
			return nil, err
		}
		a := durward.Agent{Name: in.Name, Roles: in.Roles, Compat: in.Compat, Origin: durward.FromStore}
		changes := []durward.Change{{PutAgent: &a}}
		if in.NoKey {
			out = Minted{Agent: in.Name}
			return changes, nil
		}
		k, err := c.mint(m, &out, in.Name, in.Expires)
		if err != nil {
			return nil, err
		}
		k.Owner = by.Name
		return append(changes, durward.Change{PutKey: k}), nil
	})
	if err != nil {
		return Minted{}, err
	}
	return out, nil
}

func (m *moment) mayCreate(in NewAgent) error {
	if err := durward.CheckAgentName(in.Name); err != nil {
		return bad("%s.", sentence(err))
	}
	if err := compatKnown(in.Compat); err != nil {
		return err
	}
	for _, a := range m.all.Agents {
		if !strings.EqualFold(a.Name, in.Name) {
			continue
		}
		if a.Origin == durward.FromFile {
			return m.readOnly("Agent", a.Name)
		}
		return conflict(fmt.Sprintf("There is an agent %s already; rotate gives it a new key.", a.Name), nil)
	}
	return m.rolesExist(in.Roles)
}

func compatKnown(c durward.Compat) error {
	if !c.Known() {
		return bad("Compat is strict or tolerant, not %q.", c)
	}
	return nil
}

func (m *moment) rolesExist(roles []string) error {
	known := make([]string, 0, len(m.all.Roles))
	for _, r := range m.all.Roles {
		known = append(known, r.Name)
	}
	for _, r := range roles {
		if !slices.Contains(known, r) {
			return missing("role", r, known)
		}
	}
	return nil
}

// AgentEdit is what is to change of an agent; nil leaves it as it is.
type AgentEdit struct {
	Roles    *[]string       `json:"roles,omitempty"`
	Disabled *bool           `json:"disabled,omitempty"`
	Compat   *durward.Compat `json:"compat,omitempty"`
}

// SetAgentRoles replaces the roles of an agent.
func (c *Control) SetAgentRoles(ctx context.Context, by durward.Actor, name string, roles []string) error {
	return c.EditAgent(ctx, by, name, AgentEdit{Roles: &roles})
}

// SetAgentDisabled refuses or accepts again all calls of an agent.
func (c *Control) SetAgentDisabled(ctx context.Context, by durward.Actor, name string, disabled bool) error {
	return c.EditAgent(ctx, by, name, AgentEdit{Disabled: &disabled})
}

// SetAgentCompat tells how an agent's mistakes in the protocol are taken.
func (c *Control) SetAgentCompat(ctx context.Context, by durward.Actor, name string, compat durward.Compat) error {
	return c.EditAgent(ctx, by, name, AgentEdit{Compat: &compat})
}

// EditAgent changes an agent, all of the edit at once.
func (c *Control) EditAgent(ctx context.Context, by durward.Actor, name string, e AgentEdit) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		a, err := m.agent(name)
		if err != nil {
			return nil, err
		}
		if a.Origin == durward.FromFile {
			return nil, m.readOnly("Agent", name)
		}
		if e.Roles != nil {
			a.Roles = slices.Clone(*e.Roles)
			if err := m.rolesExist(a.Roles); err != nil {
				return nil, err
			}
		}
		if e.Disabled != nil {
			a.Disabled = *e.Disabled
		}
		if e.Compat != nil {
			if err := compatKnown(*e.Compat); err != nil {
				return nil, err
			}
			a.Compat = *e.Compat
		}
		return []durward.Change{{PutAgent: &a}}, nil
	})
}

// RevokeAgent ends all keys of an agent at once and disables it, so that no
// other way of calling is left. The agent stays known, so that nobody else
// gets its name. An agent of the file is not disabled, and one with a key in
// the file is refused: only the file can end that key.
func (c *Control) RevokeAgent(ctx context.Context, by durward.Actor, name string) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		a, err := m.agent(name)
		if err != nil {
			return nil, err
		}
		if err := m.keysAreStored(name); err != nil {
			return nil, err
		}
		var changes []durward.Change
		for _, k := range m.keysOf(name) {
			if live(k, m.now) {
				k.Revoked = m.now
				changes = append(changes, durward.Change{PutKey: &k})
			}
		}
		if a.Origin == durward.FromStore && !a.Disabled {
			a.Disabled = true
			changes = append(changes, durward.Change{PutAgent: &a})
		}
		return changes, nil
	})
}

// DeleteAgent forgets a stored agent and its keys.
func (c *Control) DeleteAgent(ctx context.Context, by durward.Actor, name string) error {
	return c.change(ctx, by, func(m *moment) ([]durward.Change, error) {
		a, err := m.agent(name)
		if err != nil {
			return nil, err
		}
		if a.Origin == durward.FromFile {
			return nil, m.readOnly("Agent", name)
		}
		return []durward.Change{{DeleteAgent: name}}, nil
	})
}

func (m *moment) agent(name string) (durward.Agent, error) {
	known := make([]string, 0, len(m.all.Agents))
	for _, a := range m.all.Agents {
		if a.Name == name {
			return a, nil
		}
		known = append(known, a.Name)
	}
	return durward.Agent{}, missing("agent", name, known)
}

func (m *moment) agentView(a durward.Agent) Agent {
	v := Agent{Agent: a, Keys: []Key{}}
	for _, k := range m.keysOf(a.Name) {
		v.Keys = append(v.Keys, m.keyView(k))
	}
	return v
}

// sentence makes an error's text the start of a sentence.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
