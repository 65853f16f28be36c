// Package text prepares what a server or an agent wrote for inspection. It
// folds a string once into the form that detectors compare (compatibility
// forms, invisible characters, look-alike letters, terminal sequences), keeps
// the way back to the original bytes so that a span can be redacted, counts
// what was hidden, and opens encoded passages as extra views.
//
// It promises that its work is linear in the input, that views never hold more
// than twice the input, and that plain ASCII costs neither copy nor allocation.
// It does not judge: a hidden character is a count here and a finding elsewhere.
package text

// Span is a half-open range of bytes of the original text.
type Span struct{ Start, End int }

// Signals counts what a reader would not have seen.
type Signals struct {
	Tags       int // characters of the tag block outside a flag (U+E0000)
	ZeroWidth  int // invisible characters inside or between Latin letters
	Bidi       int // direction overrides, embeddings and isolates
	Selectors  int // variation selectors in runs that carry bytes
	Escapes    int // terminal sequences other than plain colour
	Concealed  int // terminal text switched to invisible
	Homoglyphs int // words that mix look-alike letters of two scripts
	Invalid    int // bytes that are not UTF-8
	Styled     int // mathematical or enclosed letters that spell words
}

// Hidden reports whether text was kept from a human reader on purpose: no
// natural definition or document that we have seen does it.
func (s Signals) Hidden() bool {
	return s.Tags > 0 || s.ZeroWidth > 0 || s.Bidi > 0 || s.Selectors > 0 || s.Concealed > 0
}

// Canonical is a folded text. It is owned by the [Folder] that made it and is
// valid until the next Fold.
type Canonical struct {
	Bytes   []byte
	Signals Signals
	// Hidden are the original spans that held hidden characters, merged.
	Hidden  []Span
	offsets []int32 // original position of each byte; nil when nothing moved
	length  int
}

// Original maps a range of folded bytes to the original bytes behind it.
func (c *Canonical) Original(start, end int) Span {
	if c.offsets == nil {
		return Span{start, end}
	}
	return Span{c.at(start), c.at(end)}
}

func (c *Canonical) at(i int) int {
	if i >= len(c.offsets) {
		return c.length
	}
	return int(c.offsets[i])
}

// Moved reports whether folding changed anything.
func (c *Canonical) Moved() bool { return c.offsets != nil }
