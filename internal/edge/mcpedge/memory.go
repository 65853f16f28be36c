package mcpedge

import (
	"bytes"
	"durward/internal/mcpwire"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What is kept of the streams of one session, for an agent that comes back for
// it. An answer that nobody has read is kept before anything else.
const (
	keptEvents = 256              // of one stream
	keptBytes  = 4 << 20          // of one session
	keptTracks = 64               // streams of one session that have ended
	keptRead   = time.Minute      // how long, when the agent has read the stream to its end
	keptUnread = 10 * time.Minute // how long, when it has not
	keptNews   = 16               // events of the stream that belongs to no call
	trackCost  = 256              // bytes of a stream that keeps nothing
	reconnect  = 1000             // ms that an agent waits before it comes back
)

// budget bounds what is kept of all sessions, in bytes.
type budget struct {
	most int64
	used atomic.Int64
}

func (b *budget) spend(n int) bool {
	if b.used.Add(int64(n)) <= b.most {
		return true
	}
	b.refund(n)
	return false
}

func (b *budget) refund(n int) { b.used.Add(-int64(n)) }

// memory is what was sent on the streams of a session (revisions 2025-03-26 to
// 2025-11-25, resumability and redelivery). It holds nothing before the first
// stream and some time after the last. Safe for concurrent use.
type memory struct {
	mu     sync.Mutex // guards what follows, and the tracks
	tracks []*track   // by age
	news   *track     // of the stream that belongs to no call
	opened uint64     // streams, ever
	bytes  int
	gone   bool
}

// track is one stream as it is remembered. Events have consecutive numbers.
type track struct {
	memory *memory
	budget *budget
	stream uint64   // 0 for the one that belongs to no call
	next   uint64   // number of the next event
	events [][]byte // the newest, as they travel
	bytes  int
	reader *reader
	ended  bool
	owed   bool // ended, and not read to its end
	lost   int  // news that found no room
	expiry *time.Timer
	answer bool   // there was one
	id     []byte // raw, of the call that it is to; nil for a batch
	// instead is told to who comes back for an answer that is not kept.
	instead []byte
}

// reader is a connection on which a stream is written, and what waits for it.
type reader struct {
	box  *outbox // of events as they travel
	done chan struct{}
}

func newReader(events [][]byte) *reader {
	r := &reader{box: newOutbox(), done: make(chan struct{})}
	for _, e := range events { // bounded by what is kept
		r.box.add(e)
	}
	return r
}

// begin opens a stream and gives it its first reader; nil when there is no
// room for another one.
func (m *memory) begin(b *budget, primes bool) (*track, *reader) {
	if !b.spend(trackCost) {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened++
	t := &track{memory: m, budget: b, stream: m.opened, reader: newReader(nil)}
	m.tracks = append(m.tracks, t)
	if primes {
		t.prime()
	}
	return t, t.reader
}

// prime gives the agent a place to come back to, before there is anything to
// tell (MCP 2025-11-25). Called with mu held.
func (t *track) prime() {
	e := t.frame(nil)
	if t.reader != nil {
		t.reader.box.news(e)
	}
	t.keep(e, keptEvents)
}

// frame makes the next event. Called with mu held.
func (t *track) frame(msg []byte) []byte {
	e := mcpwire.Event{ID: strconv.FormatUint(t.stream, 10) + "-" + strconv.FormatUint(t.next, 10), Event: "message", Data: msg}
	if msg == nil {
		e.Event, e.Retry = "", reconnect
	}
	return mcpwire.AppendEvent(make([]byte, 0, len(msg)+len(e.ID)+40), e)
}

// tell sends a message that is not the answer, or keeps it for a reader to
// come; false when there is no room.
func (t *track) tell(msg []byte) bool {
	m := t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	e := t.frame(msg)
	switch {
	case t.ended:
		return false
	case t.reader != nil:
		if !t.reader.box.news(e) { // which counts it
			return false
		}
	case !t.fits(len(e)):
		t.lost++
		return false
	}
	t.keep(e, keptEvents)
	return true
}

// end sends the answer, or keeps it; nil is no answer. It returns how many
// messages found no room.
func (t *track) end(msg []byte) (lost int) {
	m := t.memory
	m.mu.Lock()
	t.ended, t.owed = true, true
	var e []byte
	if msg != nil {
		id, _ := mcpwire.Field(msg, "id")
		t.answer, t.id = true, bytes.Clone(id)
		e = t.frame(msg)
		if t.keep(e, keptEvents); len(t.events) == 0 {
			t.instead = notKept(t.id)
		}
	}
	t.forgetIn(keptUnread)
	m.settle()
	r := t.reader
	lost = t.lost
	m.mu.Unlock()
	if r == nil {
		return lost
	}
	if e != nil {
		r.box.answer(e, r.done)
	}
	return lost + r.box.close()
}

// notKept stands for an answer that there was no room for.
func notKept(id []byte) []byte {
	return mcpwire.AppendError(nil, id, mcpwire.InternalError("The answer came while the stream was broken, and there was no room to keep it; call again if that is safe"))
}

// letGo makes room of what a stream keeps that was read, as far as we know:
// who comes back for it all the same, because what we wrote did not arrive, is
// told that it is gone. Called with mu held.
func (t *track) letGo() {
	if len(t.events) > 0 && t.answer {
		t.instead = notKept(t.id)
	}
	t.drop(len(t.events))
}

// resume gives a stream a new reader, for whom everything behind an event is
// told again. The reader before has lost it. Nothing is returned when nothing
// is left to tell, or the event is none of the stream's.
func (t *track) resume(after uint64, primes bool) *reader {
	m := t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if after >= t.next {
		return nil
	}
	if t.instead != nil && after < t.next-1 {
		t.keep(t.frame(t.instead), keptEvents)
		t.instead = nil
	}
	rest := t.since(after)
	if t.ended && len(rest) == 0 {
		return nil
	}
	if t.reader != nil {
		t.lost += t.reader.box.abandon()
	}
	t.reader = newReader(rest)
	if primes && len(rest) == 0 {
		t.prime() // an agent may forget its place when it connects
	}
	if t.ended {
		t.reader.box.close()
	}
	return t.reader
}

// since returns what is kept behind an event. Called with mu held.
func (t *track) since(after uint64) [][]byte {
	missed := int(min(t.next-1-after, uint64(len(t.events))))
	return t.events[len(t.events)-missed:]
}

// leave takes a reader away, who has read all that it was given or not.
func (t *track) leave(r *reader, all bool) {
	m := t.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.reader != r {
		return
	}
	t.reader = nil
	if !t.ended { // else end has counted
		t.lost += r.box.close()
	}
	if t.ended && all {
		t.owed = false
		t.forgetIn(keptRead)
	}
}

// fits reports whether there is room for n bytes more, and makeRoom lets go of
// what was read for them. Both are called with mu held.
func (t *track) fits(n int) bool {
	return len(t.events) < keptEvents && t.memory.bytes+n <= keptBytes && t.budget.used.Load()+int64(n) <= t.budget.most
}

func (t *track) makeRoom(n int) bool {
	for _, old := range t.memory.tracks {
		if t.fits(n) {
			break
		}
		if old.ended && !old.owed {
			old.letGo()
		}
	}
	for !t.fits(n) && len(t.events) > 0 {
		t.drop(1)
	}
	return t.fits(n)
}

// keep counts an event and remembers it among the newest. One that there is no
// room for leaves a gap. Called with mu held.
func (t *track) keep(e []byte, most int) {
	t.next++
	if len(t.events) >= most {
		t.drop(len(t.events) - most + 1)
	}
	if t.memory.gone || !t.makeRoom(len(e)) || !t.budget.spend(len(e)) {
		t.drop(len(t.events))
		return
	}
	t.events = append(t.events, e)
	t.bytes += len(e)
	t.memory.bytes += len(e)
}

// drop forgets the oldest n events. Called with mu held.
func (t *track) drop(n int) {
	for _, e := range t.events[:n] {
		t.bytes -= len(e)
		t.memory.bytes -= len(e)
		t.budget.refund(len(e))
	}
	clear(t.events[:n])
	if t.events = t.events[n:]; len(t.events) == 0 {
		t.events = nil
	}
}

// forgetIn forgets the track after a while. Called with mu held.
func (t *track) forgetIn(d time.Duration) {
	if t.memory.gone {
		t.forget()
		return
	}
	if t.expiry != nil {
		t.expiry.Reset(d)
		return
	}
	t.expiry = time.AfterFunc(d, func() {
		t.memory.mu.Lock()
		defer t.memory.mu.Unlock()
		t.forget()
	})
}

// forget lets go of a track. Called with mu held.
func (t *track) forget() {
	if t.expiry != nil {
		t.expiry.Stop()
	}
	t.drop(len(t.events))
	m := t.memory
	i := slices.Index(m.tracks, t)
	if i < 0 {
		return
	}
	t.budget.refund(trackCost)
	if m.tracks = slices.Delete(m.tracks, i, i+1); len(m.tracks) == 0 {
		m.tracks = nil
	}
}

// settle lets go of the oldest streams that have ended, when there are too
// many. Called with mu held.
func (m *memory) settle() {
	ended := 0
	for _, t := range m.tracks {
		if t.ended {
			ended++
		}
	}
	for i := 0; ended > keptTracks && i < len(m.tracks); {
		if !m.tracks[i].ended {
			i++
			continue
		}
		m.tracks[i].forget()
		ended--
	}
}

// of finds a stream of a call; nil when it is not remembered.
func (m *memory) of(stream uint64) *track {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tracks {
		if t.stream == stream {
			return t
		}
	}
	return nil
}

// note makes the next event of the stream that belongs to no call; nil primes.
func (m *memory) note(b *budget, msg []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.news == nil {
		m.news = &track{memory: m, budget: b}
	}
	e := m.news.frame(msg)
	m.news.keep(e, keptNews)
	m.news.forgetIn(keptRead)
	return e
}

// missed returns what an agent has not seen of the stream that belongs to no
// call; false when that is not known any more.
func (m *memory) missed(after uint64) (events [][]byte, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.news
	if t == nil || after >= t.next {
		return nil, false
	}
	events = t.since(after)
	return events, uint64(len(events)) == t.next-1-after
}

// end forgets everything; streams under way go on without being remembered.
func (m *memory) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
	if m.news != nil {
		m.news.forget()
	}
	for len(m.tracks) > 0 {
		m.tracks[0].forget()
	}
}

// placeOf reads an event id of ours: its stream, and its number there.
func placeOf(id string) (stream, number uint64, ok bool) {
	s, n, _ := strings.Cut(id, "-")
	stream, err := strconv.ParseUint(s, 10, 64)
	number, err2 := strconv.ParseUint(n, 10, 64)
	return stream, number, err == nil && err2 == nil && strconv.FormatUint(stream, 10)+"-"+strconv.FormatUint(number, 10) == id
}
