package admin

import (
	"net/http"
	"time"

	"durward"
	"durward/internal/control"
)

func (a *api) listAgents(r *request) (answer, error) {
	agents, err := a.Control.Agents(r.Context(), r.by)
	if err != nil {
		return answer{}, err
	}
	for i := range agents {
		a.overlooked(&agents[i])
	}
	return reply(http.StatusOK, list[Agent]{agents})
}

// overlooked adds what only the running gateway knows of an agent.
func (a *api) overlooked(agent *Agent) {
	if a.Overlooked != nil {
		agent.Overlooked = a.Overlooked(agent.Name)
	}
}

func (a *api) createAgent(r *request) (answer, error) {
	in, err := decode[NewAgent](r)
	if err != nil {
		return answer{}, err
	}
	minted, err := a.Control.CreateAgent(r.Context(), r.by, in)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusCreated, minted) // the only time the secret is shown
}

func (a *api) showAgent(r *request) (answer, error) {
	agent, err := a.Control.Agent(r.Context(), r.by, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	a.overlooked(&agent)
	return reply(http.StatusOK, agent)
}

func (a *api) editAgent(r *request) (answer, error) {
	in, err := decode[control.AgentEdit](r)
	if err != nil {
		return answer{}, err
	}
	if in == (control.AgentEdit{}) {
		return answer{}, malformed("Nothing to change: give roles, disabled or compat.", nil)
	}
	if err := a.Control.EditAgent(r.Context(), r.by, r.PathValue("name"), in); err != nil {
		return answer{}, err
	}
	return done()
}

func (a *api) deleteAgent(r *request) (answer, error) {
	if err := a.Control.DeleteAgent(r.Context(), r.by, r.PathValue("name")); err != nil {
		return answer{}, err
	}
	return done()
}

func (a *api) listKeys(r *request) (answer, error) {
	agent, err := a.Control.Agent(r.Context(), r.by, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, list[Key]{agent.Keys})
}

// rotation is control's Rotation as it travels.
type rotation struct {
	Overlap *Duration `json:"overlap,omitempty"` // DefaultOverlap when absent
	Expires time.Time `json:"expires,omitzero"`
}

func (a *api) rotateKey(r *request) (answer, error) {
	in, err := decodeOptional[rotation](r)
	if err != nil {
		return answer{}, err
	}
	wanted := Rotation{Overlap: DefaultOverlap, Expires: in.Expires}
	if in.Overlap != nil {
		wanted.Overlap = time.Duration(*in.Overlap)
	}
	minted, err := a.Control.RotateKey(r.Context(), r.by, r.PathValue("name"), wanted)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusCreated, minted)
}

func (a *api) revokeAgent(r *request) (answer, error) {
	if err := a.Control.RevokeAgent(r.Context(), r.by, r.PathValue("name")); err != nil {
		return answer{}, err
	}
	return done()
}

func (a *api) listAdminKeys(r *request) (answer, error) {
	keys, err := a.Control.AdminKeys(r.Context(), r.by)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, list[Key]{keys})
}

type newAdminKey struct {
	Name    string    `json:"name,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

func (a *api) createAdminKey(r *request) (answer, error) {
	in, err := decodeOptional[newAdminKey](r)
	if err != nil {
		return answer{}, err
	}
	minted, err := a.Control.CreateAdminKey(r.Context(), r.by, in.Name, in.Expires)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusCreated, minted)
}

func (a *api) revokeKey(r *request) (answer, error) {
	if err := a.Control.RevokeKey(r.Context(), r.by, r.PathValue("id")); err != nil {
		return answer{}, err
	}
	return done()
}

func (a *api) listRoles(r *request) (answer, error) {
	roles, err := a.Control.Roles(r.Context(), r.by)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, list[Role]{roles})
}

// rules are a role without its name, which is in the path.
type rules struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
	Hold  []string `json:"hold,omitempty"`
}

func (a *api) putRole(r *request) (answer, error) {
	in, err := decode[rules](r)
	if err != nil {
		return answer{}, err
	}
	role := durward.Role{Name: r.PathValue("name"), Allow: in.Allow, Deny: in.Deny, Hold: in.Hold}
	if err := a.Control.PutRole(r.Context(), r.by, role); err != nil {
		return answer{}, err
	}
	return done()
}

func (a *api) deleteRole(r *request) (answer, error) {
	if err := a.Control.DeleteRole(r.Context(), r.by, r.PathValue("name")); err != nil {
		return answer{}, err
	}
	return done()
}
