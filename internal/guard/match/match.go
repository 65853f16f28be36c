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

import (
	"errors"
	"slices"
	"strings"
)

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
	odd    [256]uint8 // of marks and the backslash
	dull   [256]bool  // of bytes by which no pattern begins: state 0 stays
	quiet  bool       // all letters are dull
	width  int
	next   []uint16 // state*width+class -> state, with [accepting]
	first  []int32  // state -> index into outs, -1 without
	outs   []output
	states int
}

type output struct {
	id   uint16
	len  uint16
	more bool // another output follows
}

// MaxStates bounds an automaton: a state fits 15 bits, which keeps the table
// small enough for a processor's cache.
const MaxStates = 1 << 15

// accepting marks a transition into a state that has outputs.
const accepting = 1 << 15

// ErrTooMany says that the patterns need more than [MaxStates].
var ErrTooMany = errors.New("match: too many patterns for one automaton")

// Compile builds the automaton. Patterns are matched as given: fold them first.
// The only error is [ErrTooMany].
func Compile(patterns []Pattern) (*Automaton, error) {
	a := &Automaton{}
	a.classes(patterns)
	patterns = slices.Clone(patterns)
	slices.SortStableFunc(patterns, func(p, q Pattern) int { return strings.Compare(p.Text, q.Text) })
	if atMost(patterns) > MaxStates {
		return nil, ErrTooMany
	}
	ends := a.trie(patterns)
	order, fail := a.link()
	a.output(patterns, ends, order, fail)
	for i, t := range a.next {
		if a.first[t] >= 0 {
			a.next[i] |= accepting
		}
	}
	a.blanks()
	a.quiet = true
	for c := range a.dull {
		a.dull[c] = a.next[a.class[c]] == 0 && a.odd[c] == 0
		a.quiet = a.quiet && (a.dull[c] || !letterOrDigit(byte(c)))
	}
	return a, nil
}

// blanks makes a row of blanks count as one: a state that a blank led to stays.
func (a *Automaton) blanks() {
	for s := range a.states {
		if t := a.next[s*a.width+blank] &^ accepting; t != 0 {
			a.next[int(t)*a.width+blank] = t
		}
	}
}

// atMost returns how many states sorted patterns need, or a few more where
// different bytes mean the same.
func atMost(patterns []Pattern) int {
	n, last := 1, ""
	for _, p := range patterns {
		same := 0
		for same < min(len(p.Text), len(last)) && p.Text[same] == last[same] {
			same++
		}
		n, last = n+len(p.Text)-same, p.Text
	}
	return n
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
			if mark(c) {
				a.marks[c], a.odd[c] = true, 1
			}
			if a.class[c] == 0 || (a.class[c] == blank && mark(c)) {
				a.class[c] = n
				n++
			}
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		a.class[c] = a.class[c|0x20]
	}
	a.odd['\\'] = 1
	a.width = int(n)
}

func mark(c byte) bool { return c == '<' || c == '[' || c == '|' }

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// trie enters the patterns into the table and returns the state in which each
// ends.
func (a *Automaton) trie(patterns []Pattern) []uint16 {
	a.next, a.states = make([]uint16, atMost(patterns)*a.width), 1
	ends := make([]uint16, len(patterns))
	for n, p := range patterns {
		s := uint16(0)
		for i := range len(p.Text) {
			t := &a.next[int(s)*a.width+int(a.class[p.Text[i]])]
			if *t == 0 {
				*t = uint16(a.states)
				a.states++
			}
			s = *t
		}
		ends[n] = s
	}
	a.next = a.next[:a.states*a.width]
	return ends
}

// link turns the trie into a complete automaton. It returns the states, breadth
// first, and of each the state of its longest proper suffix.
func (a *Automaton) link() (order, fail []uint16) {
	fail = make([]uint16, a.states)
	order = make([]uint16, 0, a.states)
	for _, s := range a.next[:a.width] {
		if s != 0 {
			order = append(order, s)
		}
	}
	for i := 0; i < len(order); i++ {
		row := a.next[int(order[i])*a.width:][:a.width]
		suffix := a.next[int(fail[order[i]])*a.width:][:a.width]
		for c, t := range row {
			if t == 0 {
				row[c] = suffix[c]
				continue
			}
			fail[t] = suffix[c]
			order = append(order, t)
		}
	}
	return order, fail
}

// output lists what each state has found: the patterns that end there, and
// what the state of its suffix has found.
func (a *Automaton) output(patterns []Pattern, ends, order, fail []uint16) {
	own := make(map[uint16][]output, len(patterns))
	for i, p := range patterns {
		own[ends[i]] = append(own[ends[i]], output{id: p.ID, len: uint16(len(p.Text))})
	}
	a.first = make([]int32, a.states)
	a.first[0] = -1
	for _, s := range order {
		at := len(a.outs)
		a.outs = append(a.outs, own[s]...)
		for i := a.first[fail[s]]; i >= 0; i++ {
			a.outs = append(a.outs, a.outs[i])
			if !a.outs[i].more {
				break
			}
		}
		a.first[s] = -1
		if at == len(a.outs) {
			continue
		}
		a.first[s] = int32(at)
		for i := range a.outs[at:] {
			a.outs[at+i].more = at+i+1 < len(a.outs)
		}
	}
	a.outs = slices.Clip(a.outs)
}

// States returns the size of the automaton.
func (a *Automaton) States() int { return a.states }

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
