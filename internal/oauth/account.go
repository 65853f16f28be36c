package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"durward"
)

// Account is the gateway's account at one upstream. It is safe for concurrent use.
type Account struct {
	desk *Desk
	name string
	url  string
	set  durward.OAuth

	mu        sync.Mutex // guards what follows
	handler   *auth.AuthorizationCodeHandler
	source    oauth2.TokenSource // of what was granted; nil for nothing
	recalled  bool               // source was looked for
	until     time.Time          // a person is there
	visit     string             // where the browser shall go; "" when nowhere
	challenge *challenge         // that nobody has answered
	over      chan struct{}      // closed when the sign-in under way has ended; nil when there is none
	failed    error              // how the last one ended
}

// challenge is a refusal that a sign-in may mend.
type challenge struct {
	url    *url.URL
	status int
	header http.Header
}

// ErrSignIn says that a person has to sign in.
var ErrSignIn = errors.New("the upstream wants the gateway to sign in")

func newAccount(d *Desk, up durward.Upstream) *Account {
	a := &Account{desk: d, name: up.Name, url: up.URL}
	if up.OAuth != nil {
		a.set = *up.OAuth
	}
	return a
}

func (a *Account) fits(up *durward.Upstream) bool {
	set := durward.OAuth{}
	if up.OAuth != nil {
		set = *up.OAuth
	}
	return a.url == up.URL && a.set == set
}

// Credential returns the value of the Authorization header, "" when there is
// none. It refreshes what has expired.
func (a *Account) Credential(context.Context) string {
	source := a.tokens()
	if source == nil {
		return ""
	}
	token, err := source.Token()
	if err != nil {
		a.desk.o.Log.Warn("upstream's access cannot be refreshed", "upstream", a.name, "err", err)
		return ""
	}
	return token.Type() + " " + token.AccessToken
}

// tokens returns what was granted last, in this run or an earlier one.
func (a *Account) tokens() oauth2.TokenSource {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.recalled {
		a.recalled, a.source = true, a.recall()
	}
	return a.source
}

// Renew takes a refusal of a request that was sent with the credential used.
// When it returns nil, the request can be sent again. It waits for a sign-in
// only while a person is there to make it; one that is begun goes on when ctx
// ends.
func (a *Account) Renew(ctx context.Context, used string, u *url.URL, status int, h http.Header) error {
	if now := a.Credential(ctx); now != "" && now != used {
		return nil // somebody has signed in meanwhile
	}
	over, err := a.challenged(&challenge{u, status, h})
	if err != nil {
		return err
	}
	select {
	case <-over:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed != nil {
		return fmt.Errorf("sign in: %w", a.failed)
	}
	return nil
}

// challenged begins a sign-in, or joins the one under way; over is closed when
// it has ended.
func (a *Account) challenged(c *challenge) (over <-chan struct{}, _ error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over == nil {
		a.challenge = c
		if !time.Now().Before(a.until) {
			return nil, fmt.Errorf("%w; run durward upstream login %s", ErrSignIn, a.name)
		}
		a.begin()
	}
	return a.over, nil
}

// begin answers the challenge; the caller holds mu.
func (a *Account) begin() {
	c, over := a.challenge, make(chan struct{})
	a.over, a.failed = over, nil
	go func() { // ends when the browser came back, or the person has left
		ctx, cancel := context.WithTimeout(context.Background(), visitTime+time.Minute)
		defer cancel()
		err := a.authorize(ctx, c)
		if err != nil {
			a.desk.o.Log.Warn("sign-in failed", "upstream", a.name, "err", err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.failed, a.over = err, nil; err == nil && a.challenge == c {
			a.challenge = nil
		}
		close(over)
	}()
}

func (a *Account) authorize(ctx context.Context, c *challenge) error {
	h, err := a.signer()
	if err != nil {
		return err
	}
	return h.Authorize(ctx,
		&http.Request{Method: http.MethodPost, URL: c.url, Header: http.Header{}},
		&http.Response{StatusCode: c.status, Header: c.header, Body: http.NoBody})
}

// attend notes that a person is there. At first it answers the challenge that
// is open.
func (a *Account) attend(first bool) durward.SignIn {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = time.Now().Add(attention)
	if first && a.over == nil {
		if a.failed = nil; a.challenge != nil {
			a.begin()
		}
	}
	s := durward.SignIn{Upstream: a.name, URL: a.visit, Busy: a.over != nil}
	if a.failed != nil {
		s.Error = a.failed.Error()
	}
	return s
}

func (a *Account) attended() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.until)
}

func (a *Account) send(to string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.visit = to
}

// signer makes the handler of the SDK when it is first needed: the address for
// the browser is known only when the gateway listens.
func (a *Account) signer() (*auth.AuthorizationCodeHandler, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.handler != nil {
		return a.handler, nil
	}
	redirect := a.desk.o.Redirect()
	o := &auth.AuthorizationCodeHandlerConfig{
		RedirectURL: redirect, RequestRefreshToken: true, Client: a.client(),
		AuthorizationCodeFetcher: a.fetch,
		NewTokenSource:           a.keep,
	}
	if a.set.ClientID != "" {
		o.PreregisteredClient = &oauthex.ClientCredentials{ClientID: a.set.ClientID}
		if a.set.ClientSecret != "" {
			o.PreregisteredClient.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: a.set.ClientSecret}
		}
	} else {
		if a.set.ClientMetadata != "" {
			o.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: a.set.ClientMetadata}
		}
		o.DynamicClientRegistrationConfig = &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			RedirectURIs: []string{redirect}, ClientName: "Durward", GrantTypes: []string{"authorization_code", "refresh_token"},
		}}
	}
	h, err := auth.NewAuthorizationCodeHandler(o)
	if err != nil {
		return nil, err
	}
	a.handler = h
	return h, nil
}

