// Package match finds many short patterns in one pass over a text, folding
// case and separators on the way: an Aho-Corasick automaton of our own.
//
// Letters fold to lower case; every run of other ASCII characters counts as
// one blank, so that "api_key", "API key" and "api-key" are the same. A
// pattern that begins with a blank matches at the start of a word, one that
// ends with a blank at its end. The marks < and [ and | stand for themselves,
// each followed by a blank.
//
// A compiled automaton never changes and may be shared. Scanning does not
// allocate beyond the list that the caller passes, and takes time linear in
// the text whatever the patterns are.
package match

// Pattern is what to look for and what it means to the caller.
type Pattern struct {
	Text string // folded: lower case, single blanks
	ID   uint16
}

// Hit is one occurrence.
type Hit struct {
	ID  uint16
	End int32 // offset behind the last byte
	Len int32 // length of the pattern
}

const blank = 1

// Automaton is a compiled set of patterns.
type Automaton struct {
	class  [256]uint8
	marks  [256]bool
	width  int
	next   []uint32 // state*width+class -> state*width
	first  []int32  // state -> index into outs, -1 without
	outs   []output
	states int
}

type output struct {
	id   uint16
	len  uint16
	more bool // another output follows
}

// Compile builds the automaton. Patterns are matched as given: fold them first.
func Compile(patterns []Pattern) *Automaton {
	a := &Automaton{}
	a.classes(patterns)
	b := a.trie(patterns)
	a.link(b)
	return a
}

// classes numbers the bytes that any pattern uses: 0 ends every match, 1 is a blank.
func (a *Automaton) classes(patterns []Pattern) {
	n := uint8(blank + 1)
	for c := range 128 {
		if !letterOrDigit(byte(c)) {
			a.class[c] = blank
		}
	}
	for _, p := range patterns {
		for i := range len(p.Text) {
			c := p.Text[i]
			a.marks[c] = a.marks[c] || mark(c)
			if a.class[c] == 0 || (a.class[c] == blank && mark(c)) {
				a.class[c] = n
				n++
			}
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		a.class[c] = a.class[c|0x20]
	}
	a.width = int(n)
}

func mark(c byte) bool { return c == '<' || c == '[' || c == '|' }

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

type builder struct {
	next [][]uint32
	out  [][]output
}

func (a *Automaton) trie(patterns []Pattern) *builder {
	b := &builder{}
	b.add(a.width)
	for _, p := range patterns {
		s := uint32(0)
		for i := range len(p.Text) {
			c := a.class[p.Text[i]]
			if b.next[s][c] == 0 {
				b.next[s][c] = b.add(a.width)
			}
			s = b.next[s][c]
		}
		b.out[s] = append(b.out[s], output{id: p.ID, len: uint16(len(p.Text))})
	}
	return b
}

func (b *builder) add(width int) uint32 {
	b.next = append(b.next, make([]uint32, width))
	b.out = append(b.out, nil)
	return uint32(len(b.next) - 1)
}

// link turns the trie into a complete automaton, breadth first.
func (a *Automaton) link(b *builder) {
	fail := make([]uint32, len(b.next))
	queue := make([]uint32, 0, len(b.next))
	for _, s := range b.next[0] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		b.out[s] = append(b.out[s], b.out[fail[s]]...)
		for c := range a.width {
			t := b.next[s][c]
			if t == 0 {
				b.next[s][c] = b.next[fail[s]][c]
				continue
			}
			fail[t] = b.next[fail[s]][c]
			queue = append(queue, t)
		}
	}
	a.flatten(b)
}

func (a *Automaton) flatten(b *builder) {
	a.states = len(b.next)
	a.next = make([]uint32, a.states*a.width)
	a.first = make([]int32, a.states)
	for s, row := range b.next {
		for c, t := range row {
			a.next[s*a.width+c] = t * uint32(a.width)
			if len(b.out[t]) > 0 {
				a.next[s*a.width+c] |= accepting
			}
		}
		a.first[s] = -1
		if len(b.out[s]) > 0 {
			a.first[s] = int32(len(a.outs))
		}
		for i, o := range b.out[s] {
			o.more = i+1 < len(b.out[s])
			a.outs = append(a.outs, o)
		}
	}
}

const accepting = 1 << 31

// States returns the size of the automaton.
func (a *Automaton) States() int { return a.states }

// Append appends the occurrences in b to hits, by their end.
func (a *Automaton) Append(hits []Hit, b []byte) []Hit {
	s := a.next[blank] &^ accepting
	last := uint8(blank)
	for i := 0; i < len(b); i++ {
		c := b[i]
		k := a.class[c]
		if c == '\\' && Escaped(b, i) { // \n and its like part words in quoted JSON
			i++
		}
		if k == blank && last == blank {
			continue
		}
		last = k
		n := a.next[s+uint32(k)]
		s = n &^ accepting
		if n&accepting != 0 {
			hits = a.report(hits, s, i+1)
		}
		if a.marks[c] {
			n = a.next[s+blank]
			s, last = n&^accepting, blank
			if n&accepting != 0 {
				hits = a.report(hits, s, i+1)
			}
		}
	}
	if last != blank {
		if n := a.next[s+blank]; n&accepting != 0 {
			hits = a.report(hits, n&^accepting, len(b))
		}
	}
	return hits
}

// Escaped reports whether a line end, tab or quote is written as an escape at i.
func Escaped(b []byte, i int) bool {
	if i+1 >= len(b) {
		return false
	}
	switch b[i+1] {
	case 'n', 'r', 't', '"':
		return true
	}
	return false
}

func (a *Automaton) report(hits []Hit, s uint32, end int) []Hit {
	for i := a.first[int(s)/a.width]; ; i++ {
		o := a.outs[i]
		hits = append(hits, Hit{ID: o.id, End: int32(end), Len: int32(o.len)})
		if !o.more {
			return hits
		}
	}
}
