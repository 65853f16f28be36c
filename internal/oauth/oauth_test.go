package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/oauth"
)

// office is an authorization server that consents to everything, and the
// resource that trusts it.
type office struct {
	*httptest.Server
	mu     sync.Mutex
	asked  int               // requests
	grants map[string]string // PKCE challenge by code
	tokens int
	life   int // seconds of a token
}

func newOffice(t *testing.T) *office {
	o := &office{grants: map[string]string{}, life: 3600}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"resource": o.URL + "/mcp", "authorization_servers": []string{o.URL}})
	})
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": o.URL, "authorization_endpoint": o.URL + "/authorize", "token_endpoint": o.URL + "/token", "registration_endpoint": o.URL + "/register",
			"code_challenge_methods_supported": []string{"S256"}, "response_types_supported": []string{"code"}, "token_endpoint_auth_methods_supported": []string{"none"},
		})
	})
	mux.HandleFunc("POST /register", func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		_ = json.NewDecoder(r.Body).Decode(&in)
		in["client_id"] = "registered"
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(in)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		code := r.FormValue("code")
		if r.FormValue("grant_type") == "authorization_code" {
			if o.grants[code] == "" || r.FormValue("code_verifier") == "" {
				http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
				return
			}
			delete(o.grants, code)
		}
		o.tokens++
		answer(w, map[string]any{"access_token": fmt.Sprintf("t%d", o.tokens), "token_type": "Bearer", "expires_in": o.life, "refresh_token": "r"})
	})
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.asked++
		o.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

// consent is what the person's browser does with a page; it returns where it is sent back.
func (o *office) consent(t *testing.T, page string) url.Values {
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256" || q.Get("resource") != o.URL+"/mcp" {
		t.Errorf("the page is asked for with %v", q)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.grants["code-1"] = q.Get("code_challenge")
	return url.Values{"code": {"code-1"}, "state": {q.Get("state")}}
}

type vault struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (v *vault) Grant(key string) ([]byte, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	g, ok := v.kept[key]
	return g, ok
}

func (v *vault) SetGrant(key string, grant []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept[key] = grant; grant == nil {
		delete(v.kept, key)
	}
	return nil
}

func newDesk(v *vault) *oauth.Desk {
	return oauth.New(oauth.Options{Vault: v, Redirect: func() string { return "http://127.0.0.1:1/oauth/callback" }})
}

func upstreamAt(u string) durward.Upstream { return durward.Upstream{Name: "crm", URL: u} }

// refuse gives an account the 401 that its upstream would.
func refuse(t *testing.T, a *oauth.Account, u string) error {
	t.Helper()
	at, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Www-Authenticate": {`Bearer realm="mcp"`}}
	if !a.Asks(http.StatusUnauthorized, h) {
		t.Fatal("a 401 asks for nothing")
	}
	return a.Renew(t.Context(), a.Credential(t.Context()), at, http.StatusUnauthorized, h)
}

// page waits until there is a page to open.
func page(t *testing.T, d *oauth.Desk) string {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		s, err := d.SignIn("crm", false)
		if err != nil || s.Error != "" {
			t.Fatal(s.Error, err)
		}
		if s.URL != "" {
			return s.URL
		}
	}
	t.Fatal("no page comes")
	return ""
}

// A refusal by itself starts nothing: no registration, no request to anybody.
func TestNothingHappensWithoutAPerson(t *testing.T) {
	o := newOffice(t)
	d := newDesk(&vault{kept: map[string][]byte{}})
	err := refuse(t, d.Account(upstreamAt(o.URL+"/mcp")), o.URL+"/mcp")
	if !errors.Is(err, oauth.ErrSignIn) || !strings.Contains(err.Error(), "durward upstream login crm") {
		t.Errorf("a refusal without a person ends with %v", err)
	}
	if o.asked != 0 {
		t.Errorf("%d requests were made", o.asked)
	}
}

