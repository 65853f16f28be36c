package mcpedge_test

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/edge/mcpedge"
	"durward/internal/mcpwire"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// strict is a trivial gateway that looks at what reaches it.
type strict struct {
	trivial
	t *testing.T
}

func (g *strict) Serve(ctx context.Context, c *durward.Call, p durward.Peer) (durward.Reply, error) {
	raw := c.Input.Raw
	if raw != nil && (!json.Valid(raw) || raw[0] != '{') {
		g.t.Errorf("params reached the gateway: %q", raw)
	}
	// What a reader with another notion of JSON makes of the name must be what we decide on.
	var loose struct{ Name, URI string }
	if json.Unmarshal(raw, &loose) == nil && !c.Input.Ref.Present() && c.Asked != loose.Name && c.Asked != loose.URI {
		g.t.Errorf("decided on %q, but another parser reads %q or %q in %s", c.Asked, loose.Name, loose.URI, raw)
	}
	if c.Agent == nil || c.Method == "" || (!c.Wire.Modern && c.Session == nil) {
		g.t.Errorf("call without who and what: %+v", c)
	}
	return g.trivial.Serve(ctx, c, p)
}

func (g *strict) List(context.Context, *durward.Call) (durward.Reply, error) {
	return durward.Reply{Result: []byte(`{"tools":[]}`)}, nil
}

func (g *strict) Describe(context.Context, *durward.Call) (durward.Description, error) {
	return durward.Description{}, nil
}

func (g *strict) OpenSession(context.Context, *durward.Call, durward.Session) (*durward.Session, error) {
	return &durward.Session{ID: "s"}, nil
}

func (g *strict) Watch(context.Context, *durward.Call, durward.Topics) (durward.Watch, error) {
	w := &stageWatch{events: make(chan durward.Event)}
	w.Close() // nothing is told, so that listening ends
	return w, nil
}

func FuzzPost(f *testing.F) {
	for _, c := range benchmarks()[:2] {
		f.Add([]byte(c.body), strings.Join(c.header, "\n"))
	}
	for _, m := range []string{"tools/list", "server/discover", "subscriptions/listen", "initialize", "ping", "completion/complete"} {
		body, hs := modern(`"a"`, m, `"notifications":{"toolsListChanged":true},"ref":{"type":"ref/prompt","name":"x"}`)
		f.Add([]byte(body), strings.Join(hs, "\n"))
		f.Add([]byte(body), "Mcp-Session-Id: s")
	}
	f.Add([]byte(strings.Replace(initialize, "REVISION", "2025-06-18", 1)), "")
	f.Add([]byte(`[`+call("1", "x")+`,{"jsonrpc":"2.0","id":"durward-1","result":{}},{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}]`), "Mcp-Session-Id: s\nMCP-Protocol-Version: 2025-03-26")
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}`), "Mcp-Session-Id: s")
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","NAME":"b"}}`), "Mcp-Session-Id: s")
	f.Fuzz(func(t *testing.T, body []byte, headers string) {
		gw := &strict{trivial: *newTrivial(1), t: t}
		gw.session.Revision = mcpwire.V20250326
		h := edge.New(edge.Options{}, mcpedge.New(gw, mcpedge.Options{})).Handler()
		r := httptest.NewRequest(http.MethodPost, "/mcp", bytes.NewReader(body))
		for line := range strings.Lines(headers) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				r.Header.Add(name, strings.TrimSpace(value))
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("answer is no JSON: %s", w.Body)
		}
		if w.Code == 200 && w.Body.Len() == 0 {
			t.Error("nothing was answered")
		}
	})
}
