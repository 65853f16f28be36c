package text

import (
	"bytes"

	"durward/internal/guard/octet"
)

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
	m := survey(b)
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
	m := survey(b)
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

// survey passes over b once and looks for the outline of each encoding.
func survey(b []byte) mark {
	var m mark
	var words, percent, entity, escape, pairs, single, digitInWord, tagInWord, piece, pieces, pieceEnd int
	var seen uint32 // of hints
	for i := 0; i < len(b); {
		start, in := i, uint8(0)
		for i < len(b) {
			class := classOf[b[i]]
			if class == 0 {
				break
			}
			in |= class
			if i++; i == start+minEncoded { // few words are longer, and of those no more is asked
				i = runEnd(b, i)
			}
		}
		if n := i - start; n > 0 {
			if n >= 3 && n < minEncoded && in == letters|known { // a word like most
				pairs, single = 0, 0
				if words++; words > localWords && m&markLeet == 0 {
					words, digitInWord = 1, 0
				}
				if hintLengths>>n&1 != 0 && hintAt[hintHash(b[start:i])] != 0 {
					seen |= hinted(b[start:i])
				}
				if b[start]|0x20 == 'r' && b[start+1]|0x20 == 'o' && rotWord(b[start:i]) {
					m |= markRot
				}
				continue
			}
			if n >= 4 && n < minEncoded {
				if pieces++; n != piece || start > pieceEnd+2 { // one blank or line end away
					pieces = 1
				}
				if piece, pieceEnd = n, i; pieces >= 3 || pieces == 2 && n < 6 {
					m |= markBlocks
				}
			}
			switch {
			case n >= minEncoded:
				m |= markBase
				pairs, single = 0, 0
			case n == 1:
				if single++; single >= 6 {
					m |= markSpaced
				}
			case n == 2 && hexDigit(b[start]) && hexDigit(b[start+1]), n <= 3 && digit(b[start]), n == 8 && binaryWord(b[start:i]):
				if pairs++; pairs >= 8 {
					m |= markHexPairs
				}
				single = 0
			default:
				pairs, single = 0, 0
			}
			if n >= 3 {
				if words++; words > localWords && m&markLeet == 0 {
					words, digitInWord = 1, 0
				}
			}
			if n >= 3 && n < minEncoded && leetWord(b[start:i]) {
				if digitInWord++; digitInWord >= 4 && digitInWord*5 >= words {
					m |= markLeet
				}
			}
			if (b[start] == 'r' || b[start] == 'R') && n >= 3 && rotWord(b[start:i]) {
				m |= markRot
			}
			continue
		}
		switch c := b[i]; c {
		case '%':
			if i+2 < len(b) && hexDigit(b[i+1]) && hexDigit(b[i+2]) {
				if percent++; percent >= 3 {
					m |= markPercent
				}
			}
		case '&':
			if i+1 < len(b) && (b[i+1] == '#' || b[i+1] == 'l' || b[i+1] == 'g' || b[i+1] == 'a') {
				if entity++; entity >= 2 {
					m |= markEntity
				}
			}
		case '\\':
			if i+1 < len(b) && (b[i+1] == 'u' || b[i+1] == 'x') {
				if escape++; escape >= 4 {
					m |= markEscape
				}
			}
		case '<':
			if i > 0 && isWordByte(b[i-1]) && i+1 < len(b) && (b[i+1] == '/' || b[i+1] == '!' || isWordByte(b[i+1])) {
				if tagInWord++; tagInWord >= 2 {
					m |= markTags
				}
			}
		case '\n', '\r':
			single = 0
			if i > 1 && b[i-1] == '=' && b[i-2] > ' ' && b[i-2] != '=' {
				m |= markMail
			}
		case '.':
			if i+1 < len(b) && b[i+1] <= ' ' {
				single = 0
			}
		}
		i++
	}
	if seen != 0 {
		m |= worth(seen)
	}
	return m
}

// classOf is non-zero for the bytes of base64 and of words.
var classOf = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			t[c] = letters | known
		case isWordByte(byte(c)) || c == '+' || c == '/' || c == '=' || c == '_' || c == '-':
			t[c] = others | known
		}
	}
	return t
}()

// runEnd is where the run of such bytes ends that i is in.
func runEnd(b []byte, i int) int {
	t := &classOf
	for near := min(len(b), i+minEncoded); i < near; i++ {
		if t[b[i]] == 0 {
			return i
		}
	}
	i += octet.Letters(b[i:])
	for ; i+8 <= len(b); i += 8 {
		w := b[i : i+8 : i+8]
		if few := t[w[0]] & t[w[1]] & t[w[2]] & t[w[3]] & t[w[4]] & t[w[5]] & t[w[6]] & t[w[7]]; few&known == 0 {
			break
		}
	}
	for i < len(b) && t[b[i]] != 0 {
		i++
	}
	return i
}

// The classes of bytes.
const (
	letters = 1 << iota
	others  // digits and marks
	known   // either
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
			span, out := d.next(b, pos, v.budget)
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
		if m := survey(out); m&^(markSpaced|markLeet|markRot|markBack) != 0 {
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
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == ' ', c >= 0x80:
			letters++
		case c < 0x20 && c != '\n' && c != '\t' && c != '\r', c == 0x7f:
			bad++
		}
	}
	if bad*20 > len(b) || letters*2 < len(b) {
		return false
	}
	return validEnough(b) && (bytes.IndexByte(b, ' ') >= 0 || bytes.IndexByte(b, '%') >= 0 || bytes.IndexByte(b, '+') >= 0 || len(b) >= 12)
}

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
