package admin

import (
	"context"
	"html"
	"net/http"
	"net/url"

	"durward"
)

// SignInPath is where authorization servers of upstreams send the browser back.
const SignInPath = "/oauth/callback"

type signInStep struct {
	First bool `json:"first"`
}

// signIn goes on with signing in at an upstream.
func (a *api) signIn(r *request) (answer, error) {
	in, err := decode[signInStep](r)
	if err != nil {
		return answer{}, err
	}
	s, err := a.Control.SignIn(r.Context(), r.by, r.PathValue("name"), in.First)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, s)
}

// signedIn takes what a browser brings back from an authorization server. The
// state that it brings is what vouches for it.
func (a *api) signedIn(r *request) (answer, error) {
	q := r.URL.Query()
	if a.Returned == nil {
		return page(http.StatusNotFound, "Nothing to sign in to", "This gateway does not sign in anywhere."), nil
	}
	failure := q.Get("error")
	if why := q.Get("error_description"); why != "" {
		failure += ": " + why
	}
	name, err := a.Returned(q.Get("state"), q.Get("code"), q.Get("iss"), failure)
	if err != nil {
		return page(http.StatusBadRequest, "Not signed in", err.Error()+"."), nil //nolint:nilerr // the page tells it
	}
	return page(http.StatusOK, "Thank you", "The gateway now finishes signing in at "+name+". You can close this window; durward upstream login tells the end of it."), nil
}

// page is a small page for a person. It loads nothing and can be framed nowhere.
func page(status int, title, text string) answer {
	body := "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Durward: " + html.EscapeString(title) +
		"</title><body style=\"font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em\"><h1>" + html.EscapeString(title) + "</h1><p>" + html.EscapeString(text) + "</p></body></html>\n"
	return answer{status: status, kind: "text/html; charset=utf-8", body: []byte(body)}
}

// SignIn goes on with signing in at an upstream and tells how that stands.
func (c *Client) SignIn(ctx context.Context, upstream string, first bool) (durward.SignIn, error) {
	return ask[durward.SignIn](ctx, c, "POST", "upstreams/"+url.PathEscape(upstream)+"/login", signInStep{first})
}

// SignIn is beyond a data directory: it takes a running gateway.
func (d *Direct) SignIn(context.Context, string, bool) (durward.SignIn, error) {
	return durward.SignIn{}, ErrNotRunning
}
