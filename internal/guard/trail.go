package guard

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"durward"
)

// Trail is the end of what one upstream said last in a conversation, so that
// orders in parts are read as one: the next reply, notification or question is
// also read as if it went on where the last one ended. Nothing is held back for
// that: the verdict falls on the message that completes the order. Of messages
// that are read at the same time each is also read with those that were read
// before it was done, in either order: which of them a model sees first is not
// known. The zero Trail is ready, and safe for concurrent use.
type Trail struct {
	mu     sync.Mutex // guards what follows
	end    ending
	landed uint64    // how many messages are in it
	open   int       // how many are being read
	late   []*landed // messages that were done while others were read
}

// ending is the end of one text or of several. Where one goes on where another
// ended, within a word, it may be the same word or the next.
type ending struct {
	tight, loose []byte  // as if nothing, and as if a blank, stood between texts
	parted       bool    // they differ
	hot          bool    // words of orders may be in it
	score        float64 // probability of orders in it alone
	own          share   // of the message that is read
}

// share is how much of an ending one message has put there.
type share struct {
	tight, loose int // bytes, at the end
	hot          bool
	score        float64
}

// mostEnding is how much of two texts is read together: two sentences.
const mostEnding = 320

func (e *ending) copy(o *ending) {
	e.tight, e.loose = append(e.tight[:0], o.tight...), append(e.loose[:0], o.loose...)
	e.parted, e.hot, e.score, e.own = o.parted, o.hot, o.score, o.own
}

func (e *ending) clear() {
	e.tight, e.loose, e.parted, e.hot, e.score, e.own = e.tight[:0], e.loose[:0], false, false, 0, share{}
}

// add goes on with a text.
func (e *ending) add(text []byte, hot bool, score float64) {
	if len(text) >= mostEnding {
		e.clear()
	}
	e.parted = e.parted || e.within(text)
	e.tight = lastOf(append(e.tight, text...))
	if len(e.loose) > 0 {
		e.loose = append(e.loose, ' ')
	}
	e.loose = lastOf(append(e.loose, text[max(0, len(text)-mostEnding):]...))
	e.hot, e.score = e.hot || hot, max(e.score, score)
	e.own = share{min(e.own.tight+len(text), len(e.tight)), min(e.own.loose+len(text)+1, len(e.loose)), e.own.hot || hot, max(e.own.score, score)}
}

// mine is what the message that is read has put there, for as long as the
// ending stays as it is.
func (e *ending) mine() ending {
	o := e.own
	return ending{tight: e.tight[len(e.tight)-o.tight:], loose: bytes.TrimPrefix(e.loose[len(e.loose)-o.loose:], blank), parted: e.parted, hot: o.hot, score: o.score}
}

var blank = []byte(" ")

// join goes on with the end of another message.
func (e *ending) join(o *ending) {
	if len(o.tight) >= mostEnding {
		e.copy(o)
		return
	}
	e.parted = e.parted || o.parted || e.within(o.tight)
	e.tight = lastOf(append(e.tight, o.tight...))
	if len(e.loose) > 0 {
		e.loose = append(e.loose, ' ')
	}
	e.loose = lastOf(append(e.loose, o.loose...))
	e.hot, e.score = e.hot || o.hot, max(e.score, o.score)
}

// lastOf keeps the end of a text.
func lastOf(b []byte) []byte {
	from := max(0, len(b)-mostEnding)
	if from == 0 {
		return b
	}
	for from < len(b) && !utf8.RuneStart(b[from]) {
		from++
	}
	return append(b[:0], b[from:]...)
}

// within reports that a text goes on within a word, or something encoded.
func (e *ending) within(text []byte) bool {
	return len(e.tight) > 0 && len(text) > 0 && wordByte(e.tight[len(e.tight)-1]) && wordByte(text[0])
}

// Listener reads what a server says where it may go on with what it said before.
type Listener struct {
	scope *Scope
	trail *Trail
	care  care
}

// After reads messages as going on from a trail; nil stands for none.
func (s *Scope) After(t *Trail) Listener { return Listener{scope: s, trail: t} }

// Listen reads what the upstream of an operation says in this conversation: as
// going on from what it said last, and with more care when private data was
// read or orders were found in it before.
func (c *Conversation) Listen(s *Scope) Listener {
	l := s.After(c.trail(s.op.Upstream))
	if c.wary() {
		l.care = wary
	}
	return l
}

