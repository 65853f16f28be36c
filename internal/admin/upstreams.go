package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"durward"
	"durward/internal/control"
)

// Upstream is an upstream as it travels: its timeout as text, its secrets left
// out when it is shown.
type Upstream struct {
	durward.Upstream
	Timeout Duration                `json:"timeout,omitzero"`
	Status  *durward.UpstreamStatus `json:"status,omitempty"`
}

// UpstreamTest is what an upstream offers at the moment, before any rule.
type UpstreamTest struct {
	Status durward.UpstreamStatus `json:"status"`
	Tools  []json.RawMessage      `json:"tools"` // as the upstream defines them
}

func upstreamOf(u control.Upstream) Upstream {
	return Upstream{Upstream: u.Upstream, Timeout: Duration(u.Upstream.Timeout), Status: u.Status}
}

// declared is the upstream as the vocabulary has it.
func (u Upstream) declared() durward.Upstream {
	out := u.Upstream
	out.Timeout = time.Duration(u.Timeout)
	return out
}

func upstreamsOf(all []control.Upstream) []Upstream {
	out := make([]Upstream, len(all))
	for i, u := range all {
		out[i] = upstreamOf(u)
	}
	return out
}

func (a *api) listUpstreams(r *request) (answer, error) {
	all, err := a.Control.Upstreams(r.Context(), r.by)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, list[Upstream]{upstreamsOf(all)})
}

func (a *api) showUpstream(r *request) (answer, error) {
	u, err := a.Control.Upstream(r.Context(), r.by, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, upstreamOf(u))
}

func (a *api) addUpstream(r *request) (answer, error) {
	in, err := decode[Upstream](r)
	if err != nil {
		return answer{}, err
	}
	if err := a.Control.AddUpstream(r.Context(), r.by, in.declared()); err != nil {
		return answer{}, err
	}
	u, err := a.Control.Upstream(r.Context(), r.by, in.Name)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusCreated, upstreamOf(u))
}

type upstreamEdit struct {
	Disabled *bool `json:"disabled"`
}

func (a *api) editUpstream(r *request) (answer, error) {
	in, err := decode[upstreamEdit](r)
	if err != nil {
		return answer{}, err
	}
	if in.Disabled == nil {
		return answer{}, malformed("Nothing to change: give disabled.", nil)
	}
	if err := a.Control.SetUpstreamDisabled(r.Context(), r.by, r.PathValue("name"), *in.Disabled); err != nil {
		return answer{}, err
	}
	return done()
}

func (a *api) removeUpstream(r *request) (answer, error) {
	if err := a.Control.RemoveUpstream(r.Context(), r.by, r.PathValue("name")); err != nil {
		return answer{}, err
	}
	return done()
}

// testUpstream answers 200 also when the upstream cannot be reached: then the
// status says why.
func (a *api) testUpstream(r *request) (answer, error) {
	name := r.PathValue("name")
	if _, err := a.Control.Upstream(r.Context(), r.by, name); err != nil {
		return answer{}, err
	}
	if a.Test == nil {
		return problemOf(http.StatusNotFound, "This gateway cannot test upstreams.", ""), nil
	}
	t, err := a.Test(r.Context(), name)
	if err != nil {
		return answer{}, err
	}
	if t.Tools == nil {
		t.Tools = []json.RawMessage{}
	}
	return reply(http.StatusOK, t)
}

// inspectUpstream reaches nothing: it tells what is known at the moment.
func (a *api) inspectUpstream(r *request) (answer, error) {
	name := r.PathValue("name")
	if _, err := a.Control.Upstream(r.Context(), r.by, name); err != nil {
		return answer{}, err
	}
	if a.Inspect != nil {
		if d, ok := a.Inspect(name); ok {
			return reply(http.StatusOK, d)
		}
	}
	return problemOf(http.StatusNotFound, "This gateway does not use the upstream yet.", ""), nil
}
