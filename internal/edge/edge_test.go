package edge_test

import (
	"context"
	"durward"
	"durward/internal/durwardtest"
	"durward/internal/edge"
	"durward/internal/httpwire"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

// mirror is a lane that answers with what reached it.
type mirror struct {
	refused          chan *durward.Error
	drained, stopped chan struct{}
	stalled          chan struct{} // has one when a request stalls
}

func (m *mirror) Routes() []edge.Route {
	return []edge.Route{{Path: "/mcp", Serve: m.serve}, {Path: "/mcp/{name}", Serve: m.serve}}
}

func (m *mirror) Refused(_ *httpwire.Exchange, e *durward.Error) { m.refused <- e }

func (m *mirror) Drain() { close(m.drained) }
func (m *mirror) Stop()  { m.stopped <- struct{}{} }

func (m *mirror) serve(r *edge.Request) {
	switch r.Name {
	case "panic":
		panic("a bug")
	case "late-panic":
		_, _ = r.Stream(http.StatusOK, "text/plain").Write([]byte("half"))
		panic("a bug")
	case "refuse":
		edge.Refuse(r.Exchange, r.Credential, errors.New("secret"))
	case "via":
		_ = r.Answer(http.StatusOK, "text/plain", []byte(r.Via))
	case "stall":
		m.stalled <- struct{}{}
		<-r.Context().Done()
	default:
		_ = r.Answer(http.StatusOK, "text/plain", []byte(r.Credential.Reveal()+"|"+r.Name))
	}
}

func serve(t testing.TB, o edge.Options, addr string) (*edge.Server, *mirror, string) {
	t.Helper()
	m := &mirror{refused: make(chan *durward.Error, 99), drained: make(chan struct{}), stopped: make(chan struct{}, 9), stalled: make(chan struct{}, 9)}
	s := edge.New(o, m)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if !isClosed(m.drained) {
			if err := s.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return s, m, "http://127.0.0.1:" + port
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

type answer struct {
	*http.Response
	body string
}

func get(t testing.TB, method, url string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(b)}
}

func TestHostsAndOrigins(t *testing.T) {
	o := edge.Options{Names: []string{"Gate.Example"}, Origins: []string{"https://app.example/"}}
	_, _, loopback := serve(t, o, "127.0.0.1:0")
	_, _, public := serve(t, o, "0.0.0.0:0")
	for _, c := range []struct {
		header           string
		loopback, public int
	}{
		{"Host: localhost", 200, 200},
		{"Host: LOCALHOST:8080", 200, 200},
		{"Host: localhost.", 200, 200},
		{"Host: 127.0.0.1:99", 200, 200},
		{"Host: 127.8.8.8", 200, 200},
		{"Host: [::1]:8080", 200, 200},
		{"Host: [::1]", 200, 200},
		{"Host: gate.example:443", 200, 200},
		{"Host: evil.example", 403, 200},
		{"Host: localhost.evil.example", 403, 200},
		{"Host: 127.0.0.1.evil.example", 403, 200},
		{"Host: 192.0.2.1", 403, 200},
		{"Origin: http://localhost:6274", 200, 403},
		{"Origin: http://127.0.0.1", 200, 403},
		{"Origin: http://[::1]:3000", 200, 403},
		{"Origin: https://gate.example", 200, 200},
		{"Origin: https://app.example", 200, 200},
		{"Origin: HTTPS://APP.example", 200, 200},
		{"Origin: https://app.example:444", 403, 403},
		{"Origin: http://app.example", 403, 403},
		{"Origin: https://evil.example", 403, 403},
		{"Origin: https://localhost.evil.example", 403, 403},
		{"Origin: null", 403, 403},
		{"Origin: file://localhost", 403, 403},
		{"Origin: localhost", 403, 403},
	} {
		if r := get(t, "GET", loopback+"/mcp", c.header); r.StatusCode != c.loopback {
			t.Errorf("%s on loopback = %d, want %d", c.header, r.StatusCode, c.loopback)
		}
		if r := get(t, "GET", public+"/mcp", c.header); r.StatusCode != c.public {
			t.Errorf("%s on a public address = %d, want %d", c.header, r.StatusCode, c.public)
		}
	}
	if r := get(t, "GET", loopback+"/mcp", "Origin: http://localhost", "Origin: https://evil.example"); r.StatusCode != 403 {
		t.Errorf("two origins = %d, want 403", r.StatusCode)
	}
}

// Without a key, the pages of any server that runs on this machine could call.
func TestOriginsWhileAnybodyMayCall(t *testing.T) {
	anonymous := true
	o := edge.Options{Names: []string{"gate.example"}, Origins: []string{"http://localhost:6274"}, Anonymous: func() bool { return anonymous }}
	_, _, url := serve(t, o, "127.0.0.1:0")
	port := url[strings.LastIndex(url, ":"):]
	for origin, want := range map[string]int{
		"http://localhost:9999":       403,
		"http://localhost":            403,
		"https://127.0.0.1:22080":     403,
		"https://gate.example:444":    403,
		"http://localhost" + port:     200,
		"http://127.0.0.1" + port:     200,
		"http://[::1]" + port:         200,
		"https://gate.example":        200,
		"https://gate.example" + port: 200,
		"http://localhost:6274":       200, // the operator said so
	} {
		if r := get(t, "GET", url+"/mcp", "Origin: "+origin); r.StatusCode != want {
			t.Errorf("%s = %d, want %d", origin, r.StatusCode, want)
		}
	}
	anonymous = false
	if r := get(t, "GET", url+"/mcp", "Origin: http://localhost:9999"); r.StatusCode != 200 {
		t.Errorf("where a key is needed another server's page = %d, want 200", r.StatusCode)
	}
}

func TestCORS(t *testing.T) {
	_, _, url := serve(t, edge.Options{}, "127.0.0.1:0")
	const origin = "Origin: http://localhost:6274"
	r := get(t, "OPTIONS", url+"/mcp", origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, mcp-param-region, mcp-param-bad name, x-other")
	if r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != "http://localhost:6274" || r.Header.Get("Vary") != "Origin" {
		t.Errorf("preflight = %d %v", r.StatusCode, r.Header)
	}
	allowed := r.Header.Get("Access-Control-Allow-Headers")
	for _, h := range []string{"Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "mcp-param-region", "Last-Event-ID", "Authorization", "X-API-Key"} {
		if !strings.Contains(allowed, h) {
			t.Errorf("preflight allows %q, want %s too", allowed, h)
		}
	}
	if strings.Contains(allowed, "bad") || strings.Contains(allowed, "x-other") {
		t.Errorf("preflight allows %q", allowed)
	}
	r = get(t, "GET", url+"/mcp", origin)
	exposed := r.Header.Get("Access-Control-Expose-Headers")
	for _, h := range []string{"Mcp-Session-Id", "WWW-Authenticate"} {
		if !strings.Contains(exposed, h) {
			t.Errorf("exposed = %q, want %s too", exposed, h)
		}
	}
	if r := get(t, "GET", url+"/mcp"); r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS headers without an origin")
	}
	if r := get(t, "OPTIONS", url+"/mcp", "Origin: https://evil.example"); r.StatusCode != 403 || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of a foreign page = %d %v", r.StatusCode, r.Header)
	}
}

func TestCredentials(t *testing.T) {
	_, m, url := serve(t, edge.Options{}, "127.0.0.1:0")
	for _, c := range []struct {
		query   string
		headers []string
		status  int
		want    string
	}{
		{"", nil, 200, "|"},
		{"", []string{"Authorization: Bearer k1"}, 200, "k1|"},
		{"", []string{"Authorization: bearer   k1 "}, 200, "k1|"},
		{"", []string{"X-API-Key: k1"}, 200, "k1|"},
		{"", []string{"Authorization: Bearer k1", "X-API-Key: k1"}, 200, "k1|"},
		{"", []string{"Authorization: Bearer k1", "X-API-Key: k2"}, 400, "credential_conflict"},
		{"", []string{"Authorization: Bearer k1", "Authorization: Bearer k1"}, 400, "credential_conflict"},
		{"", []string{"X-API-Key: k1", "X-API-Key: k2"}, 400, "credential_conflict"},
		{"", []string{"Authorization: Basic dTpw"}, 401, "key_malformed"},
		{"", []string{"Authorization: Bearer"}, 401, "key_malformed"},
		{"", []string{"Authorization: Bearer a b"}, 401, "key_malformed"},
		{"", []string{"Authorization: Basic dTpw", "X-API-Key: k1"}, 401, "key_malformed"},
		{"?key=k1", nil, 400, "credential_in_query"},
		{"?a=b&API_KEY=k1", nil, 400, "credential_in_query"},
		{"?acc%65ss_token=k1", nil, 400, "credential_in_query"},
		{"?a;token=k1", nil, 400, "credential_in_query"},
		{"?token", []string{"Authorization: Bearer k1"}, 400, "credential_in_query"},
		{"?Authorization=Bearer%20k1", []string{"Authorization: Bearer k1"}, 400, "credential_in_query"},
		{"?x-api-key=k1", nil, 400, "credential_in_query"},
		{"?x=dwk_abc", []string{"Authorization: Bearer k1"}, 400, "credential_in_query"},
		{"?x=%64wk_abc", nil, 400, "credential_in_query"},
		{"?sid=x&keys=1&author=a", nil, 200, "|"},
	} {
		r := get(t, "GET", url+"/mcp"+c.query, c.headers...)
		if r.StatusCode != c.status || !strings.Contains(r.body, c.want) {
			t.Errorf("%s %v = %d %s, want %d %s", c.query, c.headers, r.StatusCode, r.body, c.status, c.want)
		}
		if r.StatusCode >= 400 && (len(m.refused) != 1 || string((<-m.refused).Reason) != c.want) {
			t.Errorf("%s %v: the lane did not hear of the refusal", c.query, c.headers)
		}
		if (r.StatusCode == 401) != (r.Header.Get("WWW-Authenticate") == `Bearer realm="durward", error="invalid_token"`) {
			t.Errorf("%v: WWW-Authenticate = %q", c.headers, r.Header.Get("WWW-Authenticate"))
		}
		if r.StatusCode >= 400 && r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: Content-Type = %q", c.headers, r.Header.Get("Content-Type"))
		}
	}
}

