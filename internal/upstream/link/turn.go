package link

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"errors"
	"strconv"
	"sync"
)

// asksAtOnce bounds the requests of a server that wait for one caller.
const asksAtOnce = 16

// Turn is the server's side of one call while it runs: its notifications,
// its requests, and how much it has said. It is safe for concurrent use.
type Turn struct {
	call     *Call
	limits   Limits
	counters *Counters
	answer   func(message []byte) // sends an answer to a request of the server
	event    func(method string, params []byte)

	mu       sync.Mutex // guards the rest
	ctx      context.Context
	cancel   context.CancelFunc
	asks     map[string]context.CancelFunc // by the server's id
	over     bool
	streamed bool
	bytes    int64
	messages int
	running  sync.WaitGroup
}

// NewTurn returns the turn of a call. answer sends our answers to the server's
// requests and does not wait; it is nil where servers have no requests. event
// takes what concerns all of the connection, whichever call it comes with; nil
// when nobody wants to know.
func NewTurn(c *Call, l Limits, counters *Counters, answer func(message []byte), event func(method string, params []byte)) *Turn {
	return &Turn{call: c, limits: l, counters: counters, answer: answer, event: event}
}

// IsEvent tells the notifications that concern all of a connection, whatever
// stream they come on: changed lists and resources.
func IsEvent(method string) bool {
	switch method {
	case mcpwire.NotifyToolsChanged, mcpwire.NotifyPromptsChanged, mcpwire.NotifyResourcesChanged, mcpwire.NotifyResourceUpdated:
		return true
	}
	return false
}

// Hear takes a message that belongs to the call. It returns the answer when
// the message is it, and a fault when the server has said too much.
func (t *Turn) Hear(ctx context.Context, m *mcpwire.Message) (a Answer, done bool, err error) {
	if err := t.spend(len(m.Raw)); err != nil {
		return Answer{}, false, err
	}
	switch m.Kind {
	case mcpwire.Response:
		if OwnID(m.ID) != t.call.ID {
			t.counters.Foreign.Add(1)
			return Answer{}, false, nil
		}
		return answerOf(m, t.Streamed()), true, nil
	case mcpwire.Request:
		t.request(ctx, m)
	case mcpwire.Notification:
		t.notify(m)
	}
	return Answer{}, false, nil
}

// Own reports whether the call is our own.
func (t *Turn) Own() bool { return t.call.Own }

// Streamed reports whether something reached the caller.
func (t *Turn) Streamed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.streamed
}

// Heard reports whether the server has said anything during the call.
func (t *Turn) Heard() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.messages > 0
}

