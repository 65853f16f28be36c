package httpwire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ClientOptions are the limits of a [Client]. The zero value is the default of each.
type ClientOptions struct {
	// MaxIdlePerHost is how many idle connections are kept for one host: 256.
	// Fewer than the calls in flight means a new connection for every other call.
	MaxIdlePerHost int
	// MaxIdle is how many idle connections are kept for all hosts: 4096.
	MaxIdle int
	// DialTimeout bounds the TCP connect and, once more, the TLS handshake: 10 s.
	DialTimeout time.Duration
	// HeaderTimeout bounds the wait for the head of a response: 10 minutes. A
	// server may well send its head only when a long call is done, so the
	// context of each call is the tighter bound.
	HeaderTimeout time.Duration
	// IdleTimeout is when an unused connection is closed: 90 s.
	IdleTimeout time.Duration
	// MaxHeaderBytes bounds the head of a response: 64 KiB.
	MaxHeaderBytes int64
	// Proxy is the proxy for every request; nil for none. The environment is never asked.
	Proxy *url.URL
	// TLS is the base of the TLS configuration; nil for the defaults.
	TLS *tls.Config
}

// Client sends requests and keeps connections. It is safe for concurrent use.
type Client struct {
	transport *http.Transport // TLS, proxies
	plain     *plain          // everything else; nil with a proxy
	keys      *keys
}

// Request is one request. Its parts are not changed and must not be changed by
// others until the response's body is closed: the body may be read, for a
// retry on a fresh connection, after Do has returned.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Header
	// Body is sent piece by piece, as one body: who has a large part of it in
	// memory need not copy it to put something around it. Nil for none.
	Body [][]byte
}

// Bytes is a body of one piece.
func Bytes(b []byte) [][]byte {
	if b == nil {
		return nil
	}
	return [][]byte{b}
}

// size is the length of a body.
func size(body [][]byte) (n int) {
	for _, piece := range body {
		n += len(piece)
	}
	return n
}

// Response is the head of an answer and a body to read and close.
type Response struct {
	Status        int
	Header        http.Header
	Body          io.ReadCloser
	ContentLength int64 // -1 when unknown

	settled bool // the request was written, and nothing refers to it any more
}

// NewClient returns a client with its own connections.
func NewClient(o ClientOptions) *Client {
	dialer := &net.Dialer{Timeout: or(o.DialTimeout, 10*time.Second), KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return newLastWords(c), nil
		},
		TLSHandshakeTimeout:    or(o.DialTimeout, 10*time.Second),
		TLSClientConfig:        o.TLS.Clone(),
		ForceAttemptHTTP2:      true, // over TLS only
		MaxIdleConns:           or(o.MaxIdle, 4096),
		MaxIdleConnsPerHost:    or(o.MaxIdlePerHost, 256),
		IdleConnTimeout:        or(o.IdleTimeout, 90*time.Second),
		ResponseHeaderTimeout:  or(o.HeaderTimeout, 10*time.Minute),
		MaxResponseHeaderBytes: or(o.MaxHeaderBytes, 64<<10),
		ExpectContinueTimeout:  time.Second,
		WriteBufferSize:        8 << 10,
		// What the server encodes is not ours to decode: a body that grows
		// while it is read defeats every limit on bytes.
		DisableCompression: true,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	if o.Proxy != nil {
		t.Proxy = http.ProxyURL(o.Proxy)
		return &Client{transport: t, keys: &keys{}}
	}
	return &Client{transport: t, plain: newPlain(o), keys: &keys{}}
}

// Do sends a request and returns the head of the response. Redirects are not
// followed: they come back as they are, so that credentials never travel to
// where a server points. Cancelling ctx abandons the exchange, also while the
// body is read.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	if r.URL == nil || r.URL.Host == "" {
		return nil, errors.New("request without a host")
	}
	if c.plain != nil && r.URL.Scheme == "http" {
		return c.plain.do(ctx, r)
	}
	req := http.Request{
		Method: r.Method, URL: r.URL, Header: r.Header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if size(r.Body) > 0 {
		// A *bytes.Reader is what makes the transport send head and body in one write.
		body := r.Body[0]
		if len(r.Body) > 1 {
			body = bytes.Join(r.Body, nil)
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	res, err := c.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	c.keys.note(r.URL.Hostname(), res.TLS)
	return &Response{Status: res.StatusCode, Header: res.Header, Body: res.Body, ContentLength: res.ContentLength}, nil
}

// Close closes the idle connections; those in use close when their bodies are done.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	if c.plain != nil {
		c.plain.close()
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
