// Package relay keeps a client on standard input and output in touch with the
// gateway of a data folder, whichever process that is at the moment. Programs
// that start a server for themselves do not start it again when it ends, so
// this one outlives the gateways that it speaks to.
//
// It promises that every request gets one answer, the gateway's or an error
// that says what is known; that a request which may have had an effect is
// never sent twice, whatever ids the client gives; that a client which was introduced once (MCP until
// 2025-11-25) is introduced again behind its back, on the revision that it was
// told; and that nothing waits or grows without bound. It decides nothing: who
// may do what is the gateway's question each time.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"durward/internal/mcpwire"
)

// Conn is a connection to a gateway.
type Conn interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Options of a relay.
type Options struct {
	// Connect finds a gateway; ctx bounds how long it looks.
	Connect func(ctx context.Context) (Conn, error)
	First   time.Duration // to find the first gateway; default 45 s
	Return  time.Duration // for one to be there again after one went away; default 60 s
	Log     *slog.Logger  // nil is silent
}

// The bounds of a relay.
const (
	maxAsked     = 64 << 20  // of a line of the client; the gateway has its own, smaller bound
	maxAnswered  = 256 << 20 // of a line of the gateway
	heldMessages = 1024      // that wait for a gateway
	heldBytes    = 32 << 20  // of those
	greetingTime = 30 * time.Second
	partingTime  = 8 * time.Second // for a gateway to answer what is under way when the client leaves
	readingTime  = 5 * time.Second // for a client to read the last that is said
	brief        = time.Second     // a connection that ends sooner was of no use
)

type relay struct {
	o      Options
	cancel context.CancelCauseFunc // ends everything
	mouth  *mouth                  // speaks to the client

	sending sync.Mutex // held while something is written to a gateway, before mu

	mu      sync.Mutex // guards what follows
	conn    Conn       // nil while there is none that takes messages
	round   int        // counts gateways
	met     bool       // one has taken messages
	leaving bool       // this one begins nothing more
	over    bool       // the client sends nothing more
	count   uint64     // of messages
	open    open
	held    []*message          // to be sent to the next gateway
	bytes   int                 // of those
	asked   map[string]question // of the gateway, by the id that the client knows
	talk    talk
}

// Run speaks with a client until it leaves or ctx ends, and then returns nil
// after the calls under way had a moment to end; what waits for a gateway then
// is answered as not begun. It returns an error when no gateway could be found,
// or none that takes the client as the last one did. It closes neither in nor
// out; a read or write that is stuck when it returns ends when the caller does.
func Run(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	if o.First <= 0 {
		o.First = 45 * time.Second
	}
	if o.Return <= 0 {
		o.Return = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &relay{o: o, mouth: newMouth(out), open: newOpen(), asked: map[string]question{}}
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	r.cancel = cancel
	defer cancel(nil)
	stop := context.AfterFunc(ctx, r.leave)
	defer stop()
	go func() { // ends with in, which the caller owns
		r.read(in)
		r.leave()
	}()
	go r.speak()
	context.AfterFunc(life, func() { time.AfterFunc(readingTime, r.mouth.hush) })
	defer r.mouth.end(readingTime)
	err := r.run(life)
	cancel(err)
	if err == nil || errors.Is(err, errLeft) {
		r.giveUp("The client has left before a gateway was there; nothing was begun.")
		return nil
	}
	if r.hasMet() { // else it was never begun itself
		r.giveUp("The gateway went away and did not come back; nothing was begun.")
	}
	return err
}

// ErrNoGateway says that the client has lost its gateway for good.
var ErrNoGateway = errors.New("the gateway went away, and none was there again")

// Why a relay ends.
var (
	errLeft      = errors.New("the client has left")
	errNobodyOut = errors.New("the client does not read")
)

// run serves one gateway after the other.
func (r *relay) run(life context.Context) error {
	var since time.Time // there was no use of a gateway
	for first := true; ; first = false {
		if since.IsZero() {
			since = time.Now()
		}
		conn, err := r.connect(life, first, since)
		if err != nil {
			return err
		}
		if !first {
			r.o.Log.Info("connected to a gateway again")
		}
		met := time.Now()
		if err := r.serve(life, conn); err != nil {
			return err
		}
		if r.isOver() {
			return nil
		}
		r.o.Log.Warn("the gateway went away; connecting again")
		if time.Since(met) > brief {
			since = time.Time{}
			continue
		}
		select {
		case <-life.Done():
			return context.Cause(life)
		case <-time.After(brief / 4):
		}
	}
}

func (r *relay) connect(life context.Context, first bool, since time.Time) (Conn, error) {
	most := r.o.Return
	if first {
		most = r.o.First
	}
	ctx, cancel := context.WithDeadline(life, since.Add(most))
	defer cancel()
	conn, err := r.o.Connect(ctx)
	switch {
	case err == nil:
		return conn, nil
	case life.Err() != nil:
		return nil, context.Cause(life)
	case first:
		return nil, err
	}
	return nil, fmt.Errorf("%w within %s: %w", ErrNoGateway, most, err)
}

// serve speaks with one gateway until the connection ends.
func (r *relay) serve(life context.Context, conn Conn) error {
	ctx, cancel := context.WithCancel(life)
	stop := context.AfterFunc(life, func() { _ = conn.Close() })
	defer stop()
	r.mu.Lock()
	r.round++
	r.mu.Unlock()
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		r.begin(ctx, conn)
	}()
	if err := r.hear(conn); err != nil && ctx.Err() == nil {
		r.o.Log.Info("the connection to the gateway broke", "err", err)
	}
	cancel()
	_ = conn.Close() // what is being written to it ends
	<-begun
	r.lost()
	if life.Err() != nil {
		return context.Cause(life)
	}
	return nil
}

// leave ends the conversation: the gateway hears that nothing more comes, and
// has a moment to answer what is under way.
func (r *relay) leave() {
	time.AfterFunc(partingTime, func() { r.cancel(errLeft) })
	r.sending.Lock()
	defer r.sending.Unlock()
	r.mu.Lock()
	conn, met := r.conn, r.met
	r.over = true
	r.mu.Unlock()
	switch {
	case conn != nil:
		_ = conn.CloseWrite() // a connection that is broken ends as well
	case met: // nothing is under way, and what waits is not begun any more
		r.cancel(errLeft)
	}
}

func (r *relay) hasMet() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.round > 0
}

func (r *relay) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

// tell says a line to the client.
func (r *relay) tell(msg []byte) { r.mouth.say(msg) }

// speak writes what is told; who does not take it has left.
func (r *relay) speak() {
	if err := r.mouth.run(); err != nil {
		r.cancel(fmt.Errorf("%w: %w", errNobodyOut, err))
	}
}

// hear takes what a gateway says until the connection ends.
func (r *relay) hear(conn Conn) error {
	lines := mcpwire.NewLineReader(conn, maxAnswered)
	for {
		line, err := lines.Next()
		var long *mcpwire.LineTooLong
		switch {
		case errors.As(err, &long):
			r.heard(mcpwire.AppendError(nil, long.ID, mcpwire.InternalError("The answer is too large.")))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		default:
			r.heard(line)
		}
	}
}
