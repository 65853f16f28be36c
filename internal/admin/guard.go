package admin

import (
	"context"
	"net/http"
	"net/url"

	"durward"
)

// Guard is what the admin API asks of the guard.
type Guard interface {
	// GuardRules is the table of rules as it holds for calls of an agent to an
	// operation, by its public name; both may be "".
	GuardRules(agent, operation string) []durward.GuardRule
	GuardStats() durward.GuardStats
	// Artefacts lists what was withheld, without bodies; Artefact has one whole.
	Artefacts() []durward.Artefact
	Artefact(handle string) (durward.Artefact, bool)
}

func (a *api) guardRules(r *request) (answer, error) {
	if a.Guard == nil {
		return noGuard(), nil
	}
	q := r.URL.Query()
	return reply(http.StatusOK, list[durward.GuardRule]{a.Guard.GuardRules(q.Get("agent"), q.Get("tool"))})
}

func (a *api) guardStats(*request) (answer, error) {
	if a.Guard == nil {
		return noGuard(), nil
	}
	return reply(http.StatusOK, a.Guard.GuardStats())
}

func (a *api) listArtefacts(*request) (answer, error) {
	if a.Guard == nil {
		return noGuard(), nil
	}
	return reply(http.StatusOK, list[durward.Artefact]{a.Guard.Artefacts()})
}

// showArtefact hands out what was withheld; who looked is in the log.
func (a *api) showArtefact(r *request) (answer, error) {
	if a.Guard == nil {
		return noGuard(), nil
	}
	handle := r.PathValue("handle")
	found, ok := a.Guard.Artefact(handle)
	if !ok {
		return answer{}, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonNotFound, Message: "Nothing is kept under " + handle + "; what was withheld is kept for a while only, and not beyond a restart."}
	}
	a.Log.Info("artefact was read", "handle", handle, "by", r.by.Name, "call", found.Call)
	return reply(http.StatusOK, found)
}

func noGuard() answer {
	return problemOf(http.StatusNotFound, "This gateway has no guard to ask.", "")
}

// GuardRules is the table of rules as it holds for calls of an agent to an
// operation; both may be "".
func (c *Client) GuardRules(ctx context.Context, agent, operation string) ([]durward.GuardRule, error) {
	q := url.Values{"agent": {agent}, "tool": {operation}}
	l, err := ask[list[durward.GuardRule]](ctx, c, "GET", "guard/rules?"+q.Encode(), nil)
	return l.Items, err
}

// GuardStats is what the guard has done since the start.
func (c *Client) GuardStats(ctx context.Context) (durward.GuardStats, error) {
	return ask[durward.GuardStats](ctx, c, "GET", "guard/stats", nil)
}

// Artefacts lists what was withheld, without bodies.
func (c *Client) Artefacts(ctx context.Context) ([]durward.Artefact, error) {
	l, err := ask[list[durward.Artefact]](ctx, c, "GET", "guard/artefacts", nil)
	return l.Items, err
}

// Artefact is one reply that was withheld.
func (c *Client) Artefact(ctx context.Context, handle string) (durward.Artefact, error) {
	return ask[durward.Artefact](ctx, c, "GET", "guard/artefacts/"+url.PathEscape(handle), nil)
}
