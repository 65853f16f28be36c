package httpwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// BodyOptions bound the bodies of requests; zero values take the defaults.
type BodyOptions struct {
	Limit        int64         // of one body; default 4 MiB
	Timeout      time.Duration // to receive one body; default 60 s
	Held         int64         // large bodies in memory at a time, in bytes; default 256 MiB
	WriteTimeout time.Duration // for one write; default 30 s
}

// Small is the size up to which a body is read without being counted in
// BodyOptions.Held; callers read what is larger only for those they know.
const Small = 64 << 10

func (o BodyOptions) withDefaults() BodyOptions {
	if o.Limit == 0 {
		o.Limit = 4 << 20
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Held == 0 {
		o.Held = 256 << 20
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 30 * time.Second
	}
	return o
}

// Handler serves exchanges over net/http.
func Handler(o BodyOptions, serve func(*Exchange)) http.Handler {
	bounds := &bounds{BodyOptions: o.withDefaults()}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &Exchange{w: w, r: r, bounds: bounds, began: time.Now()}
		defer x.release()
		x.settleFraming()
		serve(x)
		x.drain()
	})
}

type bounds struct {
	BodyOptions
	held atomic.Int64
}

// Exchange is one request and the one answer to it. It is used by one
// goroutine at a time and is dead when the handler returns.
type Exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	bounds *bounds
	began  time.Time
	held   int64
	owner  string // of the body's memory; "" for nobody
	loan   *Loan  // what the body lies in; nil when it is not given back
	read   bool   // the body is read to its end
	late   bool   // the body did not come in time
	unread bool   // an answer was begun before the end of the body
	sent   bool
}

// drainTime is how long a client may go on sending a body that nobody reads,
// and drainFactor how much, in limits of a body.
const (
	drainTime   = time.Second
	drainFactor = 2
)

// Context ends when the client goes away or the server is stopped by force.
func (x *Exchange) Context() context.Context { return x.r.Context() }

// Began is when the request's header had arrived.
func (x *Exchange) Began() time.Time { return x.began }

// Method is the request's method as sent.
func (x *Exchange) Method() string { return x.r.Method }

// Path is the decoded path of the request.
func (x *Exchange) Path() string { return x.r.URL.Path }

// RawQuery is the query as sent, without the question mark.
func (x *Exchange) RawQuery() string { return x.r.URL.RawQuery }

// Query parses the query; broken pairs are left out.
func (x *Exchange) Query() url.Values { return x.r.URL.Query() }

// Host is the host that the client asked for.
func (x *Exchange) Host() string { return x.r.Host }

// Remote is the address of the client.
func (x *Exchange) Remote() string { return x.r.RemoteAddr }

