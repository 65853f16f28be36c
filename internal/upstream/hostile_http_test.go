package upstream_test

import (
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"durward/internal/upstream/link"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// badHTTP serves the handshakes of an era well and the calls by fn.
func badHTTP(t testing.TB, modern bool, fn func(w http.ResponseWriter, r *http.Request, id string)) durward.Upstream {
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, err := mcpwire.Scan(body, mcpwire.Limits{})
		if err != nil { // a GET or DELETE
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		var result string
		switch {
		case m.Method == mcpwire.MethodToolsCall:
			fn(w, r, string(m.ID))
			return
		case m.Method == mcpwire.MethodDiscover && modern:
			result = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`
		case m.Method == mcpwire.MethodInitialize && !modern:
			w.Header().Set(mcpwire.HeaderSession, "s1")
			result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"bad","version":"0"}}`
		case m.Method == mcpwire.MethodToolsList:
			result = `{"resultType":"complete","tools":[{"name":"ask","inputSchema":{"type":"object"}}],"ttlMs":0,"cacheScope":"private"}`
		case m.Kind == mcpwire.Notification:
			w.WriteHeader(http.StatusAccepted)
			return
		default:
			http.Error(w, "what?", http.StatusBadRequest)
			return
		}
		respond(w, 200, string(mcpwire.AppendResult(nil, m.ID, []byte(result))))
	}))
	return durward.Upstream{Name: "bad", URL: url, Timeout: 5 * time.Second}
}

func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func events(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		fmt.Fprintf(w, "data: %s\n\n", d)
	}
	_ = http.NewResponseController(w).Flush()
}

func fine(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"resultType":"complete","content":[{"type":"text","text":"fine"}]}}`
}

// A status that may mean anything is no leave to send a call again that may
// have had an effect; 404 for a session means one thing (lost_test.go). What only reads is, and the next call finds its way.
func TestAPlainStatusDoesNotSendACallTwice(t *testing.T) {
	for _, status := range []int{400, 404, 405, 409, 422} {
		for _, safe := range []bool{false, true} {
			for _, modern := range []bool{true, false} {
				if status == http.StatusNotFound && !modern {
					continue
				}
				t.Run(fmt.Sprintf("%d safe=%v modern=%v", status, safe, modern), func(t *testing.T) {
					t.Parallel()
					var done atomic.Int32
					s := newSet(t, nil, badHTTP(t, modern, func(w http.ResponseWriter, _ *http.Request, id string) {
						if done.Add(1) == 1 {
							http.Error(w, "page not found", status)
							return
						}
						respond(w, 200, fine(id))
					}))
					r := modernAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`)
					r.Safe = safe
					reply, err := s.Do(brief(t), r, nil)
					switch {
					case safe && (err != nil || done.Load() != 2):
						t.Errorf("%d attempts of a call that only reads: %s %v", done.Load(), reply.Result, err)
					case !safe && (done.Load() != 1 || err == nil || !strings.Contains(err.Error(), "had an effect is not known")):
						t.Errorf("%d attempts of a call with effects: %v, want one, whose effect is not known", done.Load(), err)
					}
					if _, err := s.Do(brief(t), r, nil); err != nil {
						t.Errorf("the next call: %v", err)
					}
				})
			}
		}
	}
}

