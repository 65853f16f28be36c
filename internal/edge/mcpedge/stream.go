package mcpedge

import (
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
	json      bool    // the agent takes JSON
	events    bool    // the agent takes events
	lost      func()  // the agent does not take what is written
	memory    *memory // of the session, where streams can be resumed
	primes    bool    // the agent's revision has priming events
	budget    *budget // of memories
	counts    *counts

	mu    sync.Mutex // guards what follows
	ended bool
	way   way     // nil until the stream is begun
	first *reader // that of the POST

	silence *time.Timer // see afterSilence

	dropped int // messages that found no room; set by finish
}

// way is where a stream's messages go.
type way interface {
	tell(msg []byte) bool
	end(msg []byte) (lost int)
	leave(r *reader, all bool)
}

// passing is the way of a stream that is not remembered.
type passing struct{ *reader }

func (p passing) tell(msg []byte) bool { return p.box.news(frame(msg)) }

func (p passing) end(msg []byte) (lost int) {
	if msg != nil {
		p.box.answer(frame(msg), p.done)
	}
	return p.box.close()
}

func (p passing) leave(_ *reader, all bool) {
	if !all {
		p.box.close()
	}
}

// frame makes an event that nobody can come back to.
func frame(msg []byte) []byte {
	return mcpwire.AppendEvent(make([]byte, 0, len(msg)+32), mcpwire.Event{Event: "message", Data: msg})
}

// tell sends a message that is not the answer.
func (s *stream) tell(msg []byte) bool { return s.begin() && s.way.tell(msg) }

// begin turns the answer into a stream; false when it cannot be one any more.
func (s *stream) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !s.events {
		return false
	}
	if s.way == nil {
		s.open()
		go s.write(s.way, s.first)
	}
	return true
}

// open is called with mu held.
func (s *stream) open() {
	if s.memory != nil {
		if t, r := s.memory.begin(s.budget, s.primes); t != nil {
			s.way, s.first = t, r
			return
		}
		s.counts.add(streamsForgotten)
	}
	s.first = newReader(nil)
	s.way = passing{s.first}
}

// finish sends the last message of a stream, if there is a stream, and waits
// until its first reader is done. It reports false, and has done nothing, when
// the answer is still to be given as JSON. last may return nil: nothing more to
// say.
func (s *stream) finish(last func() []byte) bool {
	if !s.json {
		s.begin()
	}
	s.mu.Lock()
	s.ended = true
	begun := s.way != nil
	s.mu.Unlock()
	if !begun {
		return false
	}
	s.dropped = s.way.end(last())
	<-s.first.done // bounded: each write has a deadline
	return true
}

// afterSilence begins the stream when nothing was said for a while: so that the
// connection does not look dead, and an agent that loses it knows what to come
// back to. When the call has lasted for as long as bound says, it is given up.
// The returned function calls both off; it is called after finish.
func (s *stream) afterSilence(bound time.Duration, giveUp func()) (calledOff func() bool) {
	d := s.keepAlive
	if s.memory != nil {
		d = min(d, patience)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := false
	s.silence = time.AfterFunc(d, func() { // one timer for both: most calls need neither
		if begun {
			giveUp()
			return
		}
		begun = true
		s.begin()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.ended && bound != unbound {
			s.silence.Reset(max(bound-d, 0))
		}
	})
	return s.silence.Stop
}

// unbound is the time of a call that may last.
const unbound time.Duration = 0

// patience is how long an answer stays unwritten that an agent could come back
// for.
const patience = 2 * time.Second

func (s *stream) write(w way, r *reader) {
	defer close(r.done)
	out := beginEvents(s.x)
	err := r.box.pour(nil, nil, s.keepAlive, out.send, out.quiet)
	w.leave(r, err == nil)
	if err != nil {
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
	return w.flush()
}

// send writes events that are made already, with one flush.
func (w *eventWriter) send(events [][]byte) error {
	if len(events) == 1 {
		_, err := w.out.Write(events[0])
		return err
	}
	w.buf = w.buf[:0]
	for _, e := range events {
		w.buf = append(w.buf, e...)
	}
	return w.flush()
}

func (w *eventWriter) flush() error {
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
