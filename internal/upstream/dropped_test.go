package upstream_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"durward"
)

// A server that lets its streams go is there for the next call: one agent
// could otherwise take it from all, with a call that makes it do so.
func TestAServerThatDropsItsStreamIsThereAtOnce(t *testing.T) {
	server := kit()
	srv := httptest.NewServer(mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: srv.URL})
	call(t, s, modernAgent, "echo", `{"text":"x"}`)
	for range 3 {
		until(t, s, "its lists are read", func() bool {
			l := s.Listings()[0]
			return s.Status()[0].State == "ready" && l.Err == nil && len(l.Tools) == 4
		})
		srv.CloseClientConnections()
		began := time.Now()
		for { // the first may still go out on what was dropped
			reply, err := s.Do(brief(t), modernAgent.request(t, "up", "tools/call", `{"name":"echo","arguments":{"text":"x"}}`), &peer{})
			if err == nil && reply.Error == nil {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("not there after a minute: %v %v", reply.Error, err)
			}
			if strings.Contains(fmt.Sprint(err), "ended soon after") {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
