package admin

import (
	"net/http"
)

// health says that the process answers, and nothing more.
func (a *api) health(*request) (answer, error) {
	return reply(http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

func (a *api) ready(r *request) (answer, error) {
	out := readiness{Ready: true, Checks: []Check{}}
	for _, c := range a.Checks(r.Context()) {
		out.Checks = append(out.Checks, c)
		if c.State != CheckOK && c.State != CheckWarn {
			out.Ready = false
		}
	}
	if !out.Ready {
		return reply(http.StatusServiceUnavailable, out)
	}
	return reply(http.StatusOK, out)
}

func (a *api) status(r *request) (answer, error) {
	s, err := a.statusNow(r)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, s)
}

func (a *api) statusNow(r *request) (Status, error) {
	var s Status
	if a.Status != nil {
		s = a.Status(r.Context())
	}
	s.Checks = a.Checks(r.Context())
	if s.Revision != 0 {
		return s, nil
	}
	var err error
	s.Revision, err = a.Control.Revision(r.Context(), r.by)
	return s, err
}

func (a *api) config(*request) (answer, error) {
	if a.Config == nil {
		return problemOf(http.StatusNotFound, "This gateway has no configuration to show.", ""), nil
	}
	text, err := a.Config()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, kind: "application/yaml", body: text}, nil
}
