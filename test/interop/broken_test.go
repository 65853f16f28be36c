package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
)

// TestBrokenStreams: clients whose SDK comes back to a broken stream get the
// answer to their one call.
func TestBrokenStreams(t *testing.T) {
	durwardtest.NewPeers(t)
	addr := durwardtest.StartHTTP(t, durwardtest.StartOptions{}, durwardtest.Build(t, durwardtest.EverythingServer), "-http", "{ADDR}", "-stateless=false")
	g := durwardtest.Serve(t, fmt.Sprintf("old: {url: 'http://%s/', era: legacy, prefix: none}", addr), agents())
	g.Offered(t)
	for _, k := range kinds {
		if k.modern || k.transport != "http" || k.name == "mcp-go" { // which does not come back
			continue
		}
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			cut := newCutter(t, g.URL)
			p := k.connect(t, target{url: cut.url + "/mcp/old", key: k.key()}, k)
			defer func() { _ = p.Close() }()
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			a, err := p.Call(ctx, "test_tool_with_progress", map[string]any{})
			if err != nil || a.IsError || a.Text == "" {
				t.Errorf("the call whose stream broke = %+v, %v", a, err)
			}
			if cut.cuts.Load() == 0 {
				t.Error("no stream was broken")
			}
			mine := func(r durward.Record) bool { return r.Agent == k.agent() && r.Method == "tools/call" }
			g.Record(t, "the call", mine)
			calls := 0
			for _, r := range g.Records(t) {
				if mine(r) {
					calls++
				}
			}
			if calls != 1 {
				t.Errorf("%d calls are recorded, want 1", calls)
			}
			before := cut.gets.Load()
			time.Sleep(3 * time.Second)
			if n := cut.gets.Load() - before; n > 1 { // one may listen
				t.Errorf("the client came back %d times although nothing was left to hear", n)
			}
		})
	}
}

// cutter is a hop that breaks the first stream of each call behind the first
// report of progress.
type cutter struct {
	url        string
	cuts, gets atomic.Int64
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = u.Host },
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
				r.Body = &cutBody{ReadCloser: r.Body, cutter: c}
			}
			return nil
		},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			c.gets.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	c.url = srv.URL
	return c
}

// cutBody ends in the middle.
type cutBody struct {
	io.ReadCloser
	cutter *cutter
	seen   []byte
}

func (b *cutBody) Read(p []byte) (int, error) {
	if bytes.Contains(b.seen, []byte("notifications/progress")) && bytes.HasSuffix(b.seen, []byte("\n\n")) {
		b.cutter.cuts.Add(1)
		return 0, errors.New("the line broke")
	}
	n, err := b.ReadCloser.Read(p)
	b.seen = append(b.seen, p[:n]...)
	return n, err
}
