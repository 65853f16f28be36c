// Package admin is the operators' face: the admin listener's API, health
// checks, and the client that the CLI uses.
//
// It translates HTTP into control's verbs and decides nothing but who may ask:
// an operator's key or the token of this run, on a connection that no web page
// of another origin can make. Answers are JSON, errors problem+json (RFC 9457).
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"durward"
	"durward/internal/control"
)

// Options are what the admin API needs. Control is required.
type Options struct {
	Control *control.Control
	// Token is the secret of run.json, which stands for a local operator; ""
	// leaves only operators' keys.
	Token string
	// Names are host names by which the listener may be reached, besides
	// localhost and IP addresses.
	Names []string
	// Checks tell whether the gateway is ready; all of them are asked each time.
	Checks func(context.Context) []Check
	// Status is what the gateway tells of itself.
	Status func(context.Context) Status
	// Test reaches an upstream now and tells what it offers.
	Test func(ctx context.Context, upstream string) (UpstreamTest, error)
	// Returned takes what a browser brings back from an upstream's authorization
	// server, and tells of which upstream; its error is for the person.
	Returned func(state, code, issuer, failure string) (upstream string, err error)
	// Inspect tells all that is known of an upstream's connections.
	Inspect func(upstream string) (durward.UpstreamDetail, bool)
	// Overlooked counts the mistakes of an agent that were overlooked, by name.
	Overlooked func(agent string) map[string]uint64
	// Explain tells what would happen to a call, and why.
	Explain func(ctx context.Context, q durward.Question) (durward.Explanation, error)
	// Limits are the counters in use; ResetLimit empties those of one limit.
	Limits     func() []LimitUse
	ResetLimit func(ctx context.Context, by durward.Actor, name, of string) (int, error)
	// Guard tells of the guard's rules and of what it did; nil without one.
	Guard Guard
	// Config is the configuration in effect, as YAML without secrets.
	Config func() ([]byte, error)
	// Audit does something to the record.
	Audit AuditVerb
	Log   *slog.Logger
}

// Check is one condition of being ready.
type Check struct {
	Name  string `json:"name"`
	State string `json:"state"`          // ok, warn (serves on), fail (not ready)
	Text  string `json:"text,omitempty"` // why, without secrets
}

// The states of a check.
const (
	CheckOK   = "ok"
	CheckWarn = "warn"
	CheckFail = "fail"
)

// Status is what a running gateway tells of itself.
type Status struct {
	Version  string           `json:"version"`
	PID      int              `json:"pid"`
	Started  time.Time        `json:"started"`
	Listen   string           `json:"listen"`
	Data     string           `json:"data"`
	Revision durward.Revision `json:"revision"`
	// Config is the file in use, "" without one. ConfigError says why its
	// present content is not in use, StateError the same of the store.
	Config      string   `json:"config,omitempty"`
	ConfigError string   `json:"config_error,omitempty"`
	StateError  string   `json:"state_error,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Checks      []Check  `json:"checks,omitempty"`
	// Edge counts, since the start, what agents sent that fitted to nothing or
	// was tolerated, and what was meant for them and lost.
	Edge map[string]uint64 `json:"edge,omitempty"`
	// Sessions is how many sessions of agents are open (stateful revisions).
	Sessions int `json:"sessions"`
}

// What the verbs give, for those who only know this package.
type (
	Agent    = control.Agent
	NewAgent = control.NewAgent
	Key      = control.Key
	Minted   = control.Minted
	Rotation = control.Rotation
	Role     = control.Role
)

// DefaultOverlap is how long old keys stay good after a rotation.
const DefaultOverlap = control.DefaultOverlap

// api holds what the handlers need.
type api struct {
	Options
	token [sha256.Size]byte
}

// Handler serves the admin listener.
func Handler(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Checks == nil {
		o.Checks = func(context.Context) []Check { return nil }
	}
	a := &api{Options: o, token: sha256.Sum256([]byte(o.Token))}
	mux := http.NewServeMux()
	for _, r := range a.routes() {
		mux.Handle(r.Pattern, a.guarded(r))
	}
	mux.Handle("/", a.unrouted(mux))
	return a.fromHere(mux)
}

// fromHere refuses what a web page of another origin, or a name that was bound
// to our address, sends through a browser.
func (a *api) fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if !a.knownHost(r.Host) {
			a.refuse(w, r, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotAllowed, Message: "The admin listener is not known by this host name."})
			return
		}
		if !sameOrigin(r) {
			a.refuse(w, r, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotAllowed, Message: "Pages of other origins may not use the admin API."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guarded asks who calls, unless the route is open to everybody.
func (a *api) guarded(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var by durward.Actor
		if !r.Open {
			var err error
			if by, err = a.authenticate(req); err != nil {
				a.refuse(w, req, err)
				return
			}
		}
		req.Body = http.MaxBytesReader(w, req.Body, maxBody)
		answer, err := r.Do(&request{Request: req, by: by})
		if err != nil {
			a.refuse(w, req, err)
			return
		}
		answer.write(w)
	})
}

// authenticate tells which operator calls: the holder of the run's token or of
// an operator's key.
func (a *api) authenticate(r *http.Request) (durward.Actor, error) {
	secret, err := presented(r.Header)
	if err != nil {
		return durward.Actor{}, err
	}
	sum := sha256.Sum256([]byte(secret.Reveal()))
	if a.Token != "" && subtle.ConstantTimeCompare(sum[:], a.token[:]) == 1 {
		return durward.Actor{Name: "local", Operator: true}, nil
	}
	return a.Control.Authenticate(r.Context(), secret)
}

// presented is the credential of a request; two that differ are refused.
func presented(h http.Header) (durward.Credential, error) {
	var secrets []string
	for _, v := range h.Values("Authorization") {
		scheme, secret, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return durward.Credential{}, unauthenticated(durward.ReasonCredentialMissing)
		}
		secrets = append(secrets, strings.TrimSpace(secret))
	}
	secrets = append(secrets, h.Values("X-Api-Key")...)
	if len(secrets) == 0 {
		return durward.Credential{}, unauthenticated(durward.ReasonCredentialMissing)
	}
	for _, s := range secrets {
		if s != secrets[0] {
			return durward.Credential{}, unauthenticated(durward.ReasonCredentialConflict)
		}
	}
	return durward.NewCredential(secrets[0]), nil
}

func unauthenticated(r durward.Reason) error {
	return &durward.Error{Code: durward.Unauthenticated, Reason: r, Message: "An operator's key is needed: send it as 'Authorization: Bearer <key>'."}
}
