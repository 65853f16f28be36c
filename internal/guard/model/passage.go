// Package model judges passages: a linear model over the concepts that stand
// together in a passage, its outline, and hashed word groups. Passages are
// sentences and neighbouring pairs of sentences; a document is as suspicious
// as its worst passage, because natural text around a payload says nothing.
//
// Weights are eight-bit integers, trained by internal/guard/train and embedded
// here with their checksum. Scoring is deterministic, allocates nothing beyond
// the memory of a [Reader], and takes time linear in the text.
package model

import (
	"durward/internal/guard/lexicon"
	"durward/internal/guard/match"
)

// Passage is one sentence or two, with what was seen in it.
type Passage struct {
	Start, End int
	Concepts   lexicon.Set
	Grams      []uint32 // hashed word groups, indices into the table
	More       []uint32 // those of the second sentence
	first      int      // index of the first sentence
	pair       bool
	by         *Weights // who weighed it on the way; see Weigh
	margin     float32
}

// sentence limits: shorter ones join their neighbour, longer ones are cut.
const (
	leastSentence = 12
	mostSentence  = 280
)

// Sentences returns the number of the first sentence, and whether a second one
// belongs to the passage.
func (p *Passage) Sentences() (first int, pair bool) { return p.first, p.pair }

type sentence struct {
	start, end int
	concepts   lexicon.Set
	from, to   int   // in grams; equal when not yet read
	sum, words int32 // of the word groups, where they are weighed on the way
	read       bool
}

// Reader splits texts into passages, one after another, and reuses its
// memory. It is used by one goroutine at a time.
type Reader struct {
	lex       *lexicon.Lexicon
	shape     shapes
	talk      lexicon.Concept
	hits      []match.Hit
	sentences []sentence
	grams     []uint32
	passages  []Passage
	by        *Weights
}

// NewReader returns a reader over a vocabulary.
func NewReader(lex *lexicon.Lexicon) *Reader {
	talk, _ := lex.Lookup("attacktalk")
	return &Reader{lex: lex, shape: shapes{base: lexicon.Concept(lex.Len())}, talk: talk}
}

// Weigh makes the reader weigh passages on the way: the words of a sentence are
// then read and summed up once, though it stands in three passages. nil, as
// training has it, keeps the words.
func (r *Reader) Weigh(w *Weights) { r.by = w }

// Hits are the concept occurrences of the last text read.
func (r *Reader) Hits() []match.Hit { return r.hits }

// Passages returns the passages of folded text b that hold a trigger or stand
// beside one. extra is added to the concepts of each (the kind of place the
// text stood in). The result is valid until the next call.
func (r *Reader) Passages(b []byte, extra lexicon.Set) []Passage {
	r.hits = r.lex.Append(r.hits[:0], b)
	r.passages, r.grams = r.passages[:0], r.grams[:0]
	if !r.triggered() {
		return nil
	}
	r.split(b)
	r.assign()
	if r.discusses() {
		extra = r.shape.set(extra, PlaceDiscusses)
	}
	for i := range r.sentences {
		s := &r.sentences[i]
		hot := s.concepts.Meets(r.lex.Triggers())
		next := i+1 < len(r.sentences)
		if hot {
			r.consider(b, i, false, extra)
		}
		if next && (hot || r.sentences[i+1].concepts.Meets(r.lex.Triggers())) {
			r.consider(b, i, true, extra)
		}
	}
	for i := range r.passages { // only now: grams moved while it grew
		p := &r.passages[i]
		s := &r.sentences[p.first]
		p.Grams = r.grams[s.from:s.to]
		if p.pair {
			n := &r.sentences[p.first+1]
			p.More = r.grams[n.from:n.to]
		}
	}
	return r.passages
}

// consider takes in a sentence, or a pair, that holds a trigger.
func (r *Reader) consider(b []byte, i int, pair bool, extra lexicon.Set) {
	s := &r.sentences[i]
	r.read(b, s)
	sum, words := s.sum, s.words
	if pair {
		n := &r.sentences[i+1]
		r.read(b, n)
		sum, words = sum+n.sum, words+n.words
	}
	p := r.passage(i, pair, extra)
	if r.by != nil {
		p.by, p.margin = r.by, r.by.concepts(p.Concepts)+r.by.groups(sum, words)
	}
	r.passages = append(r.passages, p)
}

func (r *Reader) concepts(i int, pair bool) lexicon.Set {
	if pair {
		return r.sentences[i].concepts.Or(r.sentences[i+1].concepts)
	}
	return r.sentences[i].concepts
}