// A person signs in; calls that wait go on; a code and a state are good once;
// what was granted outlives the process, for that URL and no other.
func TestSigningIn(t *testing.T) {
	o, v := newOffice(t), &vault{kept: map[string][]byte{}}
	d := newDesk(v)
	a := d.Account(upstreamAt(o.URL + "/mcp"))
	if refuse(t, a, o.URL+"/mcp") == nil {
		t.Fatal("signed in without a person")
	}
	if s, err := d.SignIn("crm", true); err != nil || !s.Busy {
		t.Fatalf("the open challenge is not taken up: %+v, %v", s, err)
	}
	waits := make(chan error, 1)
	go func() { waits <- refuse(t, a, o.URL+"/mcp") }() // another call, meanwhile
	back := o.consent(t, page(t, d))
	if _, err := d.Returned("a-state-that-nobody-has", back.Get("code"), "", ""); err == nil {
		t.Error("a foreign state is taken")
	}
	if name, err := d.Returned(back.Get("state"), back.Get("code"), "", ""); err != nil || name != "crm" {
		t.Fatalf("Returned = %q, %v", name, err)
	}
	if _, err := d.Returned(back.Get("state"), back.Get("code"), "", ""); err == nil {
		t.Error("a state is taken twice")
	}
	if err := <-waits; err != nil {
		t.Errorf("the call that waited: %v", err)
	}
	if got := a.Credential(t.Context()); got != "Bearer t1" {
		t.Errorf("credential %q", got)
	}
	again := newDesk(v)
	if got := again.Account(upstreamAt(o.URL + "/mcp")).Credential(t.Context()); got != "Bearer t1" {
		t.Errorf("after a restart: credential %q", got)
	}
	up := upstreamAt(o.URL + "/mcp")
	if err := again.Forget(&up); err != nil {
		t.Fatal(err)
	}
	if got := again.Account(up).Credential(t.Context()); got != "" {
		t.Errorf("after it was forgotten: credential %q", got)
	}
	if got := again.Account(upstreamAt(o.URL + "/other")).Credential(t.Context()); got != "" {
		t.Errorf("another URL gets %q", got)
	}
}

// What has expired is refreshed, and the new token kept.
func TestRefreshing(t *testing.T) {
	o, v := newOffice(t), &vault{kept: map[string][]byte{}}
	o.life = 1 // which the library takes for expired
	d := newDesk(v)
	a := d.Account(upstreamAt(o.URL + "/mcp"))
	_ = refuse(t, a, o.URL+"/mcp")
	if _, err := d.SignIn("crm", true); err != nil {
		t.Fatal(err)
	}
	back := o.consent(t, page(t, d))
	if _, err := d.Returned(back.Get("state"), back.Get("code"), "", ""); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); a.Credential(t.Context()) == "" && time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		continue
	}
	if got := newDesk(v).Account(upstreamAt(o.URL + "/mcp")).Credential(t.Context()); got == "" || got == "Bearer t1" {
		t.Errorf("after it expired: credential %q", got)
	}
}

// A person who refuses ends the sign-in with what the server said.
func TestRefusedConsent(t *testing.T) {
	o := newOffice(t)
	d := newDesk(&vault{kept: map[string][]byte{}})
	_ = refuse(t, d.Account(upstreamAt(o.URL+"/mcp")), o.URL+"/mcp")
	if _, err := d.SignIn("crm", true); err != nil {
		t.Fatal(err)
	}
	back := o.consent(t, page(t, d))
	if _, err := d.Returned(back.Get("state"), "", "", "access_denied"); err == nil || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("the browser is told %v", err)
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		s, err := d.SignIn("crm", false)
		if err != nil || time.Now().After(until) {
			t.Fatal("the sign-in does not end:", err)
		}
		if !s.Busy {
			if !strings.Contains(s.Error, "access_denied") {
				t.Errorf("it ends with %q", s.Error)
			}
			return
		}
	}
}

// Only upstreams over HTTP without a declared credential are signed in at.
func TestWants(t *testing.T) {
	for _, c := range []struct {
		up   durward.Upstream
		want bool
	}{
		{durward.Upstream{URL: "https://a.example"}, true},
		{durward.Upstream{URL: "https://a.example", Headers: map[string]string{"X-Team": "b"}}, true},
		{durward.Upstream{URL: "https://a.example", Headers: map[string]string{"authorization": "Bearer b"}}, false},
		{durward.Upstream{Command: "npx"}, false},
	} {
		if got := oauth.Wants(&c.up); got != c.want {
			t.Errorf("Wants(%+v) = %v", c.up, got)
		}
	}
	d := newDesk(&vault{kept: map[string][]byte{}})
	if _, err := d.SignIn("nobody", true); err == nil {
		t.Error("an unknown upstream can be signed in at")
	}
}