// Get returns the first value of a request header; the name is in canonical case.
func (x *Exchange) Get(name string) string {
	if v := x.r.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Header returns the header of the request; it must not be changed.
func (x *Exchange) Header() http.Header { return x.r.Header }

// Set sets a header of the answer; the name is in canonical case.
func (x *Exchange) Set(name, value string) { x.w.Header()[name] = []string{value} }

// Add adds a value to a header of the answer; the name is in canonical case.
func (x *Exchange) Add(name, value string) {
	h := x.w.Header()
	h[name] = append(h[name], value)
}

// Sent reports whether an answer was begun.
func (x *Exchange) Sent() bool { return x.sent }

// settleFraming ends the connection after a request that was framed by
// chunks: net/http hides whether a Content-Length stood beside them, and after
// such a request RFC 9112, section 6.1 wants the connection closed.
func (x *Exchange) settleFraming() {
	if len(x.r.TransferEncoding) > 0 {
		x.Set("Connection", "close")
	}
}

// BodyError says why a body could not be read.
type BodyError struct {
	Status int   // 400, 408, 413 or 503
	Limit  int64 // what is allowed, with 413
	Err    error
}

// Error implements error.
func (e *BodyError) Error() string { return "read the request body: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// The causes of a [BodyError] beside those of the connection.
var (
	errTooLarge = errors.New("it is larger than allowed")
	errHeld     = errors.New("too many large bodies are in memory")
)

// IsSmall reports whether the body is known to be no larger than [Small].
func (x *Exchange) IsSmall() bool { return x.r.ContentLength >= 0 && x.r.ContentLength <= Small }

// Body reads the whole body, within the limits. A failure is a *BodyError and
// ends the connection with the answer. The body is the caller's to keep, unless
// it calls Spent.
func (x *Exchange) Body() ([]byte, error) {
	b, err := x.readBody()
	if err == nil {
		x.read = true
		return b, nil
	}
	var known *BodyError
	if errors.As(err, &known) {
		return nil, err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		x.late = true
		return nil, &BodyError{Status: http.StatusRequestTimeout, Err: err}
	}
	return nil, &BodyError{Status: http.StatusBadRequest, Err: err}
}

func (x *Exchange) readBody() ([]byte, error) {
	n := x.r.ContentLength
	if n > x.bounds.Limit {
		return nil, &BodyError{Status: http.StatusRequestEntityTooLarge, Limit: x.bounds.Limit, Err: errTooLarge}
	}
	if n == 0 {
		return nil, nil
	}
	x.allowRead(time.Now().Add(x.bounds.Timeout))
	if n < 0 {
		return x.readChunks()
	}
	if err := x.hold(n); err != nil {
		return nil, err
	}
	b, loan := spares.lend(x.owner, int(n))
	if got, err := io.ReadFull(x.r.Body, b); err != nil {
		return nil, fmt.Errorf("%d of %d bytes came: %w", got, n, err)
	}
	x.allowRead(time.Time{}) // a deadline left behind would end the request's context
	x.loan = loan
	return b, nil
}

// Own says on whose behalf the body is going to be read: it may then lie in
// memory that held an earlier one of the same owner's.
func (x *Exchange) Own(owner string) { x.owner = owner }

// Spent gives the memory of the body back: nobody refers to it any more.
func (x *Exchange) Spent() { x.loan.Return() }

// allowRead sets the read deadline. That fails only where there is no
// connection, in tests of handlers.
func (x *Exchange) allowRead(until time.Time) {
	_ = http.NewResponseController(x.w).SetReadDeadline(until)
}

// giveUpBody closes the connection after the answer when the body was not read
// to its end: the engine would wait for the rest, for as long as it takes.
func (x *Exchange) giveUpBody() {
	if !x.read && x.r.ContentLength != 0 {
		x.Set("Connection", "close")
		x.allowRead(time.Now().Add(drainTime))
		x.unread = true
	}
}

// drain takes some more of a body that nobody wants, after the answer: many
// clients read only when they have sent everything, and closing a connection
// on what they still send destroys the answer on its way.
func (x *Exchange) drain() {
	if !x.unread || x.late {
		return
	}
	_ = http.NewResponseController(x.w).Flush()                       // the answer is first; a client that left needs none
	_, _ = io.CopyN(io.Discard, x.r.Body, drainFactor*x.bounds.Limit) // up to the deadline that was set with the answer
}

// readChunks reads a body of unknown length, growing as it comes.
func (x *Exchange) readChunks() ([]byte, error) {
	b := make([]byte, 0, 4<<10)
	for {
		if len(b) == cap(b) {
			if err := x.hold(int64(cap(b))); err != nil {
				return nil, err
			}
			b = append(b, 0)[:len(b)]
		}
		n, err := x.r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > x.bounds.Limit {
			return nil, &BodyError{Status: http.StatusRequestEntityTooLarge, Limit: x.bounds.Limit, Err: errTooLarge}
		}
		if err == io.EOF {
			x.allowRead(time.Time{})
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Keep leaves a large body counted in [BodyOptions.Held] beyond the exchange,
// for a caller that keeps it for longer, until that calls release.
func (x *Exchange) Keep() (release func()) {
	n, bounds := x.held, x.bounds // the exchange is not kept with it
	x.held = 0
	return sync.OnceFunc(func() { bounds.held.Add(-n) })
}

// hold counts a large body until the exchange ends.
func (x *Exchange) hold(n int64) error {
	if n <= Small {
		return nil
	}
	if x.bounds.held.Add(n) > x.bounds.Held {
		x.bounds.held.Add(-n)
		return &BodyError{Status: http.StatusServiceUnavailable, Err: errHeld}
	}
	x.held += n
	return nil
}

func (x *Exchange) release() {
	if x.held > 0 {
		x.bounds.held.Add(-x.held)
	}
}

// Answer sends a whole answer, its body in parts that are not copied together.
// contentType is "" for no body.
func (x *Exchange) Answer(status int, contentType string, body ...[]byte) error {
	h := x.w.Header()
	if contentType != "" {
		length := 0
		for _, part := range body {
			length += len(part)
		}
		h["Content-Type"] = []string{contentType}
		h["Content-Length"] = []string{strconv.Itoa(length)}
	}
	x.sent = true
	x.giveUpBody()
	// The engine set a deadline when the request came; a slow call needs a new one.
	if time.Since(x.began) > x.bounds.WriteTimeout/4 {
		x.allowWrite()
	}
	x.w.WriteHeader(status)
	if at, ok := x.w.(interface{ writeParts([][]byte) error }); ok {
		return at.writeParts(body)
	}
	for _, part := range body {
		if _, err := x.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (x *Exchange) allowWrite() {
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.bounds.WriteTimeout))
}

// Stream begins an answer whose length is not known.
func (x *Exchange) Stream(status int, contentType string) *Stream {
	x.w.Header()["Content-Type"] = []string{contentType}
	x.sent = true
	x.giveUpBody()
	x.allowWrite()
	x.w.WriteHeader(status)
	return &Stream{x: x, out: http.NewResponseController(x.w)}
}

// Stream is an answer in parts. It is used by one goroutine at a time, before
// the handler returns.
type Stream struct {
	x   *Exchange
	out *http.ResponseController
}

// Write sends p at once. A client that does not take it in time loses the
// connection.
func (s *Stream) Write(p []byte) (int, error) {
	s.x.allowWrite()
	n, err := s.x.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.Flush()
}

// Flush sends what is still buffered, the header if nothing else.
func (s *Stream) Flush() error {
	if err := s.out.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
