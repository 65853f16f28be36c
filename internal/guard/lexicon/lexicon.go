// Package lexicon names the concepts that hostile instructions are made of -
// who is addressed, what is hidden, taken, sent, overridden - and finds their
// words in several languages. A concept alone accuses nobody; passages are
// judged on what stands together in them.
package lexicon

import (
	_ "embed"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"

	"durward/internal/guard/match"
	"durward/internal/guard/octet"
	"durward/internal/guard/text"
)

//go:embed concepts.txt
var concepts string

// Concept is the number of a concept; fewer than [MaxConcepts] exist.
type Concept uint16

// MaxConcepts bounds a [Set].
const MaxConcepts = 128

// Set is a set of concepts.
type Set [2]uint64

// Has reports whether c is in s.
func (s Set) Has(c Concept) bool { return s[c>>6]&(1<<(c&63)) != 0 }

// With returns s and c.
func (s Set) With(c Concept) Set {
	s[c>>6] |= 1 << (c & 63)
	return s
}

// Or returns the union.
func (s Set) Or(o Set) Set { return Set{s[0] | o[0], s[1] | o[1]} }

// Meets reports whether the sets share a concept.
func (s Set) Meets(o Set) bool { return s[0]&o[0]|s[1]&o[1] != 0 }

// Append appends the concepts of s in order.
func (s Set) Append(dst []uint8) []uint8 {
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			dst = append(dst, uint8(i<<6+bits.TrailingZeros64(w)))
		}
	}
	return dst
}

// Lexicon is the compiled vocabulary. It never changes.
type Lexicon struct {
	plain     *match.Automaton // patterns in ASCII
	foreign   *match.Automaton // the others, for texts beyond ASCII
	names     []string
	triggers  Set
	compounds []Compound
}

// Compound is a concept made of two others, the first before the second and
// not far from it.
type Compound struct {
	Is, First, Then Concept
	Within          int32 // bytes from the end of the first to the start of the second
}

// Compounds returns the compound concepts.
func (l *Lexicon) Compounds() []Compound { return l.compounds }

// Default returns the vocabulary that is built in.
var Default = sync.OnceValue(func() *Lexicon {
	l, err := Parse(concepts)
	if err != nil {
		panic(err) // our own file; a test reads it
	}
	return l
})

// Parse compiles a vocabulary in the form of concepts.txt.
func Parse(source string) (*Lexicon, error) {
	l := &Lexicon{}
	var patterns []match.Pattern
	seen := map[string]bool{}
	var folder text.Folder
	for n, line := range strings.Split(source, "\n") {
		trim := strings.TrimSpace(line)
		if trim == "" || strings.HasPrefix(trim, "#") {
			continue
		}
		if line[0] == '=' {
			if err := l.compound(trim[1:]); err != nil {
				return nil, fmt.Errorf("concepts line %d: %w", n+1, err)
			}
			continue
		}
		if line[0] != ' ' {
			if err := l.head(trim); err != nil {
				return nil, fmt.Errorf("concepts line %d: %w", n+1, err)
			}
			clear(seen)
			continue
		}
		if len(l.names) == 0 {
			return nil, fmt.Errorf("concepts line %d: entries before a concept", n+1)
		}
		for _, entry := range strings.Split(trim, ",") {
			p := fold(&folder, entry)
			if p == "" || seen[p] {
				continue
			}
			seen[p] = true
			patterns = append(patterns, match.Pattern{Text: p, ID: uint16(len(l.names) - 1)})
		}
	}
	var plain, foreign []match.Pattern
	for _, p := range patterns {
		if ascii([]byte(p.Text)) {
			plain = append(plain, p)
		} else {
			foreign = append(foreign, p)
		}
	}
	var err error
	if l.plain, err = match.Compile(plain); err != nil {
		return nil, err
	}
	if l.foreign, err = match.Compile(foreign); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Lexicon) head(line string) error {
	name, kind, ok := strings.Cut(strings.TrimSuffix(line, ":"), " ")
	if !ok || (kind != "trigger" && kind != "context") {
		return fmt.Errorf("%q: want \"name trigger:\" or \"name context:\"", line)
	}
	if len(l.names) == MaxConcepts {
		return fmt.Errorf("more than %d concepts", MaxConcepts)
	}
	if kind == "trigger" {
		l.triggers = l.triggers.With(Concept(len(l.names)))
	}
	l.names = append(l.names, name)
	return nil
}

