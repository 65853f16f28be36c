package hostile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"durward"
	"durward/internal/durwardtest"
)

// forgetful is a server of the stateful revisions whose sessions can be ended
// behind its clients' backs, as a restart does, or never be taken up.
type forgetful struct {
	server  *mcp.Server
	h       http.Handler
	made    atomic.Int32 // payments
	refuses atomic.Bool  // calls, with 404, whatever the session
}

func newForgetful(t *testing.T) (*forgetful, string) {
	f := &forgetful{server: mcp.NewServer(&mcp.Implementation{Name: "bank", Version: "1"}, nil)}
	yes := true
	mcp.AddTool(f.server, &mcp.Tool{Name: "pay", Annotations: &mcp.ToolAnnotations{DestructiveHint: &yes}},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf("paid %d", f.made.Add(1))}}}, nil, nil
		})
	f.h = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return f.server }, nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if f.refuses.Load() && bytes.Contains(body, []byte(`"tools/call"`)) {
			http.Error(w, "session not found", http.StatusNotFound)
			return
		}
		f.h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		f.forget()
		s.CloseClientConnections()
		s.Close()
	})
	return f, s.URL
}

func (f *forgetful) forget() {
	for s := range f.server.Sessions() {
		_ = s.Close()
	}
}

// A server that ended its session did not take up the call that hears of it: the
// call is made in a new session, and is one call in the record. Where that does
// not help, its caller hears that it was not made, and may make it again.
func TestACallInASessionThatIsNoMore(t *testing.T) {
	f, url := newForgetful(t)
	g := durwardtest.Serve(t, fmt.Sprintf("bank: {url: %q, era: legacy}", url), "")
	g.Offered(t)
	c := durwardtest.Caller{URL: g.Endpoint(), Key: durwardtest.Key}
	c.Call(t, "bank__pay", `{}`)

	f.forget()
	if text, bad := c.Call(t, "bank__pay", `{}`).Text(); bad || text != "paid 2" || f.made.Load() != 2 {
		t.Errorf("in a lost session = %q, made %d times in all; want paid 2", text, f.made.Load())
	}

	keyed, header := durwardtest.Modern("9", "tools/call", "bank__pay", `{"name":"bank__pay","arguments":{}}`)
	header["Idempotency-Key"] = "rent"
	f.refuses.Store(true)
	if a := c.Post(t, keyed, header); !strings.Contains(a.String(), "It was not made") {
		t.Errorf("in no session at all = %v, want to hear that it was not made", a)
	}
	f.refuses.Store(false)
	f.forget()
	if text, bad := c.Post(t, keyed, header).Text(); bad || text != "paid 3" {
		t.Errorf("the same call again = %q, want it to be made", text)
	}

	var outcomes []durward.Outcome
	for _, r := range g.Records(t) {
		if r.Tool == "pay" {
			outcomes = append(outcomes, r.Outcome)
		}
	}
	want := []durward.Outcome{durward.OutcomeOK, durward.OutcomeOK, durward.OutcomeError, durward.OutcomeOK}
	if fmt.Sprint(outcomes) != fmt.Sprint(want) {
		t.Errorf("the record has the outcomes %v, want %v", outcomes, want)
	}
}
