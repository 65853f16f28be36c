package link

import (
	"context"
	"durward"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// Call is one request on its way to a server.
type Call struct {
	ID     uint64 // minted by us, unique over all links
	Method string
	Params mcpwire.Pieces // final; nil for none
	// Progress is the caller's own progress token, raw. When it is set, Params
	// carry ID in its place and progress is translated back.
	Progress []byte
	// Name and Headers are what travels beside the body in the modern era over HTTP.
	Name    string
	Headers []mcpwire.HeaderField
	// Via are the gateways that the call came through, this one the last, where
	// there was one before it. It travels over HTTP.
	Via string
	// Peer hears what the server says meanwhile; nil when nobody listens.
	Peer durward.Peer
	// Own marks a call of our own, such as a listing: what arrives without a
	// mark of its own never belongs to it.
	Own bool
	// Owner is the agent whose memory the answer may lie in; "" where the answer
	// may be kept for longer than the call.
	Owner string
	// Standing marks a call of our own that stays open, a subscription: there
	// is no bound on what it brings in all.
	Standing bool
}

// Message returns the call as a JSON-RPC request.
func (c *Call) Message() []byte {
	if c.Params != nil {
		return c.Pieces().Join()
	}
	var id [20]byte
	return mcpwire.AppendRequest(nil, strconv.AppendUint(id[:0], c.ID, 10), c.Method, nil)
}

// Large tells whether the request is worth giving back the memory that it lies in.
func (c *Call) Large() bool {
	n := 0
	for _, piece := range c.Params {
		n += len(piece)
	}
	return n > httpwire.Small
}

// Pieces returns the same request in pieces, the params among them uncopied.
func (c *Call) Pieces() mcpwire.Pieces {
	if c.Params == nil {
		return mcpwire.Pieces{c.Message()}
	}
	head := append(make([]byte, 0, len(c.Method)+96), `{"jsonrpc":"2.0","id":`...)
	head = append(strconv.AppendUint(head, c.ID, 10), `,"method":`...)
	pieces := append(make(mcpwire.Pieces, 0, len(c.Params)+2), append(mcpwire.AppendQuote(head, c.Method), `,"params":`...))
	return append(append(pieces, c.Params...), closing)
}

var closing = []byte("}") // of the envelope

// Answer is what a server answered: a raw result or an error object.
type Answer struct {
	Result []byte
	Error  *durward.RPCError
	// Streamed tells that something reached the caller before the answer.
	Streamed bool
	// Spent is as of [durward.Reply].
	Spent func()
}

// Limits bound what a server may send. Zero fields mean the defaults.
type Limits struct {
	Message  int   // bytes of one message: 16 MiB
	Call     int64 // bytes during one call: 64 MiB
	Messages int   // during one call: 100,000
}

// OrDefault returns l with its defaults filled in.
func (l Limits) OrDefault() Limits {
	if l.Message <= 0 {
		l.Message = 16 << 20
	}
	if l.Call <= 0 {
		l.Call = 64 << 20
	}
	if l.Messages <= 0 {
		l.Messages = 100_000
	}
	return l
}

// scanDepth is how deep a server's message may nest. Nothing is decided on the
// depths of a result, so it may be deeper than what agents may send.
const scanDepth = 256

// Scan reads one message of a server.
func (l Limits) Scan(raw []byte) (mcpwire.Message, error) {
	return mcpwire.Scan(raw, mcpwire.Limits{Bytes: l.Message, Depth: scanDepth})
}

// batchMost is how many messages one batch of a server may have.
const batchMost = 1000

// ScanBatch reads several messages of a server that came as one.
func (l Limits) ScanBatch(raw []byte) ([]mcpwire.Message, error) {
	return mcpwire.ScanBatch(raw, mcpwire.Limits{Bytes: l.Message, Depth: scanDepth}, batchMost)
}

// Counters count what was dropped on the links of one upstream.
type Counters struct {
	Foreign      atomic.Int64 // responses to no call in flight: late, duplicate, made up
	Garbage      atomic.Int64 // what is no message
	Unattributed atomic.Int64 // notifications and requests that belong to no call
	Overflow     atomic.Int64 // notifications that the caller was too slow for
}

// Kind tells what went wrong on a link.
type Kind uint8

// The kinds of faults.
const (
	Broken      Kind = iota // the connection or the process ended
	Unreachable             // nothing was sent: no connection, no process
	Garbled                 // what came is no answer
	Flooded                 // more came than is allowed
	Refused                 // our credentials: HTTP 401, 403
	Busy                    // the server asks to come back later: HTTP 429, 503
	Lost                    // the session is gone
	WrongEra                // the server does not speak the era that was assumed
	TimedOut                // the server did not answer in the time of a handshake
)

// Fault is an error of the link; errors that the server answered are not.
type Fault struct {
	Kind   Kind
	Status int               // HTTP status, 0 for none
	Retry  time.Duration     // when the server asks for it
	RPC    *durward.RPCError // the error object that came with the status, if any
	Said   string            // what the server said with the status, if that was no message; or before it ended
	// Undone tells that the server did not take the call up, in as many words: it
	// may be made again, whatever it does.
	Undone bool
	Err    error
}

// Error implements error, for operators.
func (f *Fault) Error() string {
	switch {
	case f.Said != "" && f.Err == nil:
		return fmt.Sprintf("HTTP %d: the server says %.200q", f.Status, f.Said)
	case f.Said != "" && f.Status == 0:
		return fmt.Sprintf("%v; its last words: %.200q", f.Err, f.Said)
	case f.Err != nil && f.Status != 0:
		return fmt.Sprintf("HTTP %d: %v", f.Status, f.Err)
	case f.Err != nil:
		return f.Err.Error()
	case f.RPC != nil:
		return fmt.Sprintf("HTTP %d: %v", f.Status, f.RPC)
	}
	return fmt.Sprintf("HTTP %d", f.Status)
}

// Brief is Error without the server's own words, which may repeat what it was sent.
func (f *Fault) Brief() string {
	switch {
	case f.Err == nil:
		return fmt.Sprintf("HTTP %d", f.Status)
	case f.Status == 0:
		return f.Err.Error()
	}
	return f.Error()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Faultf makes a fault.
func Faultf(k Kind, format string, args ...any) *Fault {
	return &Fault{Kind: k, Err: fmt.Errorf(format, args...)}
}

// KindOf returns the kind of fault that err is, and whether it is one.
func KindOf(err error) (Kind, bool) {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind, true
	}
	return Broken, false
}

// Undone returns a copy of an error of which a call that was not taken up dies.
// The conversation's own error is that of other calls as well, which may have been.
func Undone(err error) error {
	var f *Fault
	if !errors.As(err, &f) {
		return err
	}
	own := *f
	own.Undone = true
	return &own
}

// CutOff reports whether a connection ended in the middle of what the server was
// asked, rather than that the server found fault with it: a server that restarts.
func CutOff(err error) bool {
	var f *Fault
	return errors.As(err, &f) && f.Kind == Broken && f.Status == 0
}

// Pause waits, unless ctx ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Conn is a conversation with a server.
type Conn interface {
	// Do sends a call and waits for its answer. When ctx ends first, the server
	// is told in the way of its era and the context's error is returned.
	Do(ctx context.Context, c *Call) (Answer, error)
	// Notify sends a notification.
	Notify(ctx context.Context, method string, params []byte) error
	// Done is closed when the conversation has ended by itself; Err says why.
	Done() <-chan struct{}
	Err() error
	// Close ends it and waits until nothing of it is left; ctx bounds the politeness.
	Close(ctx context.Context)
}

// answerOf returns the answer that a response holds.
func answerOf(m *mcpwire.Message, streamed bool) Answer {
	a := Answer{Result: m.Result, Streamed: streamed}
	if m.Error != nil {
		a.Error = mcpwire.ReadError(m.Error)
	}
	return a
}

// OwnID returns the id that we minted which a raw id repeats; 0 when it is none of ours.
func OwnID(raw []byte) uint64 {
	if len(raw) == 0 || len(raw) > 20 {
		return 0
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
