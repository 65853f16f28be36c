package admin

import "net/http"

// route is one request that the admin listener answers.
type route struct {
	Pattern string
	Do      func(*request) (answer, error)
	Open    bool // needs no credential
}

// routes is the whole API.
func (a *api) routes() []route {
	return []route{
		{"GET /healthz", a.health, true},
		{"GET /readyz", a.ready, true},

		{"GET /api/v1/status", a.status, false},
		{"GET /api/v1/config", a.config, false},

		{"POST /api/v1/explain", a.explain, false},

		{"GET /api/v1/agents", a.listAgents, false},
		{"POST /api/v1/agents", a.createAgent, false},
		{"GET /api/v1/agents/{name}", a.showAgent, false},
		{"PATCH /api/v1/agents/{name}", a.editAgent, false},
		{"DELETE /api/v1/agents/{name}", a.deleteAgent, false},
		{"GET /api/v1/agents/{name}/keys", a.listKeys, false},
		{"POST /api/v1/agents/{name}/keys", a.rotateKey, false},
		{"DELETE /api/v1/agents/{name}/keys", a.revokeAgent, false},

		{"GET /api/v1/approvals", a.listApprovals, false},
		{"GET /api/v1/approvals/{id}", a.showApproval, false},
		{"POST /api/v1/approvals/{id}", a.answerApproval, false},
		{"POST /api/v1/approvals/{id}/answer", a.signedAnswer, true}, // its signature vouches for it

		{"GET /api/v1/keys", a.listAdminKeys, false},
		{"POST /api/v1/keys", a.createAdminKey, false},
		{"DELETE /api/v1/keys/{id}", a.revokeKey, false},

		{"GET /api/v1/upstreams", a.listUpstreams, false},
		{"POST /api/v1/upstreams", a.addUpstream, false},
		{"GET /api/v1/upstreams/{name}", a.showUpstream, false},
		{"PATCH /api/v1/upstreams/{name}", a.editUpstream, false},
		{"DELETE /api/v1/upstreams/{name}", a.removeUpstream, false},
		{"POST /api/v1/upstreams/{name}/test", a.testUpstream, false},
		{"POST /api/v1/upstreams/{name}/login", a.signIn, false},
		{"GET " + SignInPath, a.signedIn, true}, // the state that it brings vouches for it
		{"GET /api/v1/upstreams/{name}/inspect", a.inspectUpstream, false},
		{"GET /api/v1/upstreams/{name}/definitions", a.listDefinitions, false},
		{"POST /api/v1/upstreams/{name}/definitions/approve", a.approveDefinitions, false},

		{"GET /api/v1/halts", a.listHalts, false},
		{"POST /api/v1/halts", a.kill, false},
		{"POST /api/v1/halts/release", a.release, false},

		{"GET /api/v1/limits", a.listLimits, false},
		{"DELETE /api/v1/limits/{name}", a.resetLimit, false},

		{"GET /api/v1/guard/rules", a.guardRules, false},
		{"GET /api/v1/guard/stats", a.guardStats, false},
		{"GET /api/v1/guard/artefacts", a.listArtefacts, false},
		{"GET /api/v1/guard/artefacts/{handle}", a.showArtefact, false},
		{"POST /api/v1/audit/{verb}", a.audit, false},

		{"GET /api/v1/roles", a.listRoles, false},
		{"PUT /api/v1/roles/{name}", a.putRole, false},
		{"DELETE /api/v1/roles/{name}", a.deleteRole, false},
	}
}

// unrouted answers what no route matches: 405 with Allow when another method
// of the path would, else 404.
func (a *api) unrouted(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" {
				w.Header().Add("Allow", method)
			}
		}
		if len(w.Header().Values("Allow")) > 0 {
			problemOf(http.StatusMethodNotAllowed, "This path has no such method.", "").write(w)
			return
		}
		problemOf(http.StatusNotFound, "There is nothing at this path.", "").write(w)
	})
}