func TestRoutes(t *testing.T) {
	_, _, url := serve(t, edge.Options{}, "127.0.0.1:0")
	for path, want := range map[string]string{"/mcp": "|", "/mcp/": "|", "/mcp/files": "|files", "/mcp/files/": "|files", "/mcp/a%20b": "|a b"} {
		if r := get(t, "GET", url+path); r.body != want {
			t.Errorf("%s = %d %s, want %s", path, r.StatusCode, r.body, want)
		}
	}
	for _, path := range []string{"/", "/mcp//", "/mcp/a/b", "/mcp/a//", "/MCP", "//mcp", "/.well-known/oauth-protected-resource/mcp", "/register"} {
		r := get(t, "POST", url+path, "Authorization: Basic x")
		if r.StatusCode != 404 || !strings.Contains(r.body, `"status":404`) || !strings.Contains(r.body, `"reason":"endpoint_unknown"`) {
			t.Errorf("%s = %d %s, want a problem of status 404", path, r.StatusCode, r.body)
		}
	}
}

func TestBugsEndOneRequest(t *testing.T) {
	var log strings.Builder
	_, _, url := serve(t, edge.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, "127.0.0.1:0")
	if r := get(t, "GET", url+"/mcp/panic"); r.StatusCode != 500 || strings.Contains(r.body, "bug") {
		t.Errorf("= %d %s, want 500 without the cause", r.StatusCode, r.body)
	}
	if resp, err := http.Get(url + "/mcp/late-panic"); err == nil {
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("half an answer ended as if it were whole")
		}
		resp.Body.Close()
	}
	if r := get(t, "GET", url+"/mcp/refuse"); r.StatusCode != 500 || strings.Contains(r.body, "secret") {
		t.Errorf("= %d %s, want 500 without the cause", r.StatusCode, r.body)
	}
	if !strings.Contains(log.String(), "a bug") {
		t.Errorf("log = %s, want the bug", log.String())
	}
}

