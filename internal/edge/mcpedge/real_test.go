package mcpedge_test

import (
	"context"
	"durward"
	"durward/internal/audit"
	"durward/internal/edge"
	"durward/internal/edge/mcpedge"
	"durward/internal/identity"
	"durward/internal/mcpwire"
	"durward/internal/pipeline"
	"durward/internal/session"
	"durward/internal/upstream"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

var _ mcpedge.Gateway = (*pipeline.Gateway)(nil)

// behind is one upstream that echoes.
type behind struct{}

func (behind) Apply([]durward.Upstream) {}

func (behind) Changed() <-chan struct{} { return nil }

func (behind) Watch(string, string, []string, func(durward.Event)) (func(), error) {
	return func() {}, nil
}

func (behind) Do(_ context.Context, r *upstream.Request, _ durward.Peer) (durward.Reply, error) {
	return durward.Reply{Result: []byte(`{"content":[{"type":"text","text":"` + r.Name + `"}]}`)}, nil
}

func (behind) Listings() []*upstream.Listing {
	schema := `{"type":"object","properties":{"text":{"type":"string"},"region":{"type":"string","x-mcp-header":"Region"}},"required":["text"]}`
	return []*upstream.Listing{{
		Upstream: "crm", Tried: time.Now(), Fetched: time.Now(), Capabilities: []byte(`{"tools":{}}`),
		Tools: [][]byte{[]byte(`{"name":"get","inputSchema":` + schema + `}`), []byte(`{"name":"delete","inputSchema":` + schema + `}`)},
	}}
}

// ledger keeps records in memory.
type ledger struct {
	mu      sync.Mutex
	records []durward.Record
}

func (l *ledger) Ready() error { return nil }

func (l *ledger) Append(_ context.Context, r *durward.Record, _ audit.Mode) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, *r)
	return nil
}

func (l *ledger) take() []durward.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.records
	l.records = nil
	return r
}

