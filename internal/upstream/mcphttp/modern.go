package mcphttp

import (
	"context"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"net/http"
)

// Modern speaks MCP 2026-07-28: every request stands alone, so there is
// nothing to open and nothing that can be lost.
type Modern struct {
	e     Endpoint
	event func(method string, params []byte)
	never chan struct{}
}

var _ link.Conn = (*Modern)(nil)

// NewModern returns the connection; nothing is sent yet. event takes the
// notifications that belong to no call, whichever they come with; it may be nil.
func NewModern(e Endpoint, event func(method string, params []byte)) *Modern {
	e = e.prepared()
	e.Header = e.header("Accept", acceptBoth, "Content-Type", mediaJSON, mcpwire.HeaderVersion, mcpwire.NewestModern)
	return &Modern{e: e, event: event, never: make(chan struct{})}
}

// Do posts a call. Ending ctx closes the stream, which is how the server is
// told (MCP 2026-07-28, cancellation over HTTP).
func (m *Modern) Do(ctx context.Context, c *link.Call) (link.Answer, error) {
	res, err := m.e.send(ctx, http.MethodPost, m.e.URL, m.headers(c), c.Pieces())
	if err != nil {
		return link.Answer{}, err
	}
	t := link.NewTurn(c, m.e.Limits, m.e.Counters, nil, m.event)
	defer t.End()
	return m.e.hear(ctx, res, c, t, &stream{})
}

// headers mirrors the body, as the specification demands: a server answers a
// mismatch with -32020.
func (m *Modern) headers(c *link.Call) http.Header {
	h := make(http.Header, len(m.e.Header)+3+len(c.Headers))
	for k, v := range m.e.Header {
		h[k] = v // shared: nobody writes into it
	}
	h[mcpwire.HeaderMethod] = []string{c.Method}
	if c.Name != "" {
		h[mcpwire.HeaderName] = []string{mcpwire.EncodeHeader(c.Name)}
	}
	if c.Via != "" {
		h[headerVia] = []string{c.Via}
	}
	for _, f := range c.Headers {
		h[http.CanonicalHeaderKey(f.Name)] = []string{f.Value}
	}
	return h
}

// Notify does nothing: the revision has no notifications from clients over HTTP.
func (m *Modern) Notify(context.Context, string, []byte) error { return nil }

// Done is never closed.
func (m *Modern) Done() <-chan struct{} { return m.never }

// Err is always nil.
func (m *Modern) Err() error { return nil }

// Close does nothing.
func (m *Modern) Close(context.Context) {}