func TestShutdownStopsLanes(t *testing.T) {
	s, m, url := serve(t, edge.Options{}, "127.0.0.1:0")
	go func() {
		if resp, err := http.Get(url + "/mcp/stall"); err == nil {
			resp.Body.Close()
		}
	}()
	<-m.stalled
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown with a request that never ends = nil")
	}
	if !isClosed(m.drained) || len(m.stopped) == 0 {
		t.Error("the lane was not told")
	}
}

func TestErrors(t *testing.T) {
	for code, want := range map[durward.Code][3]int{
		durward.Internal:        {500, 200, -32603},
		durward.BadRequest:      {400, 200, -32602},
		durward.Unauthenticated: {401, 401, 401},
		durward.Forbidden:       {403, 403, 403},
		durward.NotFound:        {404, 200, -32602},
		durward.SessionGone:     {404, 404, 404},
		durward.TooLarge:        {413, 200, -32600},
		durward.Overloaded:      {503, 503, 503},
		durward.Unavailable:     {503, 200, -32603},
		durward.Timeout:         {504, 200, -32603},
		durward.Cancelled:       {499, 200, -32603},
		durward.Conflict:        {409, 200, -32603},
		durward.HeaderMismatch:  {400, 400, -32020},
		durward.LoopDetected:    {508, 508, 508},
		durward.Code(200):       {500, 200, -32603},
	} {
		e := &durward.Error{Code: code, Message: "m"}
		if got := [3]int{edge.Status(e), edge.MCPStatus(e), edge.RPC(e).Code}; got != want {
			t.Errorf("code %d = %v, want %v", code, got, want)
		}
	}
	e := &durward.Error{Code: durward.NotFound, Reason: durward.ReasonEndpointUnknown, Retry: 1500 * time.Millisecond}
	if got := edge.MCPStatus(e); got != 404 {
		t.Errorf("an unknown endpoint = %d, want 404", got)
	}
	if got := edge.RetryAfter(e); got != "2" {
		t.Errorf("RetryAfter(1.5s) = %s, want 2", got)
	}
	if got := string(edge.RPC(e).Data); got != `{"reason":"endpoint_unknown","retryAfterMs":1500}` {
		t.Errorf("data = %s", got)
	}
}

var _ edge.Lane = (*mirror)(nil)
