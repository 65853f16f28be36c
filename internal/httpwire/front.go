package httpwire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// front serves connections without TLS as long as their requests are simple,
// and hands a connection with any other request, whole, to net/http: for calls
// in a row the standard engine's bookkeeping is a sixth of what a hop costs
// (ADR 0010). Handlers see no difference.
type front struct {
	server  *Server
	handler http.Handler
	base    context.Context
	odd     *oddConns // for net/http

	date atomic.Pointer[dated]

	closing atomic.Bool // set with mu

	mu    sync.Mutex // guards what follows
	conns map[*frontConn]struct{}
	empty chan struct{} // closed when the last connection of a closing front is gone
}

const (
	frontBuffer = 4 << 10               // of a connection, for reading; a longer head is for net/http
	frontDrain  = 256 << 10             // of a body that nobody read
	watchAfter  = 20 * time.Millisecond // calls that take longer are watched for clients that leave
)

func newFront(s *Server, h http.Handler, base context.Context) *front {
	return &front{
		server: s, handler: h, base: base, odd: newOddConns(),
		conns: make(map[*frontConn]struct{}), empty: make(chan struct{}),
	}
}

// accept takes connections until l is closed.
func (f *front) accept(l net.Listener) error {
	var pause time.Duration
	for {
		c, err := l.Accept()
		if err != nil {
			var short interface{ Temporary() bool } // out of files, mostly: it passes
			if errors.As(err, &short) && short.Temporary() {
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				time.Sleep(pause)
				continue
			}
			return err
		}
		pause = 0
		f.enter(c)
	}
}

// enter begins to serve a connection.
func (f *front) enter(nc net.Conn) {
	if !f.server.enter() {
		f.server.turnAway(nc)
		f.server.leave()
		return
	}
	if _, secret := nc.(*tls.Conn); secret {
		f.server.leave()
		f.odd.put(nc)
		return
	}
	c := &frontConn{Conn: nc, front: f, remote: nc.RemoteAddr().String()}
	c.in = bufio.NewReaderSize(nc, frontBuffer)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing.Load() {
		_ = nc.Close()
		f.server.leave()
		return
	}
	f.conns[c] = struct{}{}
	go c.serve() // ends with its connection, which shutdown closes
}

// forget lets go of a connection.
func (f *front) forget(c *frontConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	if f.closing.Load() && len(f.conns) == 0 {
		close(f.empty)
	}
}

// shutdown closes the connections that have no request under way, and waits
// for the others; when ctx ends first it closes those as well.
func (f *front) shutdown(ctx context.Context) error {
	f.mu.Lock()
	if !f.closing.Swap(true) && len(f.conns) == 0 {
		close(f.empty)
	}
	for c := range f.conns {
		if c.state.CompareAndSwap(connIdle, connGone) {
			_ = c.Close()
		}
	}
	f.mu.Unlock()
	select {
	case <-f.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cut closes all connections.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

// The states of a connection.
const (
	connIdle int32 = iota // no request has come
	connBusy
	connGone // being closed
)

// frontConn is one connection and what is under way on it.
type frontConn struct {
	net.Conn
	front  *front
	remote string
	in     *bufio.Reader
	out    []byte // memory for what is written
	state  atomic.Int32
	served int

	mu       sync.Mutex  // guards what follows
	timer    *time.Timer // calls watch
	armed    bool        // the client may be watched
	body     *received   // nil when the request has none
	leave    context.CancelFunc
	watching chan struct{} // closed when the watch has ended; nil when there is none
}

func (c *frontConn) serve() {
	defer func() {
		c.front.forget(c)
		c.front.server.leave()
	}()
	for c.await() {
		r, simple := c.simpleRequest()
		if !simple {
			c.handOver()
			return
		}
		if !c.state.CompareAndSwap(connIdle, connBusy) {
			break
		}
		if !c.answer(r) || !c.state.CompareAndSwap(connBusy, connIdle) || c.front.closing.Load() {
			break
		}
	}
	_ = c.Close()
}

// await waits for a whole head of a request, or for as much of it as there is
// room for.
func (c *frontConn) await() bool {
	o := &c.front.server.opts
	idle := o.IdleTimeout
	if c.served == 0 {
		idle = o.HeaderTimeout
	}
	c.served++
	if c.in.Buffered() == 0 {
		if c.SetReadDeadline(time.Now().Add(idle)) != nil {
			return false
		}
		if _, err := c.in.Peek(1); err != nil {
			return false
		}
	}
	for hurried := false; ; hurried = true {
		got, _ := c.in.Peek(c.in.Buffered())
		if bytes.Contains(got, []byte("\r\n\r\n")) || len(got) == frontBuffer || isOdd(got) {
			return true
		}
		if !hurried && c.SetReadDeadline(time.Now().Add(o.HeaderTimeout)) != nil {
			return false
		}
		if _, err := c.in.Peek(len(got) + 1); err != nil {
			c.tooSlow(err)
			return false
		}
	}
}

// tooSlow tells a client that began a request and did not end its head in time,
// unless it is gone. One that sent nothing is told nothing: it asked nothing.
func (c *frontConn) tooSlow(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) && c.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = io.WriteString(c.Conn, late) // a courtesy; the close says the same
	}
}

