package soak

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"durward/internal/boot"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// kind is how a client speaks with the gateway.
type kind struct {
	over   string
	modern bool
}

var kinds = []kind{{"http", true}, {"http", false}, {"sse", false}, {"stdio", true}, {"stdio", false}}

func (k kind) String() string {
	if k.modern {
		return k.over + ", 2026-07-28"
	}
	return k.over + ", with a session"
}

// client is one that lives for a while.
type client struct {
	kind
	rand    *rand.Rand
	flaky   bool         // its connections break
	broken  atomic.Int32 // how many did
	known   int32        // how many of them before the present call
	gone    atomic.Bool  // it reaches nobody any more
	session *mcp.ClientSession
	web     *http.Transport
	pipes   sync.WaitGroup
	hangUp  func()
}

// connect makes the connection that the client's kind has.
func (c *client) connect(ctx context.Context, g *box) (err error) {
	m := mcp.NewClient(&mcp.Implementation{Name: "soak", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"username": "ada", "name": "ada", "confirmed": true}}, nil
		},
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "a poem"}}, nil
		},
		ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) {},
		ResourceUpdatedHandler:      func(context.Context, *mcp.ResourceUpdatedNotificationRequest) {},
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) {},
	})
	o := &mcp.ClientSessionOptions{}
	if !c.modern {
		o.ProtocolVersion = "2025-11-25"
	}
	c.session, err = m.Connect(ctx, c.transport(ctx, g), o)
	return err
}

func (c *client) transport(ctx context.Context, g *box) mcp.Transport {
	c.web = &http.Transport{DialContext: c.dial}
	web := &http.Client{Transport: c.web}
	switch c.over {
	case "sse":
		return &mcp.SSEClientTransport{Endpoint: g.DataURL() + "/sse", HTTPClient: web}
	case "stdio":
		return c.pipe(ctx, g)
	}
	return &mcp.StreamableClientTransport{Endpoint: g.DataURL() + "/mcp", HTTPClient: web}
}

// pipe is a connection over stdio, as a client's process has it.
func (c *client) pipe(ctx context.Context, g *box) mcp.Transport {
	fromClient, toGateway := io.Pipe()
	fromGateway, toClient := io.Pipe()
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.pipes.Go(func() {
		_ = g.ServeStdio(life, boot.StdioClient{Agent: "soak", In: fromClient, Out: toClient}) // its end is the client's
		_ = toClient.Close()
	})
	c.hangUp = func() {
		_ = toGateway.Close()
		gone := time.AfterFunc(10*time.Second, cancel) // it ends by itself
		c.pipes.Wait()
		gone.Stop()
		cancel()
	}
	return &mcp.IOTransport{Reader: fromGateway, Writer: toGateway}
}

// dial opens a connection, that of a flaky client for a while only.
func (c *client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if c.gone.Load() {
		return nil, net.ErrClosed
	}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil || !c.flaky {
		return conn, err
	}
	time.AfterFunc(20*time.Millisecond+rand.N(time.Second), func() {
		c.broken.Add(1)
		_ = conn.(*net.TCPConn).SetLinger(0) // as a network does that is gone: without a word
		_ = conn.Close()
	})
	return conn, nil
}

// leave ends what the client has, now and then without a word.
func (c *client) leave() {
	if c.session != nil {
		if c.over == "http" && c.rand.IntN(4) == 0 {
			c.gone.Store(true)
			c.web.CloseIdleConnections()
		}
		_ = c.session.Close() // what is left of it is gone by now
	}
	if c.hangUp != nil {
		c.hangUp()
	}
	c.web.CloseIdleConnections()
}
