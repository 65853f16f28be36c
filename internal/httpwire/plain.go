package httpwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// plain speaks HTTP/1.1 without TLS over connections of its own. One goroutine
// writes the request and reads the response, where the standard transport
// hands both to others: on a hop between machines of one network that is a
// third of its cost (ADR 0006). Responses are parsed by net/http, but for those
// that leave nothing to interpret (simple.go).
type plain struct {
	dialer        net.Dialer
	headerTimeout time.Duration
	idleTimeout   time.Duration
	maxHeader     int64
	perHost       int
	total         int

	mu   sync.Mutex // guards idle and kept
	idle map[string][]*plainConn
	kept int
}

// plainConn is a connection, used by one exchange at a time.
type plainConn struct {
	net.Conn
	host   string
	head   limitedReader // bounds what a response's head may take
	in     *bufio.Reader
	out    []byte // of the last request's head
	since  time.Time
	reused bool
}

// limitedReader fails when more than left bytes are read; negative is no limit.
type limitedReader struct {
	io.Reader
	left int64
}

var errHeadTooLarge = errors.New("the head of the response is over the limit")

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errHeadTooLarge
	}
	if l.left > 0 && int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.Reader.Read(p)
	if l.left > 0 {
		l.left -= int64(n)
	}
	return n, err
}

const (
	plainBuffer = 4 << 10  // of a connection, for reading
	joinedBody  = 32 << 10 // up to this a body is written together with its head, in one copy
	maxInterim  = 5        // 1xx responses before the real one
)

func newPlain(o ClientOptions) *plain {
	return &plain{
		dialer:        net.Dialer{Timeout: or(o.DialTimeout, 10*time.Second), KeepAlive: 30 * time.Second},
		headerTimeout: or(o.HeaderTimeout, 10*time.Minute),
		idleTimeout:   or(o.IdleTimeout, 90*time.Second),
		maxHeader:     or(o.MaxHeaderBytes, 64<<10),
		perHost:       or(o.MaxIdlePerHost, 256),
		total:         or(o.MaxIdle, 4096),
		idle:          make(map[string][]*plainConn),
	}
}

// do sends a request and reads the head of its response. A kept connection
// that turned out to be closed before anything of the request was sent is
// replaced; after that nothing is ever sent twice.
func (p *plain) do(ctx context.Context, r *Request) (*Response, error) {
	host, err := hostPort(r.URL)
	if err != nil {
		return nil, err
	}
	for {
		conn, err := p.get(ctx, host)
		if err != nil {
			return nil, err
		}
		res, unsent, err := p.exchange(ctx, conn, r)
		if err == nil {
			return res, nil
		}
		_ = conn.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !unsent {
			return nil, err
		}
	}
}

// exchange runs one request over a connection. unsent tells that an error came
// before a byte of the request had left on one that was kept.
func (p *plain) exchange(ctx context.Context, conn *plainConn, r *Request) (res *Response, unsent bool, err error) {
	if err := conn.compose(r); err != nil {
		return nil, false, err
	}
	// Cancelling closes the connection, which ends whatever waits on it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	sent, err := conn.send(r.Body)
	if err != nil && sent == 0 && conn.reused {
		stop()
		return nil, true, err
	}
	// A server may answer, and close, before it has read all of a request: its
	// answer says more than our write error.
	head, headErr := p.readHead(ctx, conn)
	if headErr != nil {
		stop()
		return nil, false, errors.Join(headErr, err)
	}
	body := &plainBody{of: head.body, conn: conn, pool: p, stop: stop, keep: err == nil && !head.close, large: size(r.Body) > joinedBody}
	if head.length == 0 {
		body.end()
	}
	return &Response{Status: head.status, Header: head.header, Body: body, ContentLength: head.length, settled: err == nil}, false, nil
}

// compose writes the head of a request into the connection's buffer. What a
// header must not hold is refused: it would become another header.
func (c *plainConn) compose(r *Request) error {
	out := append(c.out[:0], r.Method...)
	out = append(append(append(out, ' '), r.URL.RequestURI()...), " HTTP/1.1\r\nHost: "...)
	out = append(append(out, r.URL.Host...), "\r\n"...)
	for name, values := range r.Header {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") || !isToken(name) {
				return fmt.Errorf("the header %q cannot be sent: it has a line break, or its name is none", name)
			}
			out = append(append(append(append(out, name...), ": "...), v...), "\r\n"...)
		}
	}
	if r.Body != nil || r.Method == http.MethodPost {
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), int64(size(r.Body)), 10), "\r\n"...)
	}
	c.out = append(out, "\r\n"...)
	return nil
}

func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// send writes the head and the body, together.
func (c *plainConn) send(body [][]byte) (sent int64, err error) {
	if size(body) <= joinedBody {
		for _, piece := range body {
			c.out = append(c.out, piece...)
		}
		n, err := c.Write(c.out)
		return int64(n), err
	}
	return c.sendLarge(append(net.Buffers{c.out}, body...))
}

// stuckTime is after which a server that takes nothing is looked at.
const stuckTime = 250 * time.Millisecond