func (l Listener) read(raw []byte, most durward.Effect, spot string, c care) *Seen {
	if l.scope.off {
		return nothing
	}
	r := readings.Get().(*reading)
	r.care = max(c, l.care)
	return r.read(l.scope, raw, most, spot, l.trail)
}

// Read is [Scope.Read].
func (l Listener) Read(raw []byte, most durward.Effect) *Seen { return l.read(raw, most, "", usual) }

// Asked is [Scope.Asked].
func (l Listener) Asked(raw []byte) *Seen { return l.read(raw, durward.Deny, "", early) }

// Spotlight is [Scope.Spotlight].
func (l Listener) Spotlight(raw []byte, most durward.Effect, nonce string) *Seen {
	return l.read(raw, most, nonce, usual)
}

// crossing is what is found where a text goes on from an ending, and in neither
// of them alone: its place in the text, which begins before it.
func (r *reading) crossing(from *ending, text []byte, hot bool, alone float64) (f durward.Finding, at span, ok bool) {
	if len(from.loose) == 0 || len(text) == 0 {
		return f, at, false
	}
	head := text[:min(len(text), mostEnding)]
	if from.within(text) || from.parted {
		r.joint = append(append(r.joint[:0], from.tight...), head...)
		if f, at, ok = r.meet(from, len(from.tight), hot, alone); ok {
			return f, at, true
		}
	}
	r.joint = append(append(append(r.joint[:0], from.loose...), ' '), head...)
	return r.meet(from, len(from.loose)+1, hot, alone)
}

// meet reads two texts together that meet at start.
func (r *reading) meet(from *ending, start int, hot bool, alone float64) (f durward.Finding, at span, ok bool) {
	e, known := r.scope.engine, &r.scope.policy.known
	if !from.hot && !hot && !e.stirs(r.joint, start) {
		return f, at, false
	}
	mark, seen := known.has(r.joint)
	if seen {
		return f, at, false
	}
	e.text(r.joint, &r.meeting)
	if len(r.meeting.Findings) == 0 {
		known.add(mark)
		return f, at, false
	}
	return meets(&r.meeting, start, max(from.score, alone))
}

// above is what reading two texts together must add, so that chance neighbours
// do not.
const above = 0.1

// meets finds the gravest finding that lies on both sides of a place.
func meets(rep *Report, start int, alone float64) (best durward.Finding, at span, ok bool) {
	for _, f := range rep.Findings {
		a, b, placed := bytesOf(f.Where)
		if !placed || a >= start || b <= start {
			continue
		}
		switch {
		case strings.HasPrefix(f.Rule, "result.") && f.Score >= alone+above:
			of := rule("result.split")
			f.Rule, f.Severity = of.ID, of.severity(f.Score)
		case f.Rule == "secret.credential" && f.Score > 0.95:
		default:
			continue
		}
		if f.Score > best.Score {
			best, at, ok = f, span{a - start, b - start}, true
		}
	}
	return best, at, ok
}

// stirs reports words of orders, or the middle of something encoded, where two
// texts meet.
func (e *Engine) stirs(joint []byte, start int) bool {
	const reach = 48
	around := joint[max(0, start-reach):min(len(joint), start+reach)]
	for _, c := range around {
		if c >= 0x80 {
			return true // folded only when it is read
		}
	}
	return encodedAt(joint, start) || e.lex.Triggered(around)
}

// encodedAt reports a long run without blanks around a place.
func encodedAt(b []byte, at int) bool {
	from, to := at, at
	for from > 0 && b[from-1] > ' ' {
		from--
	}
	for to < len(b) && b[to] > ' ' {
		to++
	}
	return to-from >= leastEncoded && at > from && to > at
}

func wordByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c >= 0x80 || c == '+' || c == '/' || c == '=' || c == '_' || c == '-'
}

// goesOn is what is found where a text goes on from what was read before it.
func (r *reading) goesOn(text []byte, rep *Report) (f durward.Finding, at span, ok bool) {
	r.texts++
	if f, at, ok = r.crossing(&r.last, text, rep.hot, rep.orders); !ok && r.texts == 2 { // which of two texts comes first is not known
		f, at, ok = r.crossing(&r.before, text, rep.hot, rep.orders)
	}
	return f, at, ok
}
