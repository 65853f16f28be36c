package admin

import (
	"context"
	"net/http"

	"durward"
	"durward/internal/control"
)

// What stops and releases, for those who only know this package.
type (
	Kill    = control.Kill
	Release = control.Release
)

func (a *api) listHalts(r *request) (answer, error) {
	all, err := a.Control.Halts(r.Context(), r.by)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, list[durward.Halt]{all})
}

func (a *api) kill(r *request) (answer, error) {
	in, err := decode[Kill](r)
	if err != nil {
		return answer{}, err
	}
	h, err := a.Control.Kill(r.Context(), r.by, in)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusCreated, h)
}

func (a *api) release(r *request) (answer, error) {
	in, err := decode[Release](r)
	if err != nil {
		return answer{}, err
	}
	h, err := a.Control.Release(r.Context(), r.by, in)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, h)
}

// Halts lists what is stopped.
func (c *Client) Halts(ctx context.Context) ([]durward.Halt, error) {
	l, err := ask[list[durward.Halt]](ctx, c, "GET", "halts", nil)
	return l.Items, err
}

// Kill stops an agent, key or session, or all.
func (c *Client) Kill(ctx context.Context, k Kill) (durward.Halt, error) {
	return ask[durward.Halt](ctx, c, "POST", "halts", k)
}

// Release lets go on what was stopped.
func (c *Client) Release(ctx context.Context, r Release) (durward.Halt, error) {
	return ask[durward.Halt](ctx, c, "POST", "halts/release", r)
}

// Halts lists what is stopped.
func (d *Direct) Halts(ctx context.Context) ([]durward.Halt, error) { return d.c.Halts(ctx, d.by) }

// Kill stops an agent or key, or all, for when a gateway starts.
func (d *Direct) Kill(ctx context.Context, k Kill) (durward.Halt, error) {
	return d.c.Kill(ctx, d.by, k)
}

// Release lets go on what was stopped.
func (d *Direct) Release(ctx context.Context, r Release) (durward.Halt, error) {
	return d.c.Release(ctx, d.by, r)
}