// sendLarge gives up on a server that does not read on, once it has answered.
func (c *plainConn) sendLarge(pieces net.Buffers) (sent int64, err error) {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(stuckTime)); err != nil {
			return sent, err
		}
		n, err := pieces.WriteTo(c.Conn) // what was written is no longer in it
		if sent += n; errors.Is(err, os.ErrDeadlineExceeded) && !spoke(c.Conn) {
			continue
		}
		return sent, errors.Join(err, c.SetWriteDeadline(time.Time{}))
	}
}

// head is what comes before the body of a response.
type head struct {
	status int
	header http.Header
	length int64 // -1 when it is not announced
	close  bool  // the connection ends with this response
	body   io.Reader
}

// readHead reads the head of a response, within the time and the size for it.
func (p *plain) readHead(ctx context.Context, conn *plainConn) (head, error) {
	limit := time.Now().Add(p.headerTimeout)
	if until, ok := ctx.Deadline(); !ok || until.After(limit) { // else the context is the tighter bound
		if err := conn.SetReadDeadline(limit); err != nil {
			return head{}, err
		}
		defer func() { _ = conn.SetReadDeadline(time.Time{}) }() // a connection where this fails fails to be read
	}
	conn.head.left = p.maxHeader
	defer func() { conn.head.left = -1 }()
	if _, err := conn.in.Peek(1); err != nil {
		return head{}, headError(err)
	}
	if h, ok := conn.simpleHead(); ok {
		return h, nil
	}
	for range maxInterim {
		res, err := http.ReadResponse(conn.in, nil)
		if err != nil {
			return head{}, headError(err)
		}
		if res.StatusCode >= http.StatusOK {
			return head{status: res.StatusCode, header: res.Header, length: res.ContentLength, close: res.Close, body: res.Body}, nil
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			return head{}, errors.New("the server switched protocols, which was not asked for")
		}
	}
	return head{}, errors.New("the server keeps sending interim responses")
}

func headError(err error) error {
	var malformed textproto.ProtocolError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server closed the connection without an answer")
	case errors.As(err, &malformed):
		return fmt.Errorf("the server does not answer in HTTP: %w", err)
	}
	return err
}

// get takes a kept connection that is still good, or dials.
func (p *plain) get(ctx context.Context, host string) (*plainConn, error) {
	for {
		conn := p.take(host)
		if conn == nil {
			break
		}
		if time.Since(conn.since) < p.idleTimeout && conn.in.Buffered() == 0 && quiet(conn.Conn) {
			conn.reused = true
			return conn, nil
		}
		_ = conn.Close()
	}
	c, err := p.dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	conn := &plainConn{Conn: c, host: host}
	conn.head = limitedReader{Reader: c, left: -1}
	conn.in = bufio.NewReaderSize(&conn.head, plainBuffer)
	return conn, nil
}

// take removes the connection that was used last: the others may then grow
// old enough to be closed.
func (p *plain) take(host string) *plainConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.idle[host]
	if len(all) == 0 {
		return nil
	}
	conn := all[len(all)-1]
	all[len(all)-1] = nil
	p.idle[host] = all[:len(all)-1]
	p.kept--
	return conn
}

// put keeps a connection, unless there are enough; old ones make room.
func (p *plain) put(conn *plainConn) {
	conn.since = time.Now()
	if cap(conn.out) > joinedBody {
		conn.out = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.idle[conn.host]
	for len(all) > 0 && conn.since.Sub(all[0].since) > p.idleTimeout {
		_ = all[0].Close()
		all = all[1:]
		p.kept--
	}
	if len(all) >= p.perHost || p.kept >= p.total {
		_ = conn.Close()
	} else {
		all = append(all, conn)
		p.kept++
	}
	p.idle[conn.host] = all
}

// close closes what is kept.
func (p *plain) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.idle {
		for _, conn := range all {
			_ = conn.Close()
		}
	}
	clear(p.idle)
	p.kept = 0
}

// plainBody gives the connection back when the body was read to its end, and
// closes it otherwise.
type plainBody struct {
	of   io.Reader
	conn *plainConn
	pool *plain
	stop func() bool
	keep bool
	done bool

	large bool // the request was
}

// Read implements io.Reader.
func (b *plainBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.of.Read(p)
	switch {
	case err == io.EOF:
		b.end()
	case err != nil:
		b.keep = false
		b.end()
	}
	return n, err
}

// Close implements io.Closer.
func (b *plainBody) Close() error {
	if !b.done {
		b.keep = false // what is left would have to be read first
		b.end()
	}
	return nil
}

func (b *plainBody) end() {
	b.done = true
	// What is not taken of a large request by now would be before the next one.
	keep := b.keep && !(b.large && stuck(b.conn.Conn))
	if b.stop() && keep { // false: the call was cancelled, which closes the connection
		b.pool.put(b.conn)
		return
	}
	_ = b.conn.Close()
}

func hostPort(u *url.URL) (string, error) {
	if strings.ContainsAny(u.Host, "\r\n /") {
		return "", fmt.Errorf("the host %q is none", u.Host)
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80"), nil
	}
	return net.JoinHostPort(u.Hostname(), u.Port()), nil
}
