// Package oauth signs the gateway in at upstreams that ask for it (MCP
// authorization; OAuth 2.1).
//
// It promises: a sign-in happens only while a person is there to make it, so a
// call is never held up by one that nobody makes, and a server's 401 starts
// nothing by itself; the code comes back to a state that cannot be guessed,
// once; what was granted is kept for the upstream's URL and for no other; and
// a sign-in that leads from a public upstream into a private network is
// refused. Discovery, registration, PKCE, the checks of issuer and resource,
// and refreshing are those of the official SDK.
//
// What is granted here is the gateway's own access, shared by all agents that
// may use the upstream. It does not carry a user's identity upstream.
package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"durward"
)

// Vault keeps what was granted, as bytes that hold secrets.
type Vault interface {
	Grant(key string) ([]byte, bool)
	SetGrant(key string, grant []byte) error // nil forgets it
}

// Options of a [Desk]. Vault and Redirect are required.
type Options struct {
	Vault Vault
	// Redirect is the address to which authorization servers send the browser
	// back; it is known once the gateway listens.
	Redirect func() string
	Log      *slog.Logger // discards when nil
}

const (
	attention = 15 * time.Second // after which a person who does not ask any more is taken for gone
	visitTime = 10 * time.Minute // for the browser to come back
	stepTime  = 15 * time.Second // for one request to an authorization server
)

// Desk holds the accounts of a gateway at its upstreams. It is safe for
// concurrent use.
type Desk struct {
	o      Options
	client *http.Client // where upstreams are private
	public *http.Client // where they are not

	mu       sync.Mutex
	accounts map[string]*Account // by upstream
	visits   map[string]*visit   // by state
}

// New returns a desk without accounts.
func New(o Options) *Desk {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{
		o: o, client: newClient(nil), public: newClient(publicOnly),
		accounts: map[string]*Account{}, visits: map[string]*visit{},
	}
}

// Wants reports whether an upstream may ask for a sign-in: one that is reached
// over HTTP, for which its operator declared no credential.
func Wants(up *durward.Upstream) bool {
	if up.URL == "" {
		return false
	}
	for name := range up.Headers {
		if http.CanonicalHeaderKey(name) == "Authorization" {
			return false
		}
	}
	return true
}

// Account returns the account at an upstream, the same one as long as what
// matters to it is declared the same; nil when it wants none.
func (d *Desk) Account(up durward.Upstream) *Account {
	if !Wants(&up) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.accounts[up.Name]; a != nil && a.fits(&up) {
		return a
	}
	a := newAccount(d, up)
	d.accounts[up.Name] = a
	return a
}

// Forget lets go of what an upstream granted, in memory and in the vault.
func (d *Desk) Forget(up *durward.Upstream) error {
	d.mu.Lock()
	delete(d.accounts, up.Name)
	d.mu.Unlock()
	return Forget(d.o.Vault, up)
}

// Forget lets go of what an upstream granted, where no desk is open.
func Forget(v Vault, up *durward.Upstream) error {
	if !Wants(up) {
		return nil
	}
	return v.SetGrant(keyOf(up.Name, up.URL), nil)
}

// keyOf is what a grant is kept by: it is for that URL and no other.
func keyOf(name, url string) string { return name + " " + url }

func (d *Desk) account(name string) *Account {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accounts[name]
}

// SignIn goes on with signing in at an upstream and tells how that stands. A
// person's side calls it again and again until it is over, the first time to
// begin: as long as it does, somebody is there.
func (d *Desk) SignIn(name string, first bool) (durward.SignIn, error) {
	a := d.account(name)
	if a == nil {
		return durward.SignIn{}, &durward.Error{
			Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid,
			Message: "The upstream " + name + " is not one to sign in at: it is a command, or its headers hold a credential already.",
		}
	}
	return a.attend(first), nil
}

// Returned takes what the browser brought back. A failure is a sentence for
// the person at the browser.
func (d *Desk) Returned(state, code, issuer, failure string) (upstream string, err error) {
	d.mu.Lock()
	v := d.visits[state]
	delete(d.visits, state) // once
	d.mu.Unlock()
	if v == nil {
		return "", errors.New("nobody is signing in with this link (any more); begin again with durward upstream login")
	}
	r := returned{code: code, state: state, issuer: issuer}
	if failure != "" {
		r.err = fmt.Errorf("the authorization server says %.200q", failure)
	}
	v.result <- r // it has room for one
	return v.account.name, r.err
}

// visit is a browser on its way.
type visit struct {
	account *Account
	result  chan returned
}

type returned struct {
	code, state, issuer string
	err                 error
}

// await makes it known where the browser shall go, and waits for it.
func (d *Desk) await(ctx context.Context, a *Account, to, state string) (returned, error) {
	v := &visit{account: a, result: make(chan returned, 1)}
	d.mu.Lock()
	d.visits[state] = v
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.visits, state)
	}()
	a.send(to)
	defer a.send("")
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case r := <-v.result:
			return r, r.err
		case <-ctx.Done():
			return returned{}, errors.New("nobody came back from the authorization server")
		case <-look.C:
			if !a.attended() {
				return returned{}, errors.New("nobody is waiting for the sign-in any more")
			}
		}
	}
}
