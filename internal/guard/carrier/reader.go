package carrier

import (
	"bytes"

	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
	"durward/internal/guard/text"
)

// Piece is one text of a carrier, or what an encoded passage in it says.
type Piece struct {
	Where    string // JSON pointer, or ""
	Encoding string // "" for the text itself
	Text     []byte // folded
	Signals  text.Signals
	Hidden   []text.Span // of the text as it came
	Moved    bool        // folding changed it, and left no capitals
	Passages []model.Passage
	folded   *text.Canonical
	span     text.Span // of the encoded passage in the text as it came
}

// Original maps a span of Text to the text as it came; within a view it is the
// whole encoded passage.
func (p *Piece) Original(start, end int) text.Span {
	if p.Encoding != "" {
		return p.span
	}
	return p.folded.Original(start, end)
}

// Reader takes carriers apart, one after another, and reuses its memory. It
// is used by one goroutine at a time.
type Reader struct {
	lex    *lexicon.Lexicon
	folder text.Folder
	inner  text.Folder
	views  text.Views
	model  *model.Reader
	piece  Piece
	found  []jsonLeaf
	inside []text.Span
	marked bool // the text has the outline of an encoding
	budget int  // of what the views of its strings may hold
}

// NewReader returns a reader over the vocabulary.
func NewReader(lex *lexicon.Lexicon) *Reader {
	return &Reader{lex: lex, model: model.NewReader(lex)}
}

// Weigh makes the reader weigh passages on the way; see [model.Reader.Weigh].
func (r *Reader) Weigh(w *model.Weights) { r.model.Weigh(w) }

// Text takes apart one text and calls see for it and for each view of it. A
// piece is valid during the call only. Text reports whether everything was
// opened within the bounds.
func (r *Reader) Text(raw []byte, where string, place lexicon.Set, see func(*Piece)) bool {
	c := r.folder.Fold(raw)
	r.piece = Piece{Where: where, Text: c.Bytes, Signals: c.Signals, Hidden: c.Hidden, Moved: c.Moved(), folded: c}
	r.piece.Passages = r.model.Passages(c.Bytes, place)
	see(&r.piece)
	// Decoders read the original where folding would have bent the case.
	source, moved := raw, false
	if c.Moved() && c.Signals != (text.Signals{}) {
		source, moved = c.Bytes, true
	}
	inner := place.Or(model.Place(r.lex, model.PlaceView))
	for _, v := range r.views.Open(source) {
		span := v.Span
		if moved {
			span = c.Original(span.Start, span.End)
		}
		r.view(v, span, where, inner, see)
	}
	if c.Signals.Bidi > 0 || c.Signals.Escapes > 0 {
		for _, v := range text.Concealed(raw) {
			r.view(v, v.Span, where, inner, see)
		}
	}
	for _, v := range text.Unseen(source) {
		span := v.Span
		if moved {
			span = c.Original(span.Start, span.End)
		}
		r.view(v, span, where, inner, see)
	}
	whole := true
	r.inside, r.marked, r.budget = r.inside[:0], r.views.Marked, max(2*len(raw), leastBudget)
	switch {
	case isJSON(raw):
		whole = r.leaves(raw, where, place, see)
	case bytes.IndexByte(raw, '"') >= 0:
		whole = r.quoted(raw, where, place, see)
	}
	return whole && !r.views.Cut
}

// quoted reads JSON that stands in a text, at the start of a line.
func (r *Reader) quoted(raw []byte, where string, place lexicon.Set, see func(*Piece)) bool {
	first := 0
	for !opensJSON(raw[first:]) { // most texts hold none
		next := bytes.IndexByte(raw[first:], '\n')
		if next < 0 {
			return true
		}
		first += next + 1
		for first < len(raw) && raw[first] <= ' ' {
			first++
		}
	}
	r.found = r.found[:0]
	w := &walker{raw: raw, pos: first, bare: true}
	w.leaf = r.leaf(w)
	for at := 0; at >= 0 && w.pos < len(raw); at = bytes.IndexByte(raw[w.pos:], '\n') {
		w.pos += at
		if w.space(); opensJSON(raw[w.pos:]) {
			w.value(nil, 0)
		} else {
			w.pos = min(w.pos+1, len(raw))
		}
	}
	r.inside = r.inside[:0] // the text around it is no JSON and need not stay one
	r.see(where, place, see)
	return !w.cut
}

