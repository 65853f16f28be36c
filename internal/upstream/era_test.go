package upstream_test

import (
	"durward"
	"durward/internal/mcpwire"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A server that is replaced by one of the other era while we run.
func TestAServerThatChangesItsEra(t *testing.T) {
	var now atomic.Pointer[http.Handler]
	swap := func(h http.Handler) { now.Store(&h) }
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*now.Load()).ServeHTTP(w, r) }))
	swap(http.NotFoundHandler())
	older := kit()
	defer forget(older)
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
	for i, h := range []http.Handler{onlyModern(kit()), streamable(older, false), onlyModern(kit())} {
		swap(h)
		until(t, s, "a call gets through", func() bool {
			reply, err := s.Do(brief(t), modernAgent.request(t, "up", mcpwire.MethodPromptsGet, `{"name":"hello"}`), nil)
			return err == nil && strings.Contains(string(reply.Result), "hi")
		})
		until(t, s, "the era shows", func() bool { return s.Status()[0].Era == []string{"modern", "legacy", "modern"}[i] })
	}
}

// onlyModern serves the kit to clients of 2026-07-28 and to no others.
func onlyModern(s *mcp.Server) http.Handler {
	h := streamable(s, true)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(mcpwire.HeaderVersion) != mcpwire.V20260728 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(mcpwire.AppendError(nil, nil, mcpwire.HeaderMismatch("no version")))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Whoever reads the lists finds out as well: a server of another era refuses
// them, which does not mean that there are none.
func TestListsOfAServerThatChangesItsEra(t *testing.T) {
	var now atomic.Pointer[http.Handler]
	older := kit()
	defer forget(older)
	eras := []struct {
		name    string
		handler http.Handler
	}{{"legacy", streamable(older, false)}, {"modern", onlyModern(kit())}, {"legacy", streamable(older, false)}}
	now.Store(&eras[0].handler)
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*now.Load()).ServeHTTP(w, r) }))
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
	for i, era := range eras {
		now.Store(&era.handler)
		l, err := s.Fresh(brief(t), "up")
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Tools) != 4 || len(l.Prompts) != 1 || l.Err != nil || s.Status()[0].Era != era.name {
			t.Fatalf("server %d: %d tools, %d prompts of a %s server, %v; want 4 and 1 of a %s one", i, len(l.Tools), len(l.Prompts), s.Status()[0].Era, l.Err, era.name)
		}
	}
}
