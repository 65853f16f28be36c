package admin

import (
	"context"
	"net/http"

	"durward"
)

// explain tells what would happen to a call. It changes nothing.
func (a *api) explain(r *request) (answer, error) {
	q, err := decode[durward.Question](r)
	if err != nil {
		return answer{}, err
	}
	if q.Agent == "" || q.Name == "" {
		return answer{}, malformed("Say who calls (agent) and what (name).", nil)
	}
	x, err := a.Explain(r.Context(), q)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, x)
}

// Explain tells what would happen to a call, and why. It changes nothing.
func (c *Client) Explain(ctx context.Context, q durward.Question) (durward.Explanation, error) {
	return ask[durward.Explanation](ctx, c, "POST", "explain", q)
}

// Explain is beyond a data directory: what upstreams offer takes a running gateway.
func (d *Direct) Explain(context.Context, durward.Question) (durward.Explanation, error) {
	return durward.Explanation{}, ErrNotRunning
}