// What a server over HTTP may do wrong, in either era.
func TestAServerThatMisbehaves(t *testing.T) {
	cases := map[string]struct {
		want  durward.Reason
		serve func(w http.ResponseWriter, r *http.Request, id string)
	}{
		"an answer of another id": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) { respond(w, 200, fine("7777777")) }},
		"half a JSON":             {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, id string) { respond(w, 200, fine(id)[:40]) }},
		"a duplicate result": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, id string) {
			respond(w, 200, `{"jsonrpc":"2.0","id":`+id+`,"result":{},"result":{}}`)
		}},
		"HTML":    {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, "<html>hello") }},
		"nothing": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(202) }},
		"a body over limit": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, id string) {
			respond(w, 200, fine(id)+strings.Repeat(" ", 2<<20))
		}},
		"an event over limit": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) {
			events(w, strings.Repeat("x", 2<<20))
		}},
		"a flood of messages": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, r *http.Request, _ string) {
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\"}}\n\n")
			}
		}},
		"a flood of comments": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, r *http.Request, _ string) {
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				fmt.Fprint(w, strings.Repeat(": nothing\n", 1000))
			}
		}},
		"a stream that ends": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) { events(w) }},
		"a lying length": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.Header().Set("Content-Length", "1000")
			respond(w, 200, "{")
		}},
		"a broken connection": {durward.ReasonUpstreamUnavailable, func(http.ResponseWriter, *http.Request, string) { panic(http.ErrAbortHandler) }},
		"silence":             {durward.ReasonUpstreamTimeout, func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() }},
		"a silent stream": {durward.ReasonUpstreamTimeout, func(w http.ResponseWriter, r *http.Request, _ string) {
			events(w)
			<-r.Context().Done()
		}},
		"a redirect": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
		}},
		"refused credentials": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) {
			http.Error(w, "who are you", http.StatusUnauthorized)
		}},
		"a gateway's error": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) {
			http.Error(w, "bad gateway", http.StatusBadGateway)
		}},
		"busy": {durward.ReasonOverloaded, func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "later", http.StatusServiceUnavailable)
		}},
		"garbage before the answer": {durward.ReasonNone, func(w http.ResponseWriter, _ *http.Request, id string) {
			events(w, "not json", `{"jsonrpc":"2.0","id":5555555,"result":{}}`, "", fine(id))
		}},
		"an error with status 400": {durward.ReasonNone, func(w http.ResponseWriter, _ *http.Request, id string) {
			respond(w, 400, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32602,"message":"bad arguments","data":1.0}}`)
		}},
	}
	for name, c := range cases {
		for _, modern := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s modern=%v", name, modern), func(t *testing.T) {
				t.Parallel()
				limits := func(o *upstream.Options) {
					o.Limits = link.Limits{Message: 1 << 20, Call: 4 << 20, Messages: 1000}
				}
				s := newSet(t, limits, badHTTP(t, modern, c.serve), kinds["modern"](t, kit()))
				a := legacyAgent
				if modern {
					a = modernAgent
				}
				reply, err := s.Do(brief(t), a.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), &peer{})
				got := durward.ReasonNone
				if err != nil {
					e := durward.AsError(err)
					if got = e.Reason; got == durward.ReasonOverloaded && e.Retry != 7*time.Second {
						t.Errorf("Retry = %v, want 7s", e.Retry)
					}
					if strings.Contains(e.Message, "127.0.0.1") {
						t.Errorf("the message for the agent %q tells of addresses", e.Message)
					}
				}
				if got != c.want {
					t.Errorf("reason %q (%s %v %v), want %q", got, reply.Result, reply.Error, err, c.want)
				}
				if text := call(t, s, a, "echo", `{"text":"others go on"}`); !strings.Contains(text, "others go on") {
					t.Errorf("another upstream: %s", text)
				}
			})
		}
	}
}

// An error object of the server passes byte for byte.
func TestAnErrorOfTheServerPassesAsItIs(t *testing.T) {
	object := `{"code":-32602,"message":"h\u00e9","data":{"n":12345678901234567890,"f":1.0},"vendor":true}`
	up := badHTTP(t, true, func(w http.ResponseWriter, _ *http.Request, id string) {
		respond(w, 200, `{"jsonrpc":"2.0","id":`+id+`,"error":`+object+`}`)
	})
	s := newSet(t, nil, up)
	reply, err := s.Do(brief(t), modernAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask"}`), nil)
	if err != nil || reply.Error == nil || string(reply.Error.Raw) != object || !reply.Modern {
		t.Errorf("Do = %+v %v, want the object as it was", reply, err)
	}
}

// The body reaches the server as the agent wrote it but for what must differ.
func TestWhatNeedNotChangePassesByteForByte(t *testing.T) {
	seen := make(chan string, 10)
	headers := make(chan http.Header, 10)
	up := badHTTP(t, true, func(w http.ResponseWriter, r *http.Request, id string) {
		headers <- r.Header
		respond(w, 200, fine(id))
	})
	tee := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "tools/call") {
			seen <- string(body)
		}
		req, _ := http.NewRequestWithContext(r.Context(), r.Method, up.URL, strings.NewReader(string(body)))
		req.Header = r.Header.Clone()
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			w.WriteHeader(502)
			return
		}
		defer res.Body.Close()
		w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: tee, Headers: map[string]string{"authorization": "Bearer x"}})
	raw := `{ "arguments" : {"a":1.0,"b":12345678901234567890,"r":"\u00e9u"},"name":"public__ask","x-unknown":[ ],"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"vendor/k":1e2}}`
	p, err := mcpwire.ReadPayload([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	r := &upstream.Request{
		Upstream: "up", Method: mcpwire.MethodToolsCall, Payload: &p, Name: "ask é", Modern: true, Revision: mcpwire.V20260728, Agent: "a",
		Client:       durward.Client{Capabilities: []byte(`{"elicitation":{}}`)},
		ParamHeaders: []durward.ParamHeader{{Header: "Region", Path: []string{"r"}, Type: "string"}, {Header: "None", Path: []string{"none"}, Type: "string"}},
	}
	if _, err := s.Do(brief(t), r, nil); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(raw, `"public__ask"`, `"ask é"`, 1)
	if body := <-seen; !strings.HasSuffix(body, `"params":`+want+"}") {
		t.Errorf("body %s\nwant params %s", body, want)
	}
	h := <-headers
	for name, want := range map[string]string{
		"Mcp-Method": "tools/call", "Mcp-Name": mcpwire.EncodeHeader("ask é"), "Mcp-Protocol-Version": "2026-07-28",
		"Mcp-Param-Region": mcpwire.EncodeHeader("éu"), "Mcp-Param-None": "", "Authorization": "Bearer x",
		"Accept": "application/json, text/event-stream", "Content-Type": "application/json",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
