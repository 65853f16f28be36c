package match

import (
	"sync"

	"durward/internal/guard/octet"
)

// leastHalves is the length from which a text is read in two places at once.
const leastHalves = 512

// spares are the hits of second halves.
var spares = sync.Pool{New: func() any { return new([]Hit) }}

// Append appends the occurrences in b to hits, by their end.
//
// Each step waits for the one before it to come from memory. A long text is
// therefore read from its beginning and from its middle at once; then the
// first reader goes on until both are in the same state, from where they would
// see the same.
func (a *Automaton) Append(hits []Hit, b []byte) []Hit {
	mid := len(b) / 2
	if len(b) < leastHalves || b[mid-1] == '\\' {
		s := a.run(&hits, b, 0, len(b), a.start())
		return a.end(hits, s, len(b))
	}
	spare := spares.Get().(*[]Hit)
	defer spares.Put(spare)
	*spare = (*spare)[:0]
	u := uint16(0)
	if a.class[b[mid-1]] == blank {
		u = a.start()
	}
	s, t := a.both(&hits, spare, b, mid, u)
	*spare = a.end(*spare, t, len(b))
	at := mid
	for ; s != u && at < len(b); at++ {
		s = a.run(&hits, b, at, at+1, s)
		u = a.run(nil, b, at, at+1, u)
		if b[at] == '\\' && Escaped(b, at) {
			at++
		}
	}
	if s != u {
		return a.end(hits, s, len(b))
	}
	for i, h := range *spare {
		if int(h.End) > at {
			return append(hits, (*spare)[i:]...)
		}
	}
	return hits
}

// start is the state behind a blank.
func (a *Automaton) start() uint16 { return a.next[blank] &^ accepting }

// both reads the halves of b, the second one from state t, and returns the
// states behind them.
func (a *Automaton) both(hits, spare *[]Hit, b []byte, mid int, t uint16) (uint16, uint16) {
	s := a.start()
	i, j := 0, mid
	for i < mid && j < len(b) {
		n := min(mid-i, len(b)-j, stretch)
		if s|t == 0 && a.quiet && n == stretch && octet.Letters(b[i:i+n]) == n && octet.Letters(b[j:j+n]) == n {
			i, j = i+n, j+n
			continue
		}
		n, s, t = a.pair(b[i:i+n], b[j:j+n], s, t)
		i, j = i+n, j+n
		if s&accepting != 0 {
			s &^= accepting
			*hits = a.report(*hits, s, i)
		}
		if t&accepting != 0 {
			t &^= accepting
			*spare = a.report(*spare, t, j)
		}
		if a.odd[b[i-1]]|a.odd[b[j-1]] != 0 {
			s, i = a.aside(hits, b, i, s)
			t, j = a.aside(spare, b, j, t)
		}
	}
	return a.run(hits, b, i, mid, s), a.run(spare, b, j, len(b), t)
}

// stretch is what is passed over at once where both halves are of letters, none of
// which begins a pattern.
const stretch = 64

// pair reads two texts of one length in step, up to where either has found
// something or has a byte that needs more. It is apart so that nothing else
// wants its registers.
func (a *Automaton) pair(b, d []byte, s, t uint16) (n int, u, v uint16) {
	next, width, class, odd := a.next, uint(a.width), &a.class, &a.odd
	d = d[:len(b)]
	for i := range b {
		s = next[uint(s)*width+uint(class[b[i]])]
		t = next[uint(t)*width+uint(class[d[i]])]
		if (s|t)&accepting != 0 || odd[b[i]]|odd[d[i]] != 0 {
			return i + 1, s, t
		}
	}
	return len(b), s, t
}

// run reads b from i up to end, from state s, and returns the state there.
// Without hits it reports nothing.
func (a *Automaton) run(hits *[]Hit, b []byte, i, end int, s uint16) uint16 {
	for i < end {
		c := b[i]
		if s == 0 && a.dull[c] {
			i = a.behind(b, i+1, end)
			continue
		}
		n := a.next[int(s)*a.width+int(a.class[c])]
		s = n &^ accepting
		i++
		if n&accepting != 0 && hits != nil {
			*hits = a.report(*hits, s, i)
		}
		if a.odd[c] != 0 {
			s, i = a.aside(hits, b, i, s)
		}
	}
	return s
}

// behind is where what is dull ends, from i on.
func (a *Automaton) behind(b []byte, i, end int) int {
	for near := min(end, i+8); i < near; i++ {
		if !a.dull[b[i]] {
			return i
		}
	}
	if a.quiet {
		i += octet.Letters(b[i:end])
	}
	for i < end && a.dull[b[i]] {
		i++
	}
	return i
}

// aside sees to a mark or backslash before i: a blank follows the first, and
// \n and its like part words in quoted JSON.
func (a *Automaton) aside(hits *[]Hit, b []byte, i int, s uint16) (uint16, int) {
	c := b[i-1]
	if c == '\\' && Escaped(b, i-1) {
		i++
	}
	if !a.marks[c] {
		return s, i
	}
	n := a.next[int(s)*a.width+blank]
	if n&accepting != 0 && hits != nil {
		*hits = a.report(*hits, n&^accepting, i)
	}
	return n &^ accepting, i
}

// end is where the text ends, as if a blank followed.
func (a *Automaton) end(hits []Hit, s uint16, at int) []Hit {
	if n := a.next[int(s)*a.width+blank]; n&accepting != 0 {
		return a.report(hits, n&^accepting, at)
	}
	return hits
}

func (a *Automaton) report(hits []Hit, s uint16, end int) []Hit {
	for i := a.first[s]; ; i++ {
		o := a.outs[i]
		hits = append(hits, Hit{ID: o.id, End: int32(end), Len: int32(o.len)})
		if !o.more {
			return hits
		}
	}
}
