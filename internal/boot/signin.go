package boot

import (
	"context"
	"time"

	"durward"
	"durward/internal/admin"
	"durward/internal/oauth"
	"durward/internal/upstream/mcphttp"
)

// signInTry is how long an upstream is tried for whether it wants a sign-in.
const signInTry = time.Minute

// openDesk makes the place from which the gateway signs in at upstreams.
func (g *Gateway) openDesk() {
	g.desk = oauth.New(oauth.Options{
		Vault: g.store, Log: g.opts.Log,
		Redirect: func() string { return g.AdminURL() + admin.SignInPath },
	})
}

// account is the gateway's account at an upstream, nil for none.
func (g *Gateway) account(up durward.Upstream) mcphttp.Account {
	if a := g.desk.Account(up); a != nil {
		return a
	}
	return nil
}

// signIn goes on with signing in. At first the upstream is asked, so that one
// that was never reached can say what it wants.
func (g *Gateway) signIn(_ context.Context, upstream string, first bool) (durward.SignIn, error) {
	s, err := g.desk.SignIn(upstream, first)
	if err != nil {
		return s, err
	}
	if first && !s.Busy {
		g.jobs.Go(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), signInTry)
			defer cancel()
			_, _ = g.upstreams.Listing(ctx, upstream) // its status tells
			return nil
		})
	}
	s.State = g.statusOf(upstream).State
	if !s.Busy && s.Error == "" && s.State != "ready" {
		g.upstreams.Refresh(upstream)
	}
	return s, nil
}
