package text

import (
	"math/bits"

	"durward/internal/guard/octet"
)

// outline is where the words of a text stand, as masks with a bit for each
// byte: of words and of what is encoded, of letters, and of the signs by which
// other encodings are told. Its memory is used again.
type outline struct {
	words, letters, signs []uint64
	long                  []Span // words that may be base64
}

// The bits of a byte's class: what may stand in base64 or in a word, of it what
// is a letter, and signs.
const (
	isLetterBit = 1 << iota
	inWordBit
	isSignBit
)

// classOf has inWordBit for the bytes of base64 and of words.
var classOf = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			t[c] = isLetterBit | inWordBit
		case isWordByte(byte(c)) || c == '+' || c == '/' || c == '=' || c == '_' || c == '-':
			t[c] = inWordBit
		case c == '%' || c == '&' || c == '\\' || c == '<' || c == '\n' || c == '\r' || c == '.':
			t[c] = isSignBit
		}
	}
	return t
}()

// mostKept bounds the memory that an outline keeps.
const mostKept = 1 << 14

// sort sets the masks of b.
func (o *outline) sort(b []byte) {
	n := (len(b) + 63) / 64
	if cap(o.words) < n || cap(o.words) > mostKept && n <= mostKept {
		room := make([]uint64, 3*n)
		o.words, o.letters, o.signs = room[:n:n], room[n:2*n:2*n], room[2*n:]
	}
	o.words, o.letters, o.signs = o.words[:n], o.letters[:n], o.signs[:n]
	for k := range o.words {
		rest := b[k*64:]
		if len(rest) >= 64 && octet.Letters(rest[:64]) == 64 {
			o.letters[k], o.words[k], o.signs[k] = ^uint64(0), ^uint64(0), 0
			continue
		}
		o.letters[k], o.words[k], o.signs[k], _ = octet.Sort(rest, &classOf)
	}
}

// set is the next place at i or behind it whose bit is set; behind all of them
// when there is none.
func set(m []uint64, i int) int {
	k := i >> 6
	if k >= len(m) {
		return len(m) << 6
	}
	if w := m[k] >> (i & 63); w != 0 {
		return i + bits.TrailingZeros64(w)
	}
	for k++; k < len(m) && m[k] == 0; k++ {
	}
	if k == len(m) {
		return k << 6
	}
	return k<<6 + bits.TrailingZeros64(m[k])
}

// unset is set for bits that are not.
func unset(m []uint64, i int) int {
	k := i >> 6
	if k >= len(m) {
		return len(m) << 6
	}
	if w := ^m[k] >> (i & 63); w != 0 {
		return i + bits.TrailingZeros64(w)
	}
	for k++; k < len(m) && m[k] == ^uint64(0); k++ {
	}
	if k == len(m) {
		return k << 6
	}
	return k<<6 + bits.TrailingZeros64(^m[k])
}

// allSet reports n bits from i on, fewer than sixty-four, that are all set.
func allSet(m []uint64, i, n int) bool {
	k, at := i>>6, i&63
	w := m[k] >> at
	if at+n > 64 {
		w |= m[k+1] << (64 - at)
	}
	return ^w<<(64-n) == 0
}

// survey passes over b once and looks for the outline of each encoding.
func (o *outline) survey(b []byte) mark {
	o.sort(b)
	o.long = o.long[:0]
	if cap(o.long) > mostKept {
		o.long = nil
	}
	var s seen
	for i := 0; i < len(b); {
		start := min(set(o.words, i), len(b))
		if start-i > 1 || start > i && classOf[b[i]] != 0 {
			s.between(o.signs, b, i, start)
		}
		if start == len(b) {
			break
		}
		i = unset(o.words, start)
		switch n := i - start; {
		case n >= 3 && n < minEncoded && allSet(o.letters, start, n):
			s.plain(b[start:i])
		case n >= minEncoded:
			o.long = append(o.long, Span{start, i})
			s.long(b[start:i])
		default:
			s.odd(b, start, i)
		}
	}
	return s.marks | worth(s.hints)
}

// seen is what a survey has seen so far.
type seen struct {
	marks                                  mark
	hints                                  uint32
	words, digitInWord                     int // of late
	percent, entity, escape, tagInWord     int
	pairs, single, piece, pieces, pieceEnd int
}

// plain is a word like most.
func (s *seen) plain(w []byte) {
	s.pairs, s.single = 0, 0
	s.count()
	if hintAt[hintHash(w)] != 0 {
		s.hints |= hinted(w)
	}
	if w[0]|0x20 == 'r' && w[1]|0x20 == 'o' && rotWord(w) {
		s.marks |= markRot
	}
}