// openReal puts the pipeline behind the edge. The agent alice may call
// everything but what deletes.
func openReal(t *testing.T) (*house, *ledger) {
	t.Helper()
	l := &ledger{}
	pepper := []byte("0123456789abcdef0123456789abcdef")
	gw, err := pipeline.New(pipeline.Options{
		Log: slog.New(slog.DiscardHandler), Pepper: pepper, Upstreams: behind{}, Records: l,
		Sessions: session.NewTable(session.Options{}), Server: []byte(`{"name":"durward","version":"0"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = gw.Load(&durward.Snapshot{
		Revision: 1, Record: "full",
		Agents:    []durward.Agent{{Name: "alice", Roles: []string{"r"}}, {Name: "bob"}, {Name: "lax", Roles: []string{"r"}, Compat: durward.Tolerant}},
		Keys:      []durward.Key{{ID: "k1", Agent: "alice", Hash: identity.Hash(pepper, keyOf("alice"))}, {ID: "k2", Agent: "bob", Hash: identity.Hash(pepper, keyOf("bob"))}, {ID: "k3", Agent: "lax", Hash: identity.Hash(pepper, keyOf("lax"))}},
		Roles:     []durward.Role{{Name: "r", Allow: []string{"*"}, Deny: []string{"crm__delete"}}},
		Upstreams: []durward.Upstream{{Name: "crm", URL: "http://localhost:1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{client: &http.Client{Transport: &http.Transport{}}}
	h.face = mcpedge.New(gw, mcpedge.Options{})
	gw.OnSessionClosed(h.face.Forget)
	h.server = edge.New(edge.Options{}, h.face)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(listener) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		if err := h.server.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return h, l
}

// TestBadInput shows for each wrong request what its caller hears, what the
// record says, and that the next call goes on.
func TestBadInput(t *testing.T) {
	h, records := openReal(t)
	s := h.session(t, "2025-11-25")
	good := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm__get","arguments":{"text":"x"}}}`
	body, hs := modern("1", "tools/call", `"name":"crm__get","arguments":{"text":"x","region":"eu"}`)
	for _, c := range []struct {
		name    string
		body    string
		headers header
		status  int
		heard   string
		reason  durward.Reason
		asked   string
	}{
		{"no key", good, header{s, "Authorization:"}, 401, `"reason":"credential_missing"`, durward.ReasonCredentialMissing, "crm__get"},
		{"a wrong key", good, header{s, "Authorization:", "Authorization: Bearer nobody-0123456789012345"}, 401, `"code":401`, durward.ReasonKeyUnknown, "crm__get"},
		{"two keys", good, header{s, "X-API-Key: another"}, 400, "credential_conflict", durward.ReasonCredentialConflict, ""},
		{"a foreign page", good, header{s, "Origin: https://evil.example"}, 403, "Origin", durward.ReasonRequestInvalid, ""},
		{"an unknown tool", strings.Replace(good, "crm__get", "crm__none", 1), header{s}, 200, "Unknown tool: crm__none", durward.ReasonOperationUnknown, "crm__none"},
		{"a hidden tool", strings.Replace(good, "crm__get", "crm__delete", 1), header{s}, 200, "Unknown tool: crm__delete", durward.ReasonRuleDenies, "crm__delete"},
		{"arguments of the wrong type", strings.Replace(good, `"x"`, `1`, 1), header{s}, 200, `"isError":true`, durward.ReasonArgumentsInvalid, "crm__get"},
		{"half a JSON", good[:len(good)-9], header{s}, 400, "-32700", durward.ReasonRequestInvalid, ""},
		{"a batch", "[" + good + "]", header{s}, 400, "-32600", durward.ReasonRequestInvalid, ""},
		{"a body over the limit", strings.Repeat(" ", 5<<20) + good, header{s}, 413, `larger than the 4194304 bytes that are allowed.","data":{"reason":"body_too_large"}`, durward.ReasonBodyTooLarge, ""},
		{"a dead session", good, header{"Mcp-Session-Id: none"}, 404, `"code":404`, durward.ReasonSessionUnknown, "crm__get"},
		{"a foreign session", good, header{s, "Authorization:", "Authorization: Bearer " + keyOf("bob")}, 404, `"code":404`, durward.ReasonSessionUnknown, "crm__get"},
		{"a header that disagrees", body, append(header{"Mcp-Param-Region: us"}, hs...), 400, "-32020", durward.ReasonRequestInvalid, "crm__get"},
		{"a header that is missing", body, hs, 400, "-32020", durward.ReasonRequestInvalid, "crm__get"},
		{"a name that disagrees", body, header{hs[0], hs[1], "Mcp-Name: crm__none"}, 400, "-32020", durward.ReasonRequestInvalid, "crm__get"},
		{"no endpoint", good, header{"ENDPOINT"}, 404, `"reason":"endpoint_unknown"`, durward.ReasonEndpointUnknown, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			records.take()
			path := "/mcp"
			if c.headers[0] == "ENDPOINT" {
				path, c.headers, c.body = "/mcp/nowhere", nil, strings.Replace(initialize, "REVISION", "2025-11-25", 1)
			}
			r := h.do(t, "POST", path, c.body, c.headers...)
			if r.StatusCode != c.status || !strings.Contains(r.body, c.heard) {
				t.Errorf("caller hears %d %s, want %d %s", r.StatusCode, r.body, c.status, c.heard)
			}
			kept := records.take()
			if len(kept) != 1 || kept[0].Reason != c.reason || kept[0].Outcome != durward.OutcomeRefused || kept[0].Verdict != "deny" || kept[0].Asked != c.asked {
				t.Errorf("record = %+v, want one with reason %s of %q", kept, c.reason, c.asked)
			}
			if r := h.post(t, good, s); r.StatusCode != 200 || !strings.Contains(r.body, `"text":"get"`) {
				t.Errorf("next call = %d %s", r.StatusCode, r.body)
			}
			if kept := records.take(); len(kept) != 1 || kept[0].Outcome != durward.OutcomeOK || kept[0].Agent != "alice" {
				t.Errorf("record of the next call = %+v", kept)
			}
		})
	}
	if r := h.post(t, body, append(header{"Mcp-Param-Region: eu"}, hs...)...); r.StatusCode != 200 || !strings.Contains(r.body, `"resultType":"complete"`) {
		t.Errorf("a header that agrees = %d %s", r.StatusCode, r.body)
	}
}

// A length that lies is told apart from a call, and ends its own connection only.
func TestLyingContentLength(t *testing.T) {
	h, records := openReal(t)
	s := h.session(t, "2025-11-25")
	good := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm__get","arguments":{"text":"x"}}}`
	records.take()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+keyOf("alice")+"\r\n"+s+"\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n"+good)
	b, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 400") || strings.Contains(string(b), `"text":"get"`) {
		t.Errorf("= %q, %v, want 400 and the end", b, err)
	}
	if kept := records.take(); len(kept) != 1 || kept[0].Outcome != durward.OutcomeRefused {
		t.Errorf("records = %+v, want one refusal", kept)
	}
	if r := h.post(t, good, s); r.StatusCode != 200 {
		t.Errorf("next call = %d %s", r.StatusCode, r.body)
	}
}

// Lists and greetings of the real gateway are what the revisions want.
func TestRealLists(t *testing.T) {
	h, _ := openReal(t)
	s := h.session(t, "2025-06-18")
	r := h.post(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, s)
	result, _ := mcpwire.Field([]byte(r.body), "result")
	if _, ok := mcpwire.Field(result, "resultType"); ok || !strings.Contains(r.body, `"crm__get"`) || strings.Contains(r.body, "delete") {
		t.Errorf("tools/list = %s", r.body)
	}
	body, hs := modern("1", "tools/list", "")
	if r := h.post(t, body, hs...); !strings.Contains(r.body, `"resultType":"complete"`) || !strings.Contains(r.body, `"ttlMs"`) {
		t.Errorf("modern tools/list = %s", r.body)
	}
}