// opensJSON reports an object or list that begins with a key or a string.
func opensJSON(b []byte) bool {
	if len(b) < 8 || b[0] != '{' && b[0] != '[' {
		return false
	}
	for _, c := range b[1:min(len(b), 64)] {
		switch c {
		case ' ', '\n', '\r', '\t', '{', '[':
		default:
			return c == '"'
		}
	}
	return false
}

// Inside returns, when the last text was JSON, where its strings stand: what is
// cut must stay within them. It is nil for other texts.
func (r *Reader) Inside() []text.Span { return r.inside }

// isJSON reports a text that is an object or a list.
func isJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 8 && (b[0] == '{' && b[len(b)-1] == '}' || b[0] == '[' && b[len(b)-1] == ']')
}

// leaves reads the sentences inside a JSON text on their own: its notation
// must not change how they sound.
func (r *Reader) leaves(raw []byte, where string, place lexicon.Set, see func(*Piece)) bool {
	whole := r.gather(raw)
	r.see(where, place, see)
	return whole
}

func (r *Reader) see(where string, place lexicon.Set, see func(*Piece)) {
	inner := place.Or(model.Place(r.lex, model.PlaceView))
	for _, l := range r.found {
		r.view(text.View{Encoding: "json", Text: l.value}, l.span, where, place, see)
		r.nested(l.value, l.span, 0, where, place, see)
		if s := r.piece.Signals; s.Bidi > 0 || s.Escapes > 0 {
			for _, v := range text.Concealed(l.value) {
				r.view(v, l.span, where, inner, see)
			}
		}
		for _, v := range text.Unseen(l.value) {
			r.view(v, l.span, where, inner, see)
		}
		if !r.marked && !l.escaped {
			continue
		}
		for _, v := range r.views.Within(l.value, &r.budget) {
			r.view(v, l.span, where, inner, see)
		}
	}
}

// mostNested is how often JSON may stand in a string of JSON and be read.
const mostNested = 4

// nested reads the strings of JSON that stands in a string of JSON.
func (r *Reader) nested(value []byte, span text.Span, depth int, where string, place lexicon.Set, see func(*Piece)) {
	if !isJSON(value) {
		return
	}
	if depth == mostNested {
		r.views.Cut = true
		return
	}
	w := &walker{raw: value, bare: true}
	var inner [][]byte
	w.leaf = func(_ []string, v []byte, key bool) {
		if !key && len(v) >= minSaid {
			inner = append(inner, v)
		}
	}
	w.value(nil, 0)
	r.views.Cut = r.views.Cut || w.cut
	for _, v := range inner {
		r.view(text.View{Encoding: "json", Text: v}, span, where, place, see)
		r.nested(v, span, depth+1, where, place, see)
	}
}

// minSaid is the length from which a string may be a sentence.
const minSaid = 16

// leastBudget is what the views of strings may hold at least, together.
const leastBudget = 4096

// jsonLeaf is a string within a JSON text, and where it stands.
type jsonLeaf struct {
	value   []byte
	span    text.Span
	escaped bool // it is not written as it reads
}

// gather lists the strings that may be sentences.
func (r *Reader) gather(raw []byte) bool {
	r.found, r.inside = r.found[:0], r.inside[:0]
	w := &walker{raw: raw, bare: true}
	w.leaf = r.leaf(w)
	w.value(nil, 0)
	return !w.cut
}

func (r *Reader) leaf(w *walker) func([]string, []byte, bool) {
	return func(_ []string, value []byte, key bool) {
		if key || w.start == 0 {
			return
		}
		r.inside = append(r.inside, text.Span{Start: w.start, End: w.end})
		escaped := len(value) != w.end-w.start
		if len(value) < minSaid || bytes.IndexByte(value, ' ') < 0 && !r.marked && !escaped {
			return
		}
		r.found = append(r.found, jsonLeaf{value, text.Span{Start: w.start, End: w.end}, escaped})
	}
}

func (r *Reader) view(v text.View, span text.Span, where string, place lexicon.Set, see func(*Piece)) {
	c := r.inner.Fold(v.Text)
	r.piece = Piece{Where: where, Encoding: v.Encoding, Text: c.Bytes, Signals: c.Signals, Moved: c.Moved(), span: span}
	r.piece.Passages = r.model.Passages(c.Bytes, place)
	see(&r.piece)
}