// fetch lets the browser go to the authorization server.
func (a *Account) fetch(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	to, err := url.Parse(args.URL)
	if err != nil || (to.Scheme != "https" && to.Scheme != "http") {
		return nil, errors.New("the authorization server's page is no web address")
	}
	state := to.Query().Get("state")
	if len(state) < 16 {
		return nil, errors.New("the sign-in has no state")
	}
	r, err := a.desk.await(ctx, a, args.URL, state)
	if err != nil {
		return nil, err
	}
	return &auth.AuthorizationResult{Code: r.code, State: r.state, Iss: r.issuer}, nil
}

// grant is what is kept of a sign-in.
type grant struct {
	Config oauth2.Config `json:"config"`
	Token  *oauth2.Token `json:"token"`
}

func (a *Account) key() string { return keyOf(a.name, a.url) }

// keep makes the source of tokens after a sign-in, which remembers them.
func (a *Account) keep(ctx context.Context, c *oauth2.Config, t *oauth2.Token) (oauth2.TokenSource, error) {
	s := &kept{account: a, config: *c, from: c.TokenSource(ctx, t)}
	s.save(t)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.source, a.recalled = s, true
	return s, nil
}

// recall returns the tokens of an earlier run; nil when there are none.
func (a *Account) recall() oauth2.TokenSource {
	raw, ok := a.desk.o.Vault.Grant(a.key())
	var g grant
	if !ok || json.Unmarshal(raw, &g) != nil || g.Token == nil {
		return nil
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, a.client())
	return &kept{account: a, config: g.Config, from: g.Config.TokenSource(ctx, g.Token), last: g.Token.AccessToken}
}

// kept gives tokens and remembers those that were refreshed.
type kept struct {
	account *Account
	config  oauth2.Config
	from    oauth2.TokenSource

	mu   sync.Mutex
	last string
}

// Token implements oauth2.TokenSource.
func (k *kept) Token() (*oauth2.Token, error) {
	t, err := k.from.Token()
	if err == nil {
		k.save(t)
	}
	return t, err
}

func (k *kept) save(t *oauth2.Token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.AccessToken == k.last {
		return
	}
	k.last = t.AccessToken
	raw, err := json.Marshal(grant{k.config, t})
	if err == nil {
		err = k.account.desk.o.Vault.SetGrant(k.account.key(), raw)
	}
	if err != nil {
		k.account.desk.o.Log.Warn("what an upstream granted is not kept; it wants a sign-in after the next start", "upstream", k.account.name, "err", err)
	}
}

// client is for requests to authorization servers. One that a public upstream
// names must not lie in a private network.
func (a *Account) client() *http.Client {
	u, err := url.Parse(a.url)
	if err == nil && private(u.Hostname()) {
		return a.desk.client
	}
	return a.desk.public
}

// Asks reports whether a response is one that a sign-in may mend: a 401, or a
// 403 that names a missing scope (RFC 6750, section 3.1).
func (a *Account) Asks(status int, h http.Header) bool {
	switch status {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return strings.Contains(strings.Join(h.Values("WWW-Authenticate"), ","), "insufficient_scope")
	}
	return false
}