// count counts a word, of as many as digits for letters are counted among.
func (s *seen) count() {
	if s.words++; s.words > localWords && s.marks&markLeet == 0 {
		s.words, s.digitInWord = 1, 0
	}
}

// long is a word that may be encoded.
func (s *seen) long(w []byte) {
	s.marks |= markBase
	s.pairs, s.single = 0, 0
	s.count()
	if w[0]|0x20 == 'r' && rotWord(w) {
		s.marks |= markRot
	}
}

// odd is a short word, or one with digits or marks in it.
func (s *seen) odd(b []byte, start, end int) {
	n := end - start
	if n >= 4 {
		if s.pieces++; n != s.piece || start > s.pieceEnd+2 { // one blank or line end away
			s.pieces = 1
		}
		if s.piece, s.pieceEnd = n, end; s.pieces >= 3 || s.pieces == 2 && n < 6 {
			s.marks |= markBlocks
		}
	}
	switch {
	case n == 1:
		if s.single++; s.single >= 6 {
			s.marks |= markSpaced
		}
	case n == 2 && hexDigit(b[start]) && hexDigit(b[start+1]), n <= 3 && digit(b[start]), n == 8 && binaryWord(b[start:end]):
		if s.pairs++; s.pairs >= 8 {
			s.marks |= markHexPairs
		}
		s.single = 0
	default:
		s.pairs, s.single = 0, 0
	}
	if n < 3 {
		return
	}
	s.count()
	if leetWord(b[start:end]) {
		if s.digitInWord++; s.digitInWord >= 4 && s.digitInWord*5 >= s.words {
			s.marks |= markLeet
		}
	}
	if b[start]|0x20 == 'r' && rotWord(b[start:end]) {
		s.marks |= markRot
	}
}

// between goes over the signs between two words.
func (s *seen) between(signs []uint64, b []byte, from, to int) {
	if to-from == 1 {
		s.sign(b, from)
		return
	}
	for k := from >> 6; k<<6 < to; k++ {
		w := signs[k]
		if k == from>>6 {
			w = w >> (from & 63) << (from & 63)
		}
		for ; w != 0; w &= w - 1 {
			at := k<<6 + bits.TrailingZeros64(w)
			if at >= to {
				return
			}
			s.sign(b, at)
		}
	}
}

// sign is one of those by which an encoding without words is told.
func (s *seen) sign(b []byte, i int) {
	switch b[i] {
	case '%':
		if i+2 < len(b) && hexDigit(b[i+1]) && hexDigit(b[i+2]) {
			if s.percent++; s.percent >= 3 {
				s.marks |= markPercent
			}
		}
	case '&':
		if i+1 < len(b) && (b[i+1] == '#' || b[i+1] == 'l' || b[i+1] == 'g' || b[i+1] == 'a') {
			if s.entity++; s.entity >= 2 {
				s.marks |= markEntity
			}
		}
	case '\\':
		if i+1 < len(b) && (b[i+1] == 'u' || b[i+1] == 'x') {
			if s.escape++; s.escape >= 4 {
				s.marks |= markEscape
			}
		}
	case '<':
		if i > 0 && isWordByte(b[i-1]) && i+1 < len(b) && (b[i+1] == '/' || b[i+1] == '!' || isWordByte(b[i+1])) {
			if s.tagInWord++; s.tagInWord >= 2 {
				s.marks |= markTags
			}
		}
	case '\n', '\r':
		s.single = 0
		if i > 1 && b[i-1] == '=' && b[i-2] > ' ' && b[i-2] != '=' {
			s.marks |= markMail
		}
	case '.':
		if i+1 < len(b) && b[i+1] <= ' ' {
			s.single = 0
		}
	}
}

// runEnd is where the run of such bytes ends that i is in.
func runEnd(b []byte, i int) int {
	t := &classOf
	for near := min(len(b), i+minEncoded); i < near; i++ {
		if t[b[i]]&inWordBit == 0 {
			return i
		}
	}
	i += octet.Letters(b[i:])
	for ; i+8 <= len(b); i += 8 {
		w := b[i : i+8 : i+8]
		if few := t[w[0]] & t[w[1]] & t[w[2]] & t[w[3]] & t[w[4]] & t[w[5]] & t[w[6]] & t[w[7]]; few&inWordBit == 0 {
			break
		}
	}
	for i < len(b) && t[b[i]]&inWordBit != 0 {
		i++
	}
	return i
}