func (t *Turn) spend(n int) error {
	if t.call.Standing {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes += int64(n)
	t.messages++
	switch {
	case t.bytes > t.limits.Call:
		return Faultf(Flooded, "the server sent more than %d bytes during one call", t.limits.Call)
	case t.messages > t.limits.Messages:
		return Faultf(Flooded, "the server sent more than %d messages during one call", t.limits.Messages)
	}
	return nil
}

func (t *Turn) notify(m *mcpwire.Message) {
	params := m.Params
	switch m.Method {
	case mcpwire.NotifyCancelled:
		t.withdraw(params)
		return
	case mcpwire.NotifyProgress:
		var ours bool
		if params, ours = t.progress(params); !ours {
			t.counters.Unattributed.Add(1)
			return
		}
	default:
		if !t.call.Standing && t.divert(m) {
			return
		}
	}
	t.mu.Lock()
	deaf := t.over || t.call.Peer == nil
	t.streamed = t.streamed || !deaf
	t.mu.Unlock()
	if deaf {
		t.counters.Unattributed.Add(1)
		return
	}
	t.call.Peer.Notify(m.Method, params)
}

// divert takes what is not the caller's. Of a changed list a caller learns
// once its own view has changed, and of a changed resource when it asked to:
// the server knows nothing of what is hidden from whom.
func (t *Turn) divert(m *mcpwire.Message) bool {
	switch {
	case m.Method == mcpwire.NotifyMessage, m.Method == mcpwire.NotifyElicitationComplete:
		return false
	case IsEvent(m.Method) && t.event != nil:
		t.event(m.Method, m.Params)
	default:
		t.counters.Unattributed.Add(1)
	}
	return true
}

// progress puts the caller's own token in place of ours.
func (t *Turn) progress(params []byte) ([]byte, bool) {
	if t.call.Progress == nil {
		return params, t.call.Peer != nil // a token that was passed on as it came
	}
	token, ok := mcpwire.Field(params, "progressToken")
	if !ok || OwnID(token) != t.call.ID {
		return nil, false
	}
	return mcpwire.SetField(params, "progressToken", t.call.Progress), true
}

// request puts a request of the server to the caller, in a goroutine of its
// own: the answer may take minutes and the stream goes on.
func (t *Turn) request(ctx context.Context, m *mcpwire.Message) {
	if t.answer == nil {
		t.counters.Unattributed.Add(1)
		return
	}
	if m.Method == mcpwire.MethodPing {
		t.answer(mcpwire.AppendResult(nil, m.ID, []byte("{}")))
		return
	}
	ctx, refusal := t.open(ctx, m)
	if refusal != nil {
		t.answer(mcpwire.AppendError(nil, m.ID, refusal))
		return
	}
	go func() {
		defer t.running.Done()
		result, err := t.call.Peer.Ask(ctx, m.Method, m.Params)
		t.shut(m.ID)
		t.answer(Response(m.ID, m.Method, result, err))
	}()
}

func (t *Turn) open(ctx context.Context, m *mcpwire.Message) (context.Context, *durward.RPCError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := string(m.ID)
	switch {
	case t.over || t.call.Peer == nil:
		return nil, mcpwire.MethodNotFound(m.Method)
	case t.asks[id] != nil:
		return nil, mcpwire.InvalidRequest("the id is in use")
	case len(t.asks) >= asksAtOnce:
		return nil, mcpwire.InternalError("too many requests at once")
	}
	if t.ctx == nil {
		t.ctx, t.cancel = context.WithCancel(ctx)
		t.asks = map[string]context.CancelFunc{}
	}
	ask, cancel := context.WithCancel(t.ctx)
	t.asks[id] = cancel
	t.streamed = true
	t.running.Add(1)
	return ask, nil
}

func (t *Turn) shut(id []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cancel := t.asks[string(id)]; cancel != nil {
		cancel()
		delete(t.asks, string(id))
	}
}

// withdraw ends a request that the server no longer wants answered.
func (t *Turn) withdraw(params []byte) {
	if id, ok := mcpwire.Field(params, "requestId"); ok {
		t.shut(id)
	}
}

// End ends the turn: what is still asked is withdrawn and answered so, and
// nothing reaches the caller any more.
func (t *Turn) End() {
	t.mu.Lock()
	t.over = true
	cancel := t.cancel
	t.mu.Unlock()
	if cancel != nil {
		cancel()
		t.running.Wait()
	}
}

// Response is our answer to a request of a server.
func Response(id []byte, method string, result []byte, err error) []byte {
	if err == nil {
		return mcpwire.AppendResult(nil, id, result)
	}
	var rpc *durward.RPCError
	switch {
	case errors.As(err, &rpc):
	case errors.Is(err, durward.ErrCannotAsk):
		rpc = mcpwire.MethodNotFound(method)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		rpc = mcpwire.InternalError("the call that asked is over")
	default:
		rpc = mcpwire.InternalError("the client could not be asked")
	}
	return mcpwire.AppendError(nil, id, rpc)
}

// Disown is the answer to a request of a server that belongs to no call.
func Disown(m *mcpwire.Message, orphan func(method string) []byte) []byte {
	if orphan != nil {
		if result := orphan(m.Method); result != nil {
			return mcpwire.AppendResult(nil, m.ID, result)
		}
	}
	return mcpwire.AppendError(nil, m.ID, mcpwire.MethodNotFound(m.Method))
}

// CancelParams are the params of notifications/cancelled for a call.
func CancelParams(id uint64, reason string) []byte {
	p := strconv.AppendUint([]byte(`{"requestId":`), id, 10)
	return append(mcpwire.AppendQuote(append(p, `,"reason":`...), reason), '}')
}