// compound reads "name kind: first > second within".
func (l *Lexicon) compound(line string) error {
	head, rule, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("%q: want \"= name kind: first > second bytes\"", line)
	}
	name, _, _ := strings.Cut(strings.TrimSpace(head), " ")
	is, known := l.Lookup(name)
	if !known {
		if err := l.head(strings.TrimSpace(head)); err != nil {
			return err
		}
		is = Concept(len(l.names) - 1)
	}
	f := strings.Fields(rule)
	if len(f) != 4 || f[1] != ">" {
		return fmt.Errorf("%q: want \"first > second bytes\"", rule)
	}
	first, ok1 := l.Lookup(f[0])
	then, ok2 := l.Lookup(f[2])
	within, err := strconv.Atoi(f[3])
	if !ok1 || !ok2 || err != nil {
		return fmt.Errorf("%q: unknown concept or distance", rule)
	}
	l.compounds = append(l.compounds, Compound{is, first, then, int32(within)})
	return nil
}

// fold brings an entry into the form that the automaton compares.
func fold(f *text.Folder, entry string) string {
	entry = strings.TrimSpace(entry)
	entry, whole := strings.CutSuffix(entry, "$")
	folded := strings.Join(strings.Fields(string(f.Fold([]byte(entry)).Bytes)), " ")
	if folded == "" {
		return ""
	}
	if folded[0] != '<' && folded[0] != '[' && !unspaced(folded) {
		folded = " " + folded
	}
	if whole && !unspaced(folded) {
		folded += " "
	}
	return folded
}

// unspaced reports writing that does not part words.
func unspaced(s string) bool {
	for _, r := range s {
		if r >= 0x2e80 {
			return true
		}
	}
	return false
}

func ascii(s []byte) bool {
	for i := octet.ASCII(s); i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Append appends the occurrences of all concepts in folded text to hits, by
// their end.
func (l *Lexicon) Append(hits []match.Hit, b []byte) []match.Hit {
	from := len(hits)
	hits = l.plain.Append(hits, b)
	if ascii(b) {
		return hits
	}
	mine := len(hits)
	if hits = l.foreign.Append(hits, b); len(hits) > mine {
		slices.SortStableFunc(hits[from:], func(a, b match.Hit) int { return int(a.End - b.End) })
	}
	return hits
}

// Triggered reports a trigger in ASCII text.
func (l *Lexicon) Triggered(b []byte) bool {
	room := spare.Get().(*[]match.Hit)
	defer spare.Put(room)
	*room = l.plain.Append((*room)[:0], b)
	for _, h := range *room {
		if l.triggers.Has(Concept(h.ID)) {
			return true
		}
	}
	return false
}

// spare is room for the hits of a short text.
var spare = sync.Pool{New: func() any { return new([]match.Hit) }}

// States returns the size of the compiled vocabulary.
func (l *Lexicon) States() int { return l.plain.States() + l.foreign.States() }

// Name returns the name of c.
func (l *Lexicon) Name(c Concept) string { return l.names[c] }

// Len returns the number of concepts.
func (l *Lexicon) Len() int { return len(l.names) }

// Triggers returns the concepts that open the scoring of a passage.
func (l *Lexicon) Triggers() Set { return l.triggers }

// Lookup finds a concept by its name.
func (l *Lexicon) Lookup(name string) (Concept, bool) {
	for i, n := range l.names {
		if n == name {
			return Concept(i), true
		}
	}
	return 0, false
}
