package guard

import (
	"bytes"
	"slices"
	"strings"

	"durward"
	"durward/internal/mcpwire"
)

// mostLate is how many messages are kept for those that are being read beside them.
const mostLate = 8

// landed is a message that was read: what was read of it first, and how it
// ends. It does not change any more.
type landed struct {
	at    uint64 // how many there were with it
	heads []head
	tail  ending
}

// head is how a text begins.
type head struct {
	text  []byte
	hot   bool
	alone float64
}

// place is where a piece of a text stands in the text and in the message.
type place struct {
	span
	of   durward.Span
	text bool
}

// borders are what a reading keeps of its message for those that are read at
// the same time: how its first two texts begin, since which of them stands
// first is not known, and where what it begins and ends with stands.
type borders struct {
	from   uint64 // how many messages the trail had when it began
	heads  [2]head
	firsts [2][]place
	lasts  []place // of the text that stands last
	length int     // of it
}

func (b *borders) reset() {
	for k := range b.heads {
		b.heads[k].text, b.firsts[k] = b.heads[k].text[:0], b.firsts[k][:0]
	}
	b.lasts = b.lasts[:0]
}

// begin copies the ending, for it is read without the lock, and says that a
// message is being read.
func (t *Trail) begin(into *ending) (from uint64) {
	if t == nil {
		into.clear()
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
	into.copy(&t.end)
	into.own = share{}
	return t.landed
}

// leave says that a message is not read any more.
func (t *Trail) leave() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open--; t.open == 0 {
		t.late = nil
	}
}

// land puts a message that was read at the end of a trail. Those that were
// done since it began are read together with it first.
func (r *reading) land(t *Trail) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	beside := t.landed != r.from
	if beside {
		r.meetAll(t)
	}
	mine := r.final.mine()
	if t.landed++; t.open > 1 {
		if len(t.late) == mostLate {
			t.late = slices.Delete(t.late, 0, 1)
		}
		t.late = append(t.late, r.asLanded(t.landed, &mine))
	}
	if beside {
		t.end.join(&mine)
	} else {
		t.end.copy(&r.final)
	}
}

func (r *reading) asLanded(at uint64, tail *ending) *landed {
	l := &landed{at: at}
	l.tail.copy(tail)
	for _, h := range r.heads {
		if len(h.text) > 0 {
			l.heads = append(l.heads, head{slices.Clone(h.text), h.hot, h.alone})
		}
	}
	return l
}

// meetAll reads the message as going on from those that were done since it
// began, and those as going on from it. The trail is locked.
func (r *reading) meetAll(t *Trail) {
	for k := range r.heads {
		if r.goesOnFrom(&t.end, k) {
			break
		}
	}
	for _, l := range t.late {
		if l.at <= r.from {
			continue
		}
		for k := range r.heads {
			if r.goesOnFrom(&l.tail, k) {
				break
			}
		}
		for _, h := range l.heads {
			mine := r.final.mine()
			if f, at, ok := r.crossing(&mine, h.text, h.hot, h.alone); ok {
				r.split(f, r.lasts, span{r.length + at.start, r.length})
				break
			}
		}
	}
}

// goesOnFrom reads the beginning of a text as going on from an ending.
func (r *reading) goesOnFrom(from *ending, k int) bool {
	h := &r.heads[k]
	f, at, ok := r.crossing(from, h.text, h.hot, h.alone)
	if ok {
		r.split(f, r.firsts[k], span{0, at.end})
		h.text = h.text[:0] // what was told is over
	}
	return ok
}

// split takes a finding that lies in two messages, and cuts what has to go out
// of this one: a part of a text, of which the pieces around it are given.
func (r *reading) split(f durward.Finding, at []place, gone span) {
	v := r.note()
	if len(at) > 0 {
		f.Where = r.pointer(at[0].of.Start)
	}
	v.Score = max(v.Score, f.Score)
	if f.Rule == "result.split" {
		v.Orders = max(v.Orders, f.Score)
	}
	if r.scope.takeAt(v, f, r.most, r.care) > durward.Redact {
		return
	}
	for _, p := range at {
		if p.start < gone.end && p.end > gone.start {
			r.cutPlace(p, gone)
		}
	}
	r.final.clear()
}

// cutPlace cuts a part of a text out of one of its pieces; one of which a part
// has gone already goes whole.
func (r *reading) cutPlace(p place, gone span) {
	text, _ := mcpwire.Text(r.raw[p.of.Start:p.of.End])
	whole := piece{span: p.of, text: p.text}
	from, to := max(0, gone.start-p.start), max(0, gone.end-p.start)
	left := text[:min(from, len(text))] + notice + text[min(to, len(text)):]
	r.edits = slices.DeleteFunc(r.edits, func(e mcpwire.Edit) bool {
		if e.Span != p.of {
			return false
		}
		if !bytes.Equal(e.New, mcpwire.Quote(r.marked(whole, text))) {
			left = notice
		}
		return true
	})
	r.edit(whole, strings.ToValidUTF8(left, ""))
}

// follow notes how a text begins and ends, for what is read beside it and what
// comes next.
func (r *reading) follow(text []byte, parts []piece, rep *Report) {
	if k := r.texts - 1; 0 <= k && k < len(r.heads) {
		r.heads[k] = head{append(r.heads[k].text[:0], text[:min(len(text), mostEnding)]...), rep.hot, rep.orders}
		r.firsts[k] = r.firsts[k][:0]
		for _, p := range parts {
			if p.start >= mostEnding {
				break
			}
			r.firsts[k] = append(r.firsts[k], place{span{p.start, p.end}, p.span, p.text})
		}
	}
	r.last.add(text, rep.hot, rep.orders)
	if end := parts[len(parts)-1].span.End; end > r.ends {
		r.ends = end
		r.final.copy(&r.last)
		r.lasts, r.length = r.lasts[:0], len(text)
		for k := len(parts) - 1; k >= 0 && parts[k].end > len(text)-mostEnding; k-- {
			r.lasts = append(r.lasts, place{span{parts[k].start, parts[k].end}, parts[k].span, parts[k].text})
		}
	}
}
