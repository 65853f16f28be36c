package link

import (
	"context"
	"durward/internal/mcpwire"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// turnQueue is how many messages wait for one caller. A server's reader never
// waits for a slow caller: notifications that do not fit are dropped.
const turnQueue = 256

// junkMost is how much in a row that is of no use to anybody a server may send
// before its conversation is ended.
const junkMost = 50_000

// sideMost is how many answers and withdrawals are on their way at once.
const sideMost = 32

// MuxOptions are what a [Mux] needs; Event and Orphan may be nil.
type MuxOptions struct {
	// Send writes one message. It is called from many goroutines.
	Send func(ctx context.Context, message []byte) error
	// Event takes the notifications that belong to no call: changed lists and resources.
	Event func(method string, params []byte)
	// Orphan answers a request of the server that belongs to no call; nil, or
	// a nil result, refuses it.
	Orphan   func(method string) (result []byte)
	Counters *Counters
	Limits   Limits
	Log      *slog.Logger
}

// Mux lets many calls share one stream of messages in each direction.
type Mux struct {
	o    MuxOptions
	done chan struct{}

	mu      sync.Mutex // guards the rest
	flights map[uint64]*flight
	err     error
	running sync.WaitGroup // grows under mu, and only while err is nil

	side chan struct{} // holds a token for each message sent aside
	junk int           // of the receiving goroutine
}

// flight is one call that waits.
type flight struct {
	turn  *Turn
	inbox chan mcpwire.Message
	final chan mcpwire.Message // holds the response
	fail  chan error           // holds what ends this call alone

	answered bool // of the receiving goroutine
}

// NewMux returns a mux; feed it with Receive and end it with Fail.
func NewMux(o MuxOptions) *Mux {
	o.Limits = o.Limits.OrDefault()
	return &Mux{o: o, done: make(chan struct{}), flights: map[uint64]*flight{}, side: make(chan struct{}, sideMost)}
}

// Done is closed when the mux has ended.
func (m *Mux) Done() <-chan struct{} { return m.done }

// Err says why the mux has ended; nil before.
func (m *Mux) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Fail ends the mux and every call on it, once.
func (m *Mux) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
		close(m.done)
	}
}

// FailCalls ends the calls in flight and lets the mux live: an answer was lost
// and nobody knows whose.
func (m *Mux) FailCalls(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.flights {
		if f.turn.call.Standing {
			continue
		}
		select {
		case f.fail <- err:
		default:
		}
	}
}

// Do sends a call and waits for its answer.
func (m *Mux) Do(ctx context.Context, c *Call) (Answer, error) {
	f := &flight{inbox: make(chan mcpwire.Message, turnQueue), final: make(chan mcpwire.Message, 1), fail: make(chan error, 1)}
	f.turn = NewTurn(c, m.o.Limits, m.o.Counters, m.aside, m.o.Event)
	if err := m.enter(c.ID, f); err != nil {
		return Answer{}, err
	}
	a, err := m.exchange(ctx, c, f)
	m.leave(c.ID) // before End, so that nothing more is attributed
	f.turn.End()
	if err != nil && ctx.Err() != nil {
		m.cancel(c)
		return Answer{}, ctx.Err()
	}
	return a, err
}

func (m *Mux) exchange(ctx context.Context, c *Call, f *flight) (Answer, error) {
	if err := m.o.Send(ctx, c.Message()); err != nil {
		return m.unsent(ctx, f, sendError(ctx, err))
	}
	for {
		select {
		case msg := <-f.inbox:
			if _, _, err := f.turn.Hear(ctx, &msg); err != nil {
				return Answer{}, err
			}
		case msg := <-f.final:
			return m.land(ctx, f, &msg)
		case err := <-f.fail:
			return Answer{}, err
		case <-m.done:
			return m.lastWords(ctx, f)
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
}

// land hears what was said before the response, and then the response.
func (m *Mux) land(ctx context.Context, f *flight, response *mcpwire.Message) (Answer, error) {
	for {
		select {
		case msg := <-f.inbox:
			if _, _, err := f.turn.Hear(ctx, &msg); err != nil {
				return Answer{}, err
			}
			continue
		default:
		}
		a, _, err := f.turn.Hear(ctx, response)
		return a, err
	}
}

// lastWords takes an answer that came just before the end.
func (m *Mux) lastWords(ctx context.Context, f *flight) (Answer, error) {
	select {
	case msg := <-f.final:
		return m.land(ctx, f, &msg)
	default:
		return Answer{}, m.Err()
	}
}

// unsent ends a call that could not be sent. What came for it all the same says
// that the server has it.
func (m *Mux) unsent(ctx context.Context, f *flight, err error) (Answer, error) {
	if len(f.final) > 0 {
		return m.lastWords(ctx, f)
	}
	var fault *Fault
	if errors.As(err, &fault) && fault.Undone && len(f.inbox) > 0 {
		own := *fault
		own.Undone = false
		return Answer{}, &own
	}
	return Answer{}, err
}

func sendError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := KindOf(err); ok {
		return err
	}
	return &Fault{Kind: Broken, Err: err}
}

func (m *Mux) enter(id uint64, f *flight) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return Undone(m.err)
	}
	m.flights[id] = f
	return nil
}

func (m *Mux) leave(id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flights, id)
}

// cancelTime is how long a call that was given up waits for its cancellation
// to be written, so that what the caller does next comes after it.
const cancelTime = 100 * time.Millisecond

// cancel tells the server that nobody waits any more. initialize cannot be cancelled.
func (m *Mux) cancel(c *Call) {
	if c.Method == mcpwire.MethodInitialize {
		return
	}
	sent := m.post(mcpwire.AppendNotification(nil, mcpwire.NotifyCancelled, CancelParams(c.ID, "the caller is gone")))
	limit := time.NewTimer(cancelTime)
	defer limit.Stop()
	select {
	case <-sent:
	case <-limit.C:
	}
}

