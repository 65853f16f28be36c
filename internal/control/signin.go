package control

import (
	"context"

	"durward"
)

// SignIn goes on with signing in at an upstream, and tells how that stands:
// the person's side calls it until it is over. first begins.
func (c *Control) SignIn(ctx context.Context, by durward.Actor, upstream string, first bool) (durward.SignIn, error) {
	if _, err := c.Upstream(ctx, by, upstream); err != nil {
		return durward.SignIn{}, err
	}
	if c.o.SignIn == nil {
		return durward.SignIn{}, &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonInternal, Message: "Signing in takes a running gateway."}
	}
	if first {
		if err := c.o.Note(ctx, by.Name, "upstream/login", upstream, ""); err != nil {
			return durward.SignIn{}, err
		}
	}
	return c.o.SignIn(ctx, upstream, first)
}