const late = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// isOdd tells early what net/http shall judge: the beginning of something that
// is no simple request, and would perhaps never end as one.
func isOdd(got []byte) bool {
	line, _, whole := bytes.Cut(got, []byte("\n"))
	if !whole {
		return got[0] < 'A' || got[0] > 'Z'
	}
	text, ended := strings.CutSuffix(string(line), "\r")
	return !ended || !simpleLine(&http.Request{Proto: "HTTP/1.1"}, text) || bytes.Contains(got, []byte("\n\n"))
}

// answer lets the handler answer a request, and reports whether another may
// follow on the connection.
func (c *frontConn) answer(head *http.Request) (again bool) {
	ctx, cancel := context.WithCancel(c.front.base)
	defer cancel()
	body := (*received)(nil)
	r := head.WithContext(ctx)
	r.Body = http.NoBody
	if head.ContentLength > 0 {
		body = &received{measured: measured{in: c.in, left: head.ContentLength}}
		r.Body = body
	}
	w := &frontWriter{conn: c, request: body, header: make(http.Header, 4), length: unknownLength}
	if c.SetWriteDeadline(time.Now().Add(c.front.server.opts.WriteTimeout)) != nil {
		return false
	}
	c.arm(body, cancel)
	defer c.disarm()
	if !c.handle(w, r) {
		return false
	}
	again = w.finish()
	if body != nil && body.left > 0 {
		c.drain(body)
		return false
	}
	return again
}

// drain takes some of a body that the handler left: a client reads the answer
// only when it has sent all, and closing on what comes destroys the answer.
func (c *frontConn) drain(body *received) {
	if c.SetReadDeadline(time.Now().Add(drainTime)) == nil {
		_, _ = io.CopyN(io.Discard, body, frontDrain)
	}
}

// handle calls the handler; false when it panicked.
func (c *frontConn) handle(w *frontWriter, r *http.Request) (ok bool) {
	defer func() {
		if bug := recover(); bug != nil && bug != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			c.front.server.opts.Log.Error("http handler panicked", "panic", bug, "stack", string(debug.Stack()))
		}
	}()
	c.front.handler.ServeHTTP(w, r)
	return true
}

// arm lets a client be watched while its call takes long.
func (c *frontConn) arm(body *received, leave context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.body, c.leave = true, body, leave
	if c.timer == nil {
		c.timer = time.AfterFunc(watchAfter, c.watch)
	} else {
		c.timer.Reset(watchAfter)
	}
}

// disarm ends the watch, if there is one, before the next request is read.
func (c *frontConn) disarm() {
	c.mu.Lock()
	c.timer.Stop()
	c.armed = false
	watching := c.watching
	c.watching = nil
	c.mu.Unlock()
	if watching != nil {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // wakes it; await sets the next
		<-watching
		_ = c.SetReadDeadline(time.Now().Add(c.front.server.opts.HeaderTimeout)) // of what it may have found
	}
}

// watch waits for the client to leave, and then ends the context of its call.
// A client that sends its next request meanwhile is not watched any more.
func (c *frontConn) watch() {
	c.mu.Lock()
	switch {
	case !c.armed || c.watching != nil:
		c.mu.Unlock()
		return
	case c.body != nil && !c.body.whole.Load(): // its reader will notice
		c.timer.Reset(watchAfter)
		c.mu.Unlock()
		return
	}
	done, leave := make(chan struct{}), c.leave
	c.armed, c.watching = false, done
	_ = c.SetReadDeadline(time.Time{}) // under the lock: disarm sets it after
	c.mu.Unlock()
	defer close(done)
	if _, err := c.in.Peek(1); err != nil {
		leave()
	}
}

// handOver gives the connection to net/http, with what was read of it.
func (c *frontConn) handOver() {
	if c.SetReadDeadline(time.Time{}) != nil {
		_ = c.Close()
		return
	}
	read, _ := c.in.Peek(c.in.Buffered())
	c.front.odd.put(&oddConn{Conn: c.Conn, read: bytes.NewReader(bytes.Clone(read))})
}

// oddConn is a connection of which something was read.
type oddConn struct {
	net.Conn
	read *bytes.Reader
}

// Read implements net.Conn.
func (c *oddConn) Read(p []byte) (int, error) {
	if c.read != nil {
		if n, err := c.read.Read(p); err == nil {
			return n, nil
		}
		c.read = nil
	}
	return c.Conn.Read(p)
}

// oddConns is the listener from which net/http gets its connections.
type oddConns struct {
	queue chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newOddConns() *oddConns {
	return &oddConns{queue: make(chan net.Conn), done: make(chan struct{})}
}

func (o *oddConns) put(c net.Conn) {
	select {
	case o.queue <- c:
	case <-o.done:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (o *oddConns) Accept() (net.Conn, error) {
	select {
	case c := <-o.queue:
		return c, nil
	case <-o.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (o *oddConns) Close() error {
	o.once.Do(func() { close(o.done) })
	return nil
}

// Addr implements net.Listener.
func (o *oddConns) Addr() net.Addr { return &net.TCPAddr{} }

var _ io.Reader = (*oddConn)(nil)
