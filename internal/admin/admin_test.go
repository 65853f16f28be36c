package admin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/admin"
	"durward/internal/control"
	"durward/internal/durwardtest"
	"durward/internal/store"
)

const token = "dwr_a-token-of-this-run-only"

// gateway is an admin listener over a real store.
type gateway struct {
	*httptest.Server
	control *control.Control
	checks  []admin.Check
}

func start(t *testing.T) *gateway {
	t.Helper()
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := &durward.Snapshot{
		Agents:    []durward.Agent{{Name: "filed", Origin: durward.FromFile}},
		Roles:     []durward.Role{{Name: "support", Allow: []string{"*"}}},
		Upstreams: []durward.Upstream{{Name: "crm", URL: "https://crm.example/mcp?k=s3cret", Headers: map[string]string{"A": "s3cret"}, Timeout: 90 * time.Second, Origin: durward.FromFile}},
	}
	g := &gateway{checks: []admin.Check{{Name: "listeners", State: admin.CheckOK}}}
	g.control = control.New(control.Options{
		Store: db, Pepper: db.Pepper(),
		File: func() (*durward.Snapshot, string) { return file, "durward.yaml" },
		Status: func() []durward.UpstreamStatus {
			return []durward.UpstreamStatus{{Name: "crm", State: "ready", Tools: 3}}
		},
	})
	g.Server = httptest.NewServer(admin.Handler(admin.Options{
		Control: g.control, Token: token, Names: []string{"gw.example"},
		Checks: func(context.Context) []admin.Check { return g.checks },
		Status: func(context.Context) admin.Status { return admin.Status{Version: "1.2.3", PID: os.Getpid()} },
		Config: func() ([]byte, error) { return []byte("listen: x\n"), nil },
		Test: func(_ context.Context, name string) (admin.UpstreamTest, error) {
			return admin.UpstreamTest{Status: durward.UpstreamStatus{Name: name, State: "failed", Error: "no answer"}}, nil
		},
	}))
	t.Cleanup(func() {
		g.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *gateway) client(t *testing.T, secret string) *admin.Client {
	c := admin.NewClient(g.URL, durward.NewCredential(secret))
	t.Cleanup(c.Close)
	return c
}

// verbs are what the CLI asks of both kinds of client.
type verbs interface {
	Agents(context.Context) ([]admin.Agent, error)
	Agent(context.Context, string) (admin.Agent, error)
	CreateAgent(context.Context, admin.NewAgent) (admin.Minted, error)
	SetAgentRoles(context.Context, string, []string) error
	SetAgentDisabled(context.Context, string, bool) error
	SetAgentCompat(context.Context, string, durward.Compat) error
	DeleteAgent(context.Context, string) error
	RotateKey(context.Context, string, admin.Rotation) (admin.Minted, error)
	RevokeAgent(context.Context, string) error
	RevokeKey(context.Context, string) error
	AdminKeys(context.Context) ([]admin.Key, error)
	CreateAdminKey(context.Context, string, time.Time) (admin.Minted, error)
	Upstreams(context.Context) ([]admin.Upstream, error)
	Upstream(context.Context, string) (admin.Upstream, error)
	AddUpstream(context.Context, durward.Upstream) error
	SetUpstreamDisabled(context.Context, string, bool) error
	RemoveUpstream(context.Context, string) error
	Roles(context.Context) ([]admin.Role, error)
	PutRole(context.Context, durward.Role) error
	DeleteRole(context.Context, string) error
}

var (
	_ verbs = (*admin.Client)(nil)
	_ verbs = (*admin.Direct)(nil)
)

func TestAnUpstreamIsTested(t *testing.T) {
	g := start(t)
	got, err := g.client(t, token).TestUpstream(t.Context(), "crm")
	if err != nil || got.Status.Error != "no answer" || got.Tools == nil {
		t.Errorf("TestUpstream = %+v, %v; want its status and an empty list", got, err)
	}
	var e *durward.Error
	if _, err := g.client(t, token).TestUpstream(t.Context(), "nope"); !errors.As(err, &e) || e.Code != durward.NotFound {
		t.Errorf("testing an unknown upstream = %v, want not found", err)
	}
	if _, err := admin.NewDirect(g.control, durward.Actor{}).TestUpstream(t.Context(), "crm"); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("testing without a gateway = %v, want ErrNotRunning", err)
	}
}

func TestVerbsAreTheSameDirectAndOverHTTP(t *testing.T) {
	for name, of := range map[string]func(*testing.T, *gateway) verbs{
		"over HTTP": func(t *testing.T, g *gateway) verbs { return g.client(t, token) },
		"directly": func(_ *testing.T, g *gateway) verbs {
			return admin.NewDirect(g.control, durward.Actor{Name: "test", Operator: true})
		},
	} {
		t.Run(name, func(t *testing.T) { testVerbs(t, of(t, start(t))) })
	}
}

func testVerbs(t *testing.T, v verbs) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(err error, code durward.Code, reason durward.Reason, text string) {
		t.Helper()
		var e *durward.Error
		if !errors.As(err, &e) || e.Code != code || e.Reason != reason || !strings.Contains(e.Message, text) {
			t.Errorf("err = %#v, want code %v, reason %s, text %q", err, code, reason, text)
		}
	}

	_, err := v.CreateAgent(ctx, admin.NewAgent{Name: "bot/x", Roles: []string{"support"}})
	refused(err, durward.BadRequest, durward.ReasonRequestInvalid, "bot/x")
	_, err = v.CreateAgent(ctx, admin.NewAgent{Name: "bot", Roles: []string{"suport"}})
	refused(err, durward.NotFound, durward.ReasonNotFound, `Did you mean "support"?`)
	minted, err := v.CreateAgent(ctx, admin.NewAgent{Name: "bot", Roles: []string{"support"}})
	must(err)
	if !strings.HasPrefix(minted.Secret, "dwk_") || minted.Key.State != "live" || minted.Agent != "bot" {
		t.Errorf("minted = %+v", minted)
	}
	_, err = v.CreateAgent(ctx, admin.NewAgent{Name: "filed"})
	refused(err, durward.Forbidden, durward.ReasonReadOnly, "durward.yaml")

	rotated, err := v.RotateKey(ctx, "bot", admin.Rotation{Overlap: time.Hour})
	must(err)
	if rotated.Ends.IsZero() || rotated.Secret == minted.Secret {
		t.Errorf("rotated = %+v", rotated)
	}
	bot, err := v.Agent(ctx, "bot")
	must(err)
	if len(bot.Keys) != 2 || bot.Name != "bot" || bot.Origin != durward.FromStore {
		t.Errorf("bot = %+v", bot)
	}
	must(v.RevokeKey(ctx, minted.Key.ID))
	must(v.SetAgentRoles(ctx, "bot", nil))
	must(v.SetAgentCompat(ctx, "bot", durward.Tolerant))
	refused(v.SetAgentCompat(ctx, "bot", "lax"), durward.BadRequest, durward.ReasonRequestInvalid, "strict or tolerant")
	must(v.RevokeAgent(ctx, "bot"))
	agents, err := v.Agents(ctx)
	must(err)
	if len(agents) != 2 || agents[0].Name != "bot" || !agents[0].Disabled || agents[0].Compat != durward.Tolerant || len(agents[0].Roles) != 0 || agents[0].Keys[1].State != "revoked" {
		t.Errorf("agents = %+v", agents)
	}
	must(v.SetAgentDisabled(ctx, "bot", false))
	must(v.DeleteAgent(ctx, "bot"))
	_, err = v.Agent(ctx, "bot")
	refused(err, durward.NotFound, durward.ReasonNotFound, "bot")

	key, err := v.CreateAdminKey(ctx, "", time.Now().Add(time.Hour))
	must(err)
	keys, err := v.AdminKeys(ctx)
	must(err)
	if len(keys) != 1 || keys[0].ID != key.Key.ID || !keys[0].Admin || keys[0].State != "expiring" {
		t.Errorf("keys = %+v", keys)
	}

	must(v.AddUpstream(ctx, durward.Upstream{Name: "files", Command: "npx", Env: map[string]string{"T": "s3cret"}, Timeout: time.Minute}))
	must(v.SetUpstreamDisabled(ctx, "files", true))
	ups, err := v.Upstreams(ctx)
	must(err)
	if len(ups) != 2 || ups[0].Status == nil || ups[0].Status.Tools != 3 || time.Duration(ups[0].Timeout) != 90*time.Second ||
		ups[0].Headers["A"] != "[redacted]" || strings.Contains(ups[0].URL, "s3cret") || ups[1].Env["T"] != "[redacted]" || !ups[1].Disabled {
		t.Errorf("upstreams = %+v", ups)
	}
	refused(v.RemoveUpstream(ctx, "crm"), durward.Forbidden, durward.ReasonReadOnly, "durward.yaml")
	refused(v.RemoveUpstream(ctx, "fils"), durward.NotFound, durward.ReasonNotFound, `Did you mean "files"?`)
	must(v.RemoveUpstream(ctx, "files"))
	if _, err = v.Upstream(ctx, "crm"); err != nil {
		t.Error(err)
	}

	must(v.PutRole(ctx, durward.Role{Name: "r", Allow: []string{"a__*"}}))
	roles, err := v.Roles(ctx)
	must(err)
	if len(roles) != 2 || roles[0].Name != "r" || roles[0].Origin != durward.FromStore || roles[1].Origin != durward.FromFile {
		t.Errorf("roles = %+v", roles)
	}
	refused(v.DeleteRole(ctx, "support"), durward.Forbidden, durward.ReasonReadOnly, "support")
	must(v.DeleteRole(ctx, "r"))
}