func (r *Reader) triggered() bool {
	for _, h := range r.hits {
		if r.lex.Triggers().Has(lexicon.Concept(h.ID)) {
			return true
		}
	}
	return false
}

// discusses reports a text that has attacks for its subject: it quotes them.
func (r *Reader) discusses() bool {
	n := 0
	for _, h := range r.hits {
		if lexicon.Concept(h.ID) == r.talk {
			n++
		}
	}
	return n >= 5
}

func (r *Reader) passage(i int, pair bool, extra lexicon.Set) Passage {
	p := Passage{Start: r.sentences[i].start, End: r.sentences[i].end, Concepts: r.concepts(i, pair).Or(extra), first: i, pair: pair}
	if pair {
		p.End = r.sentences[i+1].end
	}
	return p
}

func (r *Reader) read(b []byte, s *sentence) {
	if s.read {
		return
	}
	s.read = true
	var alien bool
	if r.by != nil {
		s.sum, s.words, alien = r.by.weigh(b[s.start:s.end])
	} else {
		s.from = len(r.grams)
		r.grams, alien = appendGrams(r.grams, b[s.start:s.end])
		s.to = len(r.grams)
	}
	s.concepts = s.concepts.Or(r.shape.of(b[s.start:s.end]))
	if alien {
		s.concepts = r.shape.set(s.concepts, ShapeAlien)
	}
}

// split finds the sentences: they end at . ! ? ; followed by a blank, at line
// ends, and at the limit.
func (r *Reader) split(b []byte) {
	r.sentences = r.sentences[:0]
	start := 0
	for i := 0; i < len(b); i++ {
		most := min(len(b), start+mostSentence)
		for i < most && !stops[b[i]] {
			i++
		}
		if i == len(b) {
			break
		}
		if i-start >= mostSentence && b[i] <= ' ' || i-start >= 2*mostSentence {
			r.close(b, start, i)
			start = i
			continue
		}
		if i+1-start < leastSentence || !ends(b, i) {
			continue
		}
		r.close(b, start, i+1)
		start = i + 1
	}
	r.close(b, start, len(b))
}

// stops are the bytes that sentences may end with.
var stops = [256]bool{'\n': true, '\\': true, '.': true, '!': true, '?': true, ';': true}

func ends(b []byte, i int) bool {
	switch b[i] {
	case '\n':
		return true
	case '\\':
		return i+1 < len(b) && b[i+1] == 'n'
	case '.', '!', '?', ';':
		return i+1 == len(b) || b[i+1] <= ' ' || b[i+1] >= 0x80 || b[i+1] == '\\' || b[i+1] == '"' || b[i+1] == '<'
	}
	return false
}

func (r *Reader) close(b []byte, start, end int) {
	for start < end && b[start] <= ' ' {
		start++
	}
	if end-start < 3 {
		return
	}
	r.sentences = append(r.sentences, sentence{start: start, end: end})
}

// assign gives each sentence the concepts that end in it, and the compounds
// whose parts stand close together in it.
func (r *Reader) assign() {
	k, from := 0, 0
	for i, h := range r.hits {
		for k+1 < len(r.sentences) && int(h.End) > r.sentences[k].end {
			r.combine(k, r.hits[from:i])
			k, from = k+1, i
		}
		if k < len(r.sentences) {
			r.sentences[k].concepts = r.sentences[k].concepts.With(lexicon.Concept(h.ID))
		}
	}
	if k < len(r.sentences) {
		r.combine(k, r.hits[from:])
	}
}

const nearest = 24 // hits that a compound may reach over

func (r *Reader) combine(k int, hits []match.Hit) {
	s := &r.sentences[k]
	if len(hits) < 2 {
		return
	}
	for _, c := range r.lex.Compounds() {
		if !s.concepts.Has(c.First) || !s.concepts.Has(c.Then) {
			continue
		}
		if together(hits, c) {
			s.concepts = s.concepts.With(c.Is)
		}
	}
}

func together(hits []match.Hit, c lexicon.Compound) bool {
	for i, h := range hits {
		if lexicon.Concept(h.ID) != c.First {
			continue
		}
		for _, n := range hits[i+1 : min(len(hits), i+1+nearest)] {
			if lexicon.Concept(n.ID) == c.Then && n.End-n.Len >= h.End-2 && n.End-n.Len-h.End <= c.Within {
				return true
			}
		}
	}
	return false
}