// Notify sends a notification.
func (m *Mux) Notify(ctx context.Context, method string, params []byte) error {
	return m.o.Send(ctx, mcpwire.AppendNotification(nil, method, params))
}

// aside sends a message that nobody waits for. A server that does not take
// them loses them.
func (m *Mux) aside(message []byte) { m.post(message) }

// post does the same; the channel is closed when the message is written or lost.
func (m *Mux) post(message []byte) <-chan struct{} {
	sent := make(chan struct{})
	select {
	case m.side <- struct{}{}:
	default:
		m.o.Counters.Overflow.Add(1)
		close(sent)
		return sent
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		<-m.side
		close(sent)
		return sent
	}
	m.running.Go(func() {
		defer close(sent)
		defer func() { <-m.side }()
		ctx, stop := context.WithTimeout(context.Background(), 15*time.Second)
		defer stop()
		_ = m.o.Send(ctx, message)
	})
	return sent
}

// Wait waits, after Fail, for what was being sent aside.
func (m *Mux) Wait() { m.running.Wait() }

// Receive takes one message of the server and owns its bytes. Call it from one
// goroutine. It never waits for a caller.
func (m *Mux) Receive(raw []byte) {
	if mcpwire.IsBatch(raw) { // older servers on this kind of stream do send them
		m.receiveBatch(raw)
		return
	}
	msg, err := m.o.Limits.Scan(raw)
	if err != nil {
		m.garbage(raw, err)
		return
	}
	m.route(msg)
}

func (m *Mux) receiveBatch(raw []byte) {
	msgs, err := m.o.Limits.ScanBatch(raw)
	if err != nil {
		m.garbage(raw, err)
		return
	}
	for _, msg := range msgs {
		if msg.Fault != nil {
			m.garbage(msg.Raw, msg.Fault)
			continue
		}
		m.route(msg)
	}
}

func (m *Mux) route(msg mcpwire.Message) {
	useful := false
	switch msg.Kind {
	case mcpwire.Response:
		useful = m.response(msg)
	case mcpwire.Request:
		useful = m.request(msg)
	case mcpwire.Notification:
		useful = m.notification(msg)
	}
	if useful {
		m.junk = 0
	} else {
		m.waste()
	}
}

// waste counts what is of no use; a server that says nothing else is ended.
func (m *Mux) waste() {
	if m.junk++; m.junk == junkMost {
		m.Fail(Faultf(Flooded, "the server sent %d messages in a row that belong to nothing", junkMost))
	}
}

func (m *Mux) response(msg mcpwire.Message) bool {
	f := m.flight(OwnID(msg.ID))
	if f == nil || f.answered {
		m.o.Counters.Foreign.Add(1)
		return false
	}
	f.answered = true
	f.final <- msg
	return true
}

func (m *Mux) request(msg mcpwire.Message) bool {
	if msg.Method == mcpwire.MethodPing {
		m.aside(mcpwire.AppendResult(nil, msg.ID, []byte("{}")))
		return true
	}
	if f := m.sole(); f != nil && f.push(msg) {
		return true
	}
	// Nobody knows whose it is, so nobody is asked.
	m.o.Counters.Unattributed.Add(1)
	m.aside(Disown(&msg, m.o.Orphan))
	return false
}

func (m *Mux) notification(msg mcpwire.Message) bool {
	f, event := m.owner(&msg)
	switch {
	case f != nil:
		if f.push(msg) {
			return true
		}
		m.o.Counters.Overflow.Add(1)
		return true // the caller's fault, not the server's
	case event && m.o.Event != nil:
		m.o.Event(msg.Method, msg.Params)
		return true
	}
	m.o.Counters.Unattributed.Add(1)
	return false
}

// owner returns the call that a notification belongs to, or tells that it
// concerns the whole link.
func (m *Mux) owner(msg *mcpwire.Message) (f *flight, event bool) {
	if id, ok := mcpwire.Path(msg.Params, "_meta", mcpwire.MetaSubscriptionID); ok {
		return m.flight(OwnID(id)), false
	}
	switch {
	case msg.Method == mcpwire.NotifyProgress:
		token, _ := mcpwire.Field(msg.Params, "progressToken")
		return m.flight(OwnID(token)), false
	case IsEvent(msg.Method):
		return nil, true
	}
	return m.sole(), false
}

func (f *flight) push(msg mcpwire.Message) bool {
	select {
	case f.inbox <- msg:
		return true
	default:
		return false
	}
}

func (m *Mux) flight(id uint64) *flight {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flights[id]
}

// sole returns the only call in flight, our own aside: what bears no
// mark can belong to it alone. With several there is no telling.
func (m *Mux) sole() *flight {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found *flight
	for _, f := range m.flights {
		if f.turn.call.Own {
			continue
		}
		if found != nil {
			return nil
		}
		found = f
	}
	return found
}

// garbage counts what is no message; a call whose id can be made out ends.
func (m *Mux) garbage(raw []byte, err error) {
	m.o.Counters.Garbage.Add(1)
	m.waste()
	if m.junk <= 10 || m.junk%10_000 == 0 {
		m.o.Log.Warn("upstream wrote what is no message", "err", err, "start", excerpt(raw))
	}
	if f := m.flight(FaultyID(err)); f != nil {
		select {
		case f.fail <- Faultf(Garbled, "the server's answer cannot be read: %w", err):
		default:
		}
	}
}

func excerpt(raw []byte) string { return string(raw[:min(len(raw), 120)]) }
