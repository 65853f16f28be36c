package admin

import (
	"context"
	"net/http"
	"net/url"

	"durward"
	"durward/internal/control"
)

// What operators say of definitions, for those who only know this package.
type (
	Approval = control.Approval
	Approved = control.Approved
)

// approvals is the body of an approval.
type approvals struct {
	Approve []Approval `json:"approve"`
}

// listDefinitions tells what an upstream defines and how that differs from
// what was approved.
func (a *api) listDefinitions(r *request) (answer, error) {
	all, err := a.Control.Definitions(r.Context(), r.by, r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	if r.URL.Query().Get("texts") == "none" {
		for i := range all {
			all[i].Now, all[i].Groups = nil, nil
		}
	}
	return reply(http.StatusOK, list[durward.Definition]{all})
}

func (a *api) approveDefinitions(r *request) (answer, error) {
	in, err := decode[approvals](r)
	if err != nil {
		return answer{}, err
	}
	done, err := a.Control.Approve(r.Context(), r.by, r.PathValue("name"), in.Approve)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, list[Approved]{done})
}

// Definitions tells what an upstream defines, without the texts.
func (c *Client) Definitions(ctx context.Context, upstream string) ([]durward.Definition, error) {
	l, err := ask[list[durward.Definition]](ctx, c, "GET", "upstreams/"+url.PathEscape(upstream)+"/definitions?texts=none", nil)
	return l.Items, err
}

// FullDefinitions tells what an upstream defines, texts included.
func (c *Client) FullDefinitions(ctx context.Context, upstream string) ([]durward.Definition, error) {
	l, err := ask[list[durward.Definition]](ctx, c, "GET", "upstreams/"+url.PathEscape(upstream)+"/definitions", nil)
	return l.Items, err
}

// FullDefinitions is beyond a data directory: it takes a running gateway.
func (d *Direct) FullDefinitions(context.Context, string) ([]durward.Definition, error) {
	return nil, ErrNotRunning
}

// approveMost is how many are approved with one request, whose size is bounded.
const approveMost = 1000

// Approve approves definitions of an upstream by their digests.
func (c *Client) Approve(ctx context.Context, upstream string, wanted []Approval) ([]Approved, error) {
	var out []Approved
	for len(wanted) > 0 {
		some := wanted[:min(len(wanted), approveMost)]
		l, err := ask[list[Approved]](ctx, c, "POST", "upstreams/"+url.PathEscape(upstream)+"/definitions/approve", approvals{some})
		if err != nil {
			return out, err
		}
		out, wanted = append(out, l.Items...), wanted[len(some):]
	}
	return out, nil
}

// Definitions is beyond a data directory: it takes a running gateway.
func (d *Direct) Definitions(context.Context, string) ([]durward.Definition, error) {
	return nil, ErrNotRunning
}

// Approve is beyond a data directory: it takes a running gateway.
func (d *Direct) Approve(context.Context, string, []Approval) ([]Approved, error) {
	return nil, ErrNotRunning
}
