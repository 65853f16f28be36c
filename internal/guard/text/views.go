package text

import "bytes"

// View is an encoded passage, opened: what the text says to a reader who
// decodes it.
type View struct {
	Encoding string
	Text     []byte
	Span     Span // of the encoded passage in the text given to Open
}

// Views opens encoded passages of one text after another and reuses its
// memory. It is used by one goroutine at a time; the zero Views is ready.
type Views struct {
	list   []View
	layers [viewDepth]outline // of the text, and of what is encoded in it
	budget int
	// Cut tells that the output bound was reached: the text was not fully opened.
	Cut bool
	// Marked tells that the text had the outline of some encoding.
	Marked bool
}

const (
	viewDepth  = 2
	viewFloor  = 4096 // least output bound, for short texts
	maxViews   = 256
	minEncoded = 16
	localWords = 40 // among which digits for letters are counted
)

// Open returns the views of b: base64 and base32, hexadecimal, percent
// escapes, character references, \u and \x escapes, numbers of characters,
// spaced-out and digit-for-letter spelling, rot13 and writing backwards where
// two words give them away (or the text names the first), and compressed data
// inside these; two layers deep. Together they hold at most twice the input.
// The result is valid until the next Open.
func (v *Views) Open(b []byte) []View {
	v.list, v.Cut = v.list[:0], false
	v.budget = max(2*len(b), viewFloor)
	m := v.layers[0].survey(b)
	v.Marked = m != 0
	if m == 0 {
		return nil
	}
	v.open(b, m, Span{-1, -1}, 1)
	return v.list
}

// Within is Open for a part of a text that was opened: what its views hold
// together is taken from budget.
func (v *Views) Within(b []byte, budget *int) []View {
	v.list = v.list[:0]
	m := v.layers[0].survey(b)
	if m == 0 {
		return nil
	}
	v.budget = *budget
	v.open(b, m, Span{-1, -1}, 1)
	*budget = v.budget
	return v.list
}

// mark says which encodings a text may hold.
type mark uint16

const (
	markBase mark = 1 << iota
	markHexPairs
	markPercent
	markEntity
	markEscape
	markNumbers
	markSpaced
	markLeet
	markRot
	markTags
	markBlocks
	markBack
	markMail
)

func (v *Views) open(b []byte, m mark, at Span, depth int) {
	for _, d := range decoders {
		if m&d.mark == 0 {
			continue
		}
		for pos := 0; pos < len(b); {
			if len(v.list) == maxViews {
				v.Cut = true
				return
			}
			var span Span
			var out []byte
			if d.among != nil {
				span, out = d.among(&v.layers[depth-1], b, pos, v.budget)
			} else {
				span, out = d.next(b, pos, v.budget)
			}
			if span.End <= pos {
				break
			}
			pos = span.End
			v.take(d.name, out, outer(at, span), depth)
		}
	}
}

// outer keeps the span of the outermost encoded passage.
func outer(at, span Span) Span {
	if at.Start >= 0 {
		return at
	}
	return span
}

func (v *Views) take(name string, out []byte, span Span, depth int) {
	if len(out) == 0 {
		return
	}
	if magic := inflate(out, v.budget); magic != nil {
		out = magic
	}
	out = narrowed(out)
	if !legible(out) {
		return
	}
	if len(out) > v.budget {
		out, v.Cut = out[:v.budget], true
	}
	v.budget -= len(out)
	if len(v.list) >= maxViews {
		v.Cut = true
		return
	}
	v.list = append(v.list, View{Encoding: name, Text: out, Span: span})
	if depth < viewDepth {
		if m := v.layers[depth].survey(out); m&^(markSpaced|markLeet|markRot|markBack) != 0 {
			v.open(out, m&^(markSpaced|markLeet|markRot|markBack), span, depth+1)
		}
	}
}

// legible accepts a view that could be read: mostly printable, with letters.
func legible(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	letters, bad := 0, 0
	for rest := b; len(rest) > 0; {
		part, sum := rest[:min(len(rest), 128)], uint32(0)
		for _, c := range part {
			sum += read[c]
		}
		letters, bad, rest = letters+int(sum&0xffff), bad+int(sum>>16), rest[len(part):]
		if bad*20 > len(b) {
			return false
		}
	}
	if letters*2 < len(b) {
		return false
	}
	return validEnough(b) && (bytes.IndexByte(b, ' ') >= 0 || bytes.IndexByte(b, '%') >= 0 || bytes.IndexByte(b, '+') >= 0 || len(b) >= 12)
}

// read has a one for what is read as a letter, and for what is not read at all.
var read = func() (t [256]uint32) {
	for c := range t {
		switch c := byte(c); {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == ' ', c >= 0x80:
			t[c] = 1
		case c < 0x20 && c != '\n' && c != '\t' && c != '\r', c == 0x7f:
			t[c] = 1 << 16
		}
	}
	return t
}()

func validEnough(b []byte) bool {
	high, bad := 0, 0
	for _, r := range string(b[:min(len(b), 512)]) {
		if r >= 0x80 {
			high++
		}
		if r == 0xfffd {
			bad++
		}
	}
	return bad <= 1 && (high == 0 || bad*10 < high)
}
