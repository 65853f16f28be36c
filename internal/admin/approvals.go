package admin

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"durward"
	"durward/internal/control"
	"durward/internal/mcpwire"
)

// ApprovalAnswer is what an operator says to a question.
type ApprovalAnswer = control.ApprovalAnswer

func (a *api) listApprovals(r *request) (answer, error) {
	all, err := a.Control.Approvals(r.Context(), r.by, durward.ApprovalState(r.URL.Query().Get("state")))
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, list[durward.Approval]{all})
}

func (a *api) showApproval(r *request) (answer, error) {
	one, err := a.Control.Approval(r.Context(), r.by, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, one)
}

func (a *api) answerApproval(r *request) (answer, error) {
	in, err := decode[ApprovalAnswer](r)
	if err != nil {
		return answer{}, err
	}
	one, err := a.Control.Answer(r.Context(), r.by, r.PathValue("id"), in)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, one)
}

// signedAnswer takes what the webhook's receiver says. No key is asked for:
// the signature over the body is what is believed.
func (a *api) signedAnswer(r *request) (answer, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return answer{}, malformed("The body ended early, or is too large.", err)
	}
	if err := mcpwire.Value(raw, mcpwire.Limits{}); err != nil {
		return answer{}, malformed("The body is not one JSON value.", err)
	}
	one, err := a.Control.SignedAnswer(r.Context(), r.PathValue("id"), control.Signed{
		ID: r.Header.Get("Webhook-Id"), Timestamp: r.Header.Get("Webhook-Timestamp"), Signature: r.Header.Get("Webhook-Signature"), Body: raw,
	})
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, struct {
		ID    string                `json:"id"`
		State durward.ApprovalState `json:"state"`
	}{one.ID, one.State})
}

// Approvals lists the questions in a state; "" lists all.
func (c *Client) Approvals(ctx context.Context, state durward.ApprovalState) ([]durward.Approval, error) {
	l, err := ask[list[durward.Approval]](ctx, c, "GET", "approvals?state="+url.QueryEscape(string(state)), nil)
	return l.Items, err
}

// Approval tells of one question.
func (c *Client) Approval(ctx context.Context, id string) (durward.Approval, error) {
	return ask[durward.Approval](ctx, c, "GET", "approvals/"+url.PathEscape(id), nil)
}

// Answer answers a question.
func (c *Client) Answer(ctx context.Context, id string, in ApprovalAnswer) (durward.Approval, error) {
	return ask[durward.Approval](ctx, c, "POST", "approvals/"+url.PathEscape(id), in)
}

// Approvals is beyond a data directory: questions wait in a running gateway.
func (d *Direct) Approvals(ctx context.Context, state durward.ApprovalState) ([]durward.Approval, error) {
	return nil, ErrNotRunning
}

// Approval is beyond a data directory, as Approvals is.
func (d *Direct) Approval(context.Context, string) (durward.Approval, error) {
	return durward.Approval{}, ErrNotRunning
}

// Answer is beyond a data directory, as Approvals is.
func (d *Direct) Answer(context.Context, string, ApprovalAnswer) (durward.Approval, error) {
	return durward.Approval{}, ErrNotRunning
}
