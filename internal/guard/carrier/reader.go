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
}

// NewReader returns a reader over the vocabulary.
func NewReader(lex *lexicon.Lexicon) *Reader {
	return &Reader{lex: lex, model: model.NewReader(lex)}
}

// Text takes apart one text and calls see for it and for each view of it. A
// piece is valid during the call only. Text reports whether everything was
// opened within the bounds.
func (r *Reader) Text(raw []byte, where string, place lexicon.Set, see func(*Piece)) bool {
	c := r.folder.Fold(raw)
	r.piece = Piece{Where: where, Text: c.Bytes, Signals: c.Signals, Hidden: c.Hidden, folded: c}
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
	whole := !r.views.Cut
	r.inside = r.inside[:0]
	if isJSON(raw) {
		whole = r.leaves(raw, where, place, see) && whole
	}
	return whole
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
	for _, l := range r.found {
		r.view(text.View{Encoding: "json", Text: l.value}, l.span, where, place, see)
	}
	return whole
}

// jsonLeaf is a string within a JSON text, and where it stands.
type jsonLeaf struct {
	value []byte
	span  text.Span
}

// gather lists the strings that may be sentences.
func (r *Reader) gather(raw []byte) bool {
	r.found, r.inside = r.found[:0], r.inside[:0]
	w := &walker{raw: raw}
	w.leaf = func(_ []string, value []byte, key bool) {
		if key || w.start == 0 {
			return
		}
		r.inside = append(r.inside, text.Span{Start: w.start, End: w.end})
		if len(value) < 16 || bytes.IndexByte(value, ' ') < 0 {
			return
		}
		r.found = append(r.found, jsonLeaf{value, text.Span{Start: w.start, End: w.end}})
	}
	w.value(nil, 0)
	return !w.cut
}

func (r *Reader) view(v text.View, span text.Span, where string, place lexicon.Set, see func(*Piece)) {
	c := r.inner.Fold(v.Text)
	r.piece = Piece{Where: where, Encoding: v.Encoding, Text: c.Bytes, Signals: c.Signals, span: span}
	r.piece.Passages = r.model.Passages(c.Bytes, place)
	see(&r.piece)
}
