package mcpedge

import (
	"durward"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"net/http"
	"sync"
	"time"
)

const (
	typeJSON   = "application/json"
	typeEvents = "text/event-stream"
)

// stream is the answer to one POST. It stays unwritten, so that the answer can
// be plain JSON, until the first message that is not the answer; from then on it
// is a stream of events with a goroutine of its own.
type stream struct {
	x         *httpwire.Exchange
	keepAlive time.Duration
	json      bool   // the agent takes JSON
	events    bool   // the agent takes events
	lost      func() // the agent does not take what is written

	mu    sync.Mutex // guards what follows
	ended bool
	box   *outbox       // nil until the stream is begun
	done  chan struct{} // closed when all is written

	dropped int // messages that found no room; set by finish
}

// tell sends a message that is not the answer.
func (s *stream) tell(msg []byte) bool { return s.begin() && s.box.news(msg) }

// begin turns the answer into a stream; false when it cannot be one any more.
func (s *stream) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !s.events {
		return false
	}
	if s.box == nil {
		s.box, s.done = newOutbox(), make(chan struct{})
		go s.write()
	}
	return true
}

// finish sends the last message of a stream, if there is a stream, and waits
// until all is written. It reports false, and has done nothing, when the answer
// is still to be given as JSON. last may return nil: nothing more to say.
func (s *stream) finish(last func() []byte) bool {
	if !s.json {
		s.begin()
	}
	s.mu.Lock()
	s.ended = true
	begun := s.box != nil
	s.mu.Unlock()
	if !begun {
		return false
	}
	if msg := last(); msg != nil {
		s.box.answer(msg, s.done)
	}
	s.dropped = s.box.close()
	<-s.done // bounded: each write has a deadline
	return true
}

// afterSilence begins the stream when nothing was said for a while, so that
// the connection does not look dead. The returned function calls that off.
func (s *stream) afterSilence() (calledOff func() bool) {
	return time.AfterFunc(s.keepAlive, func() { s.begin() }).Stop
}

func (s *stream) write() {
	defer close(s.done)
	out := beginEvents(s.x)
	if err := s.box.pour(nil, s.keepAlive, out.messages, out.quiet); err != nil {
		s.box.close()
		s.lost()
	}
}

// eventWriter writes events to one agent.
type eventWriter struct {
	out *httpwire.Stream
	buf []byte
}

func beginEvents(x *httpwire.Exchange) *eventWriter {
	x.Set("Cache-Control", "no-store")
	x.Set("X-Accel-Buffering", "no")
	return &eventWriter{out: x.Stream(http.StatusOK, typeEvents)}
}

// messages writes messages with one flush.
func (w *eventWriter) messages(msgs [][]byte) error {
	w.buf = w.buf[:0]
	for _, m := range msgs {
		w.buf = mcpwire.AppendEvent(w.buf, mcpwire.Event{Event: "message", Data: m})
	}
	_, err := w.out.Write(w.buf)
	if cap(w.buf) > 64<<10 {
		w.buf = nil // a stream may be silent for long
	}
	return err
}

// quiet keeps the connection from looking dead.
func (w *eventWriter) quiet() error {
	_, err := w.out.Write([]byte(mcpwire.KeepAlive))
	return err
}

// event writes what happened.
func (w *eventWriter) event(e durward.Event) error {
	return w.messages([][]byte{mcpwire.AppendNotification(nil, e.Method, e.Params)})
}
