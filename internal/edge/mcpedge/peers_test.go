package mcpedge_test

import (
	"context"
	"durward/internal/durwardtest"
	"durward/internal/edge/mcpedge"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	mcpgo "github.com/mark3labs/mcp-go/mcp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// keyed adds alice's key to each request.
type keyed struct{ http.RoundTripper }

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	asAlice.set(r)
	return k.RoundTripper.RoundTrip(r)
}

// The official SDK, over each transport and in both eras; every message is
// held against the schema of its revision.
func TestGoSDK(t *testing.T) {
	for name, revision := range map[string]string{"modern": "2026-07-28", "2025-11-25": "2025-11-25", "2025-06-18": "2025-06-18", "sse": "2025-11-25", "stdio": "2025-11-25"} {
		t.Run(name, func(t *testing.T) {
			h := open(t, mcpedge.Options{})
			var over mcp.Transport
			web := &http.Client{Transport: keyed{h.client.Transport}}
			switch name {
			case "sse":
				over = &mcp.SSEClientTransport{Endpoint: h.url + "/sse", HTTPClient: web}
			case "stdio":
				over = stdioTo(t, h)
			default:
				url := durwardtest.NewWire(t).HTTP(t, "go-sdk", h.url) + "/mcp"
				over = &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: web, DisableStandaloneSSE: false}
			}
			useGoSDK(t, h, over, revision)
		})
	}
}

func stdioTo(t *testing.T, h *house) mcp.Transport {
	r, toUs := io.Pipe()
	fromUs, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- h.face.ServeStdio(context.Background(), r, w, mcpedge.Local{Agent: "alice"})
		w.Close()
	}()
	t.Cleanup(func() {
		if err := <-done; err != nil && !strings.Contains(err.Error(), "closed pipe") {
			t.Errorf("ServeStdio: %v", err)
		}
	})
	return &mcp.IOTransport{Reader: fromUs, Writer: toUs}
}

func useGoSDK(t *testing.T, h *house, over mcp.Transport, revision string) {
	ctx := t.Context()
	changed, progress := make(chan struct{}, 9), atomic.Int32{}
	c := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) { progress.Add(1) },
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
	})
	o := &mcp.ClientSessionOptions{}
	if revision < "2026" {
		o.ProtocolVersion = revision
	}
	s, err := c.Connect(ctx, over, o)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	if got := s.InitializeResult().ProtocolVersion; got != revision {
		t.Errorf("revision = %s, want %s", got, revision)
	}
	if tools, err := s.ListTools(ctx, nil); err != nil || len(tools.Tools) != 3 {
		t.Errorf("ListTools = %+v, %v", tools, err)
	}
	params := &mcp.CallToolParams{Name: "progress", Meta: mcp.Meta{}}
	params.SetProgressToken("p1")
	if _, err := s.CallTool(ctx, params); err != nil {
		t.Errorf("CallTool: %v", err)
	}
	soon(t, "progress", func() bool { return progress.Load() == 3 })
	if _, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "none"}); err == nil || !strings.Contains(err.Error(), "Unknown tool: none") {
		t.Errorf("an unknown tool = %v", err)
	}
	if revision < "2026" {
		r, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "ask"})
		if err != nil || !strings.Contains(r.Content[0].(*mcp.TextContent).Text, "decline") {
			t.Errorf("ask = %+v, %v", r, err)
		}
		soon(t, "the watch", func() bool { return h.watching() > 0 })
		h.emit(toolsChanged)
		within(t, changed, "the change of the list")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// mcp-go reads the specification on its own.
func TestMCPGo(t *testing.T) {
	h := open(t, mcpedge.Options{})
	web := &http.Client{Transport: keyed{h.client.Transport}}
	c, err := client.NewStreamableHttpClient(durwardtest.NewWire(t).HTTP(t, "mcp-go", h.url)+"/mcp", transport.WithHTTPBasicClient(web))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := c.Start(ctx); err != nil {
		t.Fatalf("Start: %v", err)
	}
	request := mcpgo.InitializeRequest{}
	request.Params.ProtocolVersion = "2025-11-25"
	request.Params.ClientInfo = mcpgo.Implementation{Name: "mcp-go", Version: "1"}
	if _, err := c.Initialize(ctx, request); err != nil {
		t.Fatalf("Initialize: %v", err)
	}
	if tools, err := c.ListTools(ctx, mcpgo.ListToolsRequest{}); err != nil || len(tools.Tools) != 3 {
		t.Errorf("ListTools = %+v, %v", tools, err)
	}
	call := mcpgo.CallToolRequest{}
	call.Params.Name = "echo"
	if r, err := c.CallTool(ctx, call); err != nil || r.IsError {
		t.Errorf("CallTool = %+v, %v", r, err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
