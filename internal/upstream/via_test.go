package upstream_test

import (
	"durward"
	"durward/internal/upstream"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// chains keeps the Durward-Via headers that come.
type chains struct {
	mu  sync.Mutex
	all []string
}

func (c *chains) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.all = append(c.all, r.Header.Get("Durward-Via"))
		c.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

func TestServersAreToldOfTheGatewaysBefore(t *testing.T) {
	s := kit()
	for kind, h := range map[string]http.Handler{
		"modern": streamable(s, true),
		"legacy": streamable(s, false),
		"sse":    mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, nil),
	} {
		t.Run(kind, func(t *testing.T) {
			t.Cleanup(func() { forget(s) })
			var seen chains
			set := newSet(t, func(o *upstream.Options) { o.Instance = "ME" }, durward.Upstream{Name: "up", URL: serveHTTP(t, seen.before(h))})
			r := modernAgent.request(t, "up", "tools/call", `{"name":"echo","arguments":{"text":"x"}}`)
			r.Via = "A, B"
			if reply, err := set.Do(brief(t), r, &peer{}); err != nil || reply.Error != nil {
				t.Fatalf("Do = %v %v", reply.Error, err)
			}
			seen.mu.Lock()
			defer seen.mu.Unlock()
			if slices.Contains(seen.all, "") {
				t.Errorf("a request named no gateway: %q", seen.all)
			}
			if kind != "sse" && !slices.Contains(seen.all, "A, B, ME") { // on a shared stream nobody stands for one call
				t.Errorf("Durward-Via = %q, want A, B, ME once", seen.all)
			}
		})
	}
}