func (g *gateway) do(t *testing.T, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	res, err := g.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text), res.Header
}

func TestWhoMayAsk(t *testing.T) {
	g := start(t)
	minted, err := g.client(t, token).CreateAdminKey(t.Context(), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	bot, err := g.client(t, token).CreateAgent(t.Context(), admin.NewAgent{Name: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		status int
		header []string
	}{
		"the run's token":             {200, []string{"Authorization", "Bearer " + token}},
		"in another case":             {200, []string{"Authorization", "bearer " + token}},
		"an operator's key":           {200, []string{"Authorization", "Bearer " + minted.Secret}},
		"as X-API-Key":                {200, []string{"X-API-Key", minted.Secret}},
		"the same in both":            {200, []string{"X-API-Key", token, "Authorization", "Bearer " + token}},
		"a name of ours":              {200, []string{"Authorization", "Bearer " + token, "Host", "GW.example:8081"}},
		"localhost":                   {200, []string{"Authorization", "Bearer " + token, "Host", "localhost:8081"}},
		"a page of ours":              {200, []string{"Authorization", "Bearer " + token, "Host", "localhost:8081", "Origin", "http://localhost:8081"}},
		"nobody":                      {401, nil},
		"an empty credential":         {401, []string{"Authorization", "Bearer "}},
		"a wrong token":               {401, []string{"Authorization", "Bearer " + token + "x"}},
		"an agent's key":              {401, []string{"Authorization", "Bearer " + bot.Secret}},
		"another scheme":              {401, []string{"Authorization", "Basic " + token}},
		"two that differ":             {401, []string{"X-API-Key", minted.Secret, "Authorization", "Bearer " + token}},
		"a token in the query":        {401, []string{}},
		"a name that is not ours":     {403, []string{"Authorization", "Bearer " + token, "Host", "evil.example"}},
		"a page of another origin":    {403, []string{"Authorization", "Bearer " + token, "Origin", "http://evil.example"}},
		"a page of no origin":         {403, []string{"Authorization", "Bearer " + token, "Origin", "null"}},
		"a cross-site request":        {403, []string{"Authorization", "Bearer " + token, "Sec-Fetch-Site", "cross-site"}},
		"a same-site sub-domain page": {403, []string{"Authorization", "Bearer " + token, "Sec-Fetch-Site", "same-site"}},
	} {
		status, body, header := g.do(t, "GET", "/api/v1/agents?token="+token, "", tc.header...)
		if status != tc.status {
			t.Errorf("%s: status %d, want %d: %s", name, status, tc.status, body)
		}
		if status == 401 && header.Get("WWW-Authenticate") == "" || header.Get("Access-Control-Allow-Origin") != "" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", name, header)
		}
	}
	if err := g.client(t, token).RevokeKey(t.Context(), minted.Key.ID); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := g.do(t, "GET", "/api/v1/agents", "", "X-API-Key", minted.Secret); status != 401 {
		t.Errorf("a revoked operator's key: status %d, want 401", status)
	}
}

func TestBadRequests(t *testing.T) {
	g := start(t)
	for _, tc := range []struct {
		name, method, path, kind, body string
		status                         int
		want                           string
	}{
		{"no such path", "GET", "/api/v1/nothing", "", "", 404, "nothing at this path"},
		{"no such method", "PUT", "/api/v1/agents", "application/json", "{}", 405, "no such method"},
		{"a form", "POST", "/api/v1/agents", "application/x-www-form-urlencoded", "name=x", 400, "application/json"},
		{"no media type", "POST", "/api/v1/agents", "", `{"name":"x"}`, 400, "application/json"},
		{"half a JSON", "POST", "/api/v1/agents", "application/json", `{"name":`, 400, "not one JSON value"},
		{"two JSONs", "POST", "/api/v1/agents", "application/json", `{"name":"x"}{}`, 400, "not one JSON value"},
		{"a key twice", "POST", "/api/v1/agents", "application/json", `{"name":"x","name":"y"}`, 400, "not one JSON value"},
		{"an unknown key", "POST", "/api/v1/agents", "application/json", `{"name":"x","role":"y"}`, 400, `unknown field \"role\"`},
		{"a wrong type", "POST", "/api/v1/agents", "application/json", `{"name":1}`, 400, "cannot be used"},
		{"a body too large", "POST", "/api/v1/agents", "application/json", `{"name":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "larger than 1 MiB"},
		{"a bad name", "POST", "/api/v1/agents", "application/json", `{"name":"a b"}`, 400, "a b"},
		{"a bad overlap", "POST", "/api/v1/agents/filed/keys", "application/json", `{"overlap":"-1h"}`, 400, "between 0 and 90 days"},
		{"a key that has expired", "POST", "/api/v1/agents", "application/json", `{"name":"x","expires":"2001-01-01T00:00:00Z"}`, 400, "already expired"},
		{"an edit of nothing", "PATCH", "/api/v1/upstreams/crm", "application/json", `{}`, 400, "Nothing to change"},
		{"a bad upstream", "POST", "/api/v1/upstreams", "application/json", `{"name":"x"}`, 400, "neither command nor url"},
		{"a reference", "POST", "/api/v1/upstreams", "application/json", `{"name":"x","url":"https://x","headers":{"A":"${env:HOME}"}}`, 400, "configuration file"},
		{"an upstream that is there", "POST", "/api/v1/upstreams", "application/json", `{"name":"CRM","url":"https://x"}`, 403, "declared in durward.yaml"},
	} {
		header := []string{"Authorization", "Bearer " + token}
		if tc.kind != "" {
			header = append(header, "Content-Type", tc.kind)
		}
		status, body, h := g.do(t, tc.method, tc.path, tc.body, header...)
		if status != tc.status || !strings.Contains(body, tc.want) || h.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s (%s), want %d with %q", tc.name, status, body, h.Get("Content-Type"), tc.status, tc.want)
		}
		if tc.status == 405 && h.Get("Allow") == "" {
			t.Errorf("%s: no Allow", tc.name)
		}
	}
}

func TestRotateWithoutABodyKeepsOldKeysForADay(t *testing.T) {
	g := start(t)
	if status, body, _ := g.do(t, "POST", "/api/v1/agents/filed/keys", "", "Authorization", "Bearer "+token); status != 201 || !strings.Contains(body, `"secret":"dwk_`) {
		t.Fatalf("%d %s", status, body)
	}
	_, body, _ := g.do(t, "POST", "/api/v1/agents/filed/keys", "", "Authorization", "Bearer "+token)
	want := time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02T15:")
	if !strings.Contains(body, `"ends":"`+want) {
		t.Errorf("answer %s, want ends about %s", body, want)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	g := start(t)
	if status, body, _ := g.do(t, "GET", "/healthz", ""); status != 200 || !strings.Contains(body, "ok") {
		t.Errorf("healthz = %d %s", status, body)
	}
	for state, want := range map[string]int{admin.CheckOK: 200, admin.CheckWarn: 200, admin.CheckFail: 503, "": 503} {
		g.checks = []admin.Check{{Name: "audit", State: state, Text: "disk is full"}}
		status, body, _ := g.do(t, "GET", "/readyz", "")
		if status != want || !strings.Contains(body, "disk is full") {
			t.Errorf("readyz with a check that is %q = %d %s, want %d", state, status, body, want)
		}
	}
	s, err := g.client(t, token).Status(t.Context())
	if err != nil || s.Version != "1.2.3" || len(s.Checks) != 1 {
		t.Errorf("Status = %+v, %v", s, err)
	}
	text, err := g.client(t, token).Config(t.Context())
	if err != nil || string(text) != "listen: x\n" {
		t.Errorf("Config = %q, %v", text, err)
	}
}

func TestRunFile(t *testing.T) {
	g, dir := start(t), t.TempDir()
	if _, _, err := admin.Connect(t.Context(), dir); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("Connect without a file = %v, want ErrNotRunning", err)
	}
	run := admin.Run{URL: g.URL, Token: token, PID: os.Getpid(), Data: dir, Started: time.Now()}
	if err := admin.WriteRun(dir, run); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, admin.RunFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("run.json: %v, %v, want mode 600", info, err)
	}
	c, got, err := admin.Connect(t.Context(), dir)
	if err != nil || got.URL != g.URL {
		t.Fatalf("Connect = %v, %v", got, err)
	}
	defer c.Close()
	if _, err := c.Agents(t.Context()); err != nil {
		t.Error(err)
	}
	if strings.Contains(run.String()+run.GoString(), token) {
		t.Error("a Run prints its token")
	}
	if err := admin.RemoveRun(dir, "of another run"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ReadRun(dir); err != nil {
		t.Errorf("another run's file was removed: %v", err)
	}
	if err := admin.RemoveRun(dir, token); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ReadRun(dir); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("ReadRun after RemoveRun = %v", err)
	}
}

func TestAFileLeftBehindIsNotAGateway(t *testing.T) {
	g, dir := start(t), t.TempDir()
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for name, run := range map[string]admin.Run{
		"a process that is gone":        {URL: g.URL, Token: token, PID: 1 << 30},
		"no process":                    {URL: g.URL, Token: token},
		"a port that nobody listens on": {URL: dead.URL, Token: token, PID: os.Getpid()},
		"a gateway of another token":    {URL: g.URL, Token: "dwr_other", PID: os.Getpid()},
		"a gateway of another process":  {URL: g.URL, Token: token, PID: os.Getppid()},
	} {
		if err := admin.WriteRun(dir, run); err != nil {
			t.Fatal(err)
		}
		if _, _, err := admin.Connect(t.Context(), dir); !errors.Is(err, admin.ErrNotRunning) {
			t.Errorf("%s: Connect = %v, want ErrNotRunning", name, err)
		}
	}
	if err := admin.WriteRun(dir, admin.Run{URL: other.URL, Token: token, PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := admin.Connect(t.Context(), dir); err == nil {
		t.Error("Connect to something else succeeded")
	}
	if err := os.WriteFile(filepath.Join(dir, admin.RunFile), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := admin.Connect(t.Context(), dir); err == nil || errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("Connect with a damaged file = %v, want another error", err)
	}
}

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }
