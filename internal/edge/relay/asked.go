package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// message is one that the client sent, or that is ours.
type message struct {
	n      uint64 // in which order they came
	raw    []byte
	id     []byte // raw, of a request
	method string
	params []byte
	whole  bool       // a well formed request that can be sent by itself
	parts  []*message // the requests of a batch
	// ours is called with the answer to a request of our own.
	ours   func(answer []byte)
	unsure bool        // its id was used twice, so that an answer may be another's
	sent   time.Time   // when it was sent last
	since  time.Time   // when it was held first, since a gateway was of use to it
	late   *time.Timer // while it is held
	heard  bool        // of subscriptions/listen: acknowledged
	parked []byte      // the same: its end, while we ask whether the gateway is leaving
}

func (m *message) isRequest() bool { return m.id != nil || len(m.parts) > 0 }

// requests are those that wait for answers: the message, or its parts.
func (m *message) requests() []*message {
	if m.id != nil {
		return []*message{m}
	}
	return m.parts
}

// repeatable tells whether a request has no effect, so that it may be sent
// again where its end is not known. What is not listed may have one.
func (m *message) repeatable() bool {
	if !m.whole {
		return false
	}
	switch m.method {
	case mcpwire.MethodInitialize, mcpwire.MethodDiscover, mcpwire.MethodPing, mcpwire.MethodListen, mcpwire.MethodSetLevel,
		mcpwire.MethodSubscribe, mcpwire.MethodUnsubscribe, mcpwire.MethodToolsList, mcpwire.MethodPromptsList,
		mcpwire.MethodResourcesList, mcpwire.MethodTemplatesList, mcpwire.MethodTasksGet, mcpwire.MethodTasksList:
		return true
	}
	return false
}

// read takes what the client says until it ends.
func (r *relay) read(in io.Reader) {
	lines := mcpwire.NewLineReader(in, maxAsked)
	for {
		line, err := lines.Next()
		var long *mcpwire.LineTooLong
		switch {
		case errors.As(err, &long):
			r.tell(mcpwire.AppendError(nil, long.ID, mcpwire.InvalidRequest(fmt.Sprintf("The message could not be read: it is longer than %d bytes", long.Most))))
		case err != nil:
			return
		default:
			r.take(line)
		}
	}
}

// take sends one line on its way.
func (r *relay) take(line []byte) {
	m, err := mcpwire.Scan(line, mcpwire.Limits{Bytes: maxAsked})
	var bad *mcpwire.ScanError
	switch {
	case line[0] == '[':
		r.send(&message{raw: line, parts: parts(line)})
	case errors.As(err, &bad): // the gateway says what is wrong with it
		r.send(&message{raw: line, id: bad.ID})
	case m.Kind == mcpwire.Response:
		r.answer(line, m.ID)
	case m.Kind == mcpwire.Notification:
		r.notify(&message{raw: line, method: m.Method, params: m.Params})
	default:
		r.send(&message{raw: line, id: m.ID, method: m.Method, params: m.Params, whole: true})
	}
}

// parts are the requests of a batch.
func parts(batch []byte) (all []*message) {
	if mcpwire.Value(batch, mcpwire.Limits{Bytes: maxAsked}) != nil {
		return nil
	}
	for e := range mcpwire.Elements(batch) {
		if id, method := idAndMethod(e); id != nil && method != nil {
			all = append(all, &message{id: id})
		}
	}
	return all
}

func idAndMethod(obj []byte) (id, method []byte) {
	var v [2][]byte
	mcpwire.Pick(obj, v[:], "id", "method")
	if v[0] != nil && mcpwire.IsNull(v[0]) {
		v[0] = nil
	}
	return v[0], v[1]
}

// notify passes on a notification. A cancellation of what waits here needs to
// go nowhere.
func (r *relay) notify(m *message) {
	switch m.method {
	case mcpwire.NotifyCancelled:
		id, _ := mcpwire.Field(m.params, "requestId")
		if r.withdraw(id) {
			return
		}
		r.pass(m.raw)
	case mcpwire.NotifyProgress:
		r.pass(m.raw)
	default:
		r.send(m)
	}
}

// withdraw forgets a request that the client cancelled: it expects no answer.
// True when no gateway knows it.
func (r *relay) withdraw(id []byte) (here bool) {
	key := mcpwire.IDKey(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.open.withdraw(key)
	for i := len(r.held) - 1; i >= 0; i-- {
		if m := r.held[i]; m.id != nil && mcpwire.IDKey(m.id) == key {
			r.unhold(i)
			here = true
		}
	}
	return here && !known
}

// answer passes on the answer to a question of this gateway. One to a question
// of another gateway has nowhere to go.
func (r *relay) answer(line, id []byte) {
	key := mcpwire.IDKey(id)
	r.sending.Lock() // no other gateway comes meanwhile, whose question has this id
	defer r.sending.Unlock()
	r.mu.Lock()
	q, known := r.asked[key]
	first := r.round <= 1
	delete(r.asked, key)
	r.mu.Unlock()
	switch {
	case known && string(q.theirs) != string(id):
		r.passOn(mcpwire.SetField(line, "id", q.theirs))
	case known || first: // what nobody asked is the gateway's to count
		r.passOn(line)
	}
}

// pass sends what belongs to this gateway or to none.
func (r *relay) pass(line []byte) {
	r.sending.Lock()
	defer r.sending.Unlock()
	r.passOn(line)
}

// passOn is pass with sending held.
func (r *relay) passOn(line []byte) {
	r.mu.Lock()
	conn := r.conn
	r.mu.Unlock()
	if conn != nil {
		_, _ = write(conn, line) // to a gateway that went away it says nothing
	}
}

// send sends a message, or keeps it for the next gateway.
func (r *relay) send(m *message) {
	r.sending.Lock()
	defer r.sending.Unlock()
	r.mu.Lock()
	r.count++
	m.n = r.count
	conn := r.conn
	if conn == nil || len(r.held) > 0 || (r.leaving && m.isRequest()) {
		full := !r.hold(m)
		r.mu.Unlock()
		if full {
			r.refuse(m, "Too much waits for the gateway to be there again; nothing was begun.")
		}
		return
	}
	r.enter(m)
	r.mu.Unlock()
	if n, err := write(conn, m.raw); err != nil {
		r.unsent(m, n)
	}
}

// enter notes what is about to be sent; mu is held.
func (r *relay) enter(m *message) {
	for _, p := range m.requests() {
		p.n, p.sent = m.n, time.Now()
		r.open.enter(p)
	}
	if m.method == mcpwire.NotifyInitialized {
		r.talk.initialized = true
	}
}

// unsent keeps a message for the next gateway of which this one has got n bytes,
// when it cannot have read it as a whole.
func (r *relay) unsent(m *message, n int) {
	if n >= len(m.raw) || len(m.parts) > 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.id != nil && !r.open.leave(m) {
		return // withdrawn
	}
	r.hold(m)
}

func write(conn Conn, msg []byte) (int, error) {
	return conn.Write(append(append(make([]byte, 0, len(msg)+1), msg...), '\n'))
}

// hold keeps a message for the next gateway, as long as there is room; mu is held.
func (r *relay) hold(m *message) bool {
	if len(r.held) >= heldMessages || (len(r.held) > 0 && r.bytes+len(m.raw) > heldBytes) {
		return false
	}
	i, _ := slices.BinarySearchFunc(r.held, m.n, func(h *message, n uint64) int {
		if h.n < n {
			return -1
		}
		return 1
	})
	r.held = slices.Insert(r.held, i, m)
	r.bytes += len(m.raw)
	if m.isRequest() && r.round > 0 {
		if m.since.IsZero() || time.Since(m.sent) > brief {
			m.since = time.Now()
		}
		m.late = time.AfterFunc(r.o.Return-time.Since(m.since), func() { r.expire(m) })
	}
	return true
}

// waits tells whether a request is held; mu is held.
func (r *relay) waits(id []byte) bool {
	key := mcpwire.IDKey(id)
	return slices.ContainsFunc(r.held, func(m *message) bool { return m.id != nil && mcpwire.IDKey(m.id) == key })
}

// unhold takes a message out; mu is held.
func (r *relay) unhold(i int) *message {
	m := r.held[i]
	r.held = slices.Delete(r.held, i, i+1)
	r.bytes -= len(m.raw)
	if m.late != nil {
		m.late.Stop()
	}
	return m
}

// expire answers a request that waited for too long.
func (r *relay) expire(m *message) {
	r.mu.Lock()
	i := slices.Index(r.held, m)
	if i >= 0 {
		r.unhold(i)
	}
	r.mu.Unlock()
	if i >= 0 {
		r.refuse(m, fmt.Sprintf("The gateway was away for %s; nothing was begun.", r.o.Return))
	}
}

// giveUp answers everything that waits.
func (r *relay) giveUp(text string) {
	r.mu.Lock()
	var owed []*message
	for len(r.held) > 0 {
		owed = append(owed, r.unhold(0))
	}
	r.mu.Unlock()
	for _, m := range owed {
		r.refuse(m, text)
	}
}

// lost settles what was under way at a gateway that went away.
func (r *relay) lost() {
	r.sending.Lock()
	defer r.sending.Unlock()
	r.mu.Lock()
	r.conn, r.leaving = nil, false
	var owed []*message
	for _, m := range r.open.clear() {
		switch {
		case m.ours != nil:
		case !r.over && !m.unsure && m.repeatable() && r.hold(m):
			m.parked = nil
		default:
			owed = append(owed, m)
		}
	}
	questions := r.asked
	r.asked = map[string]question{}
	r.mu.Unlock()
	slices.SortFunc(owed, func(a, b *message) int { return int(a.n) - int(b.n) })
	for _, m := range owed {
		r.tell(cutOff(m.id))
	}
	for _, q := range questions {
		r.tell(withdrawal(q.id))
	}
}

// cutOff answers a request whose end nobody knows.
func cutOff(id []byte) []byte {
	return mcpwire.AppendError(nil, id, &durward.RPCError{
		Code:    mcpwire.CodeInternal,
		Message: "The connection to the gateway ended while this was under way. Whether it had an effect is not known: look before you ask for it again.",
		Data:    reason(durward.ReasonCutOff),
	})
}

// refuse answers what no gateway has begun.
func (r *relay) refuse(m *message, text string) {
	for _, p := range m.requests() {
		r.tell(mcpwire.AppendError(nil, p.id, &durward.RPCError{Code: 503, Message: text, Data: reason(durward.ReasonNotBegun)}))
	}
}

func reason(why durward.Reason) []byte {
	data, _ := json.Marshal(map[string]durward.Reason{"reason": why}) // one word always marshals
	return data
}
