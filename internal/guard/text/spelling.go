package text

import (
	"bytes"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// nextSpaced closes up letters that were spaced out ("i g n o r e", "i.g.n");
// two blanks or a slash part the words, else the words run together.
func nextSpaced(b []byte, pos, _ int) (Span, []byte) {
	for pos < len(b) {
		start, i, count := pos, pos, 0
		between := byte(' ') // what stands between the letters
		if pos+2 < len(b) && spacer(b[pos+1]) && isWordByte(b[pos+2]) {
			between = b[pos+1]
		}
		var out []byte
		for i < len(b) && isWordByte(b[i]) && (i+1 == len(b) || !isWordByte(b[i+1])) {
			out = append(out, b[i])
			count++
			gap, blanks := i+1, 0
			for gap < len(b) && !isWordByte(b[gap]) && gap-i <= 7 {
				if b[gap] == ' ' || b[gap] == between {
					blanks++
				} else if b[gap] < 0x80 {
					out = append(out, b[gap])
					blanks--
				}
				gap++
			}
			if blanks > 1 {
				out = append(out, ' ')
			}
			i = gap
		}
		if count >= 6 {
			return Span{start, i}, out
		}
		for pos < len(b) && isWordByte(b[pos]) {
			pos++
		}
		for pos < len(b) && !isWordByte(b[pos]) {
			pos++
		}
	}
	return Span{}, nil
}

// spacer are marks that letters are spaced with.
func spacer(c byte) bool {
	switch c {
	case '.', '-', '_', '*', '|', ',', '+', '~':
		return true
	}
	return false
}

func leetByte(c byte) (byte, bool) {
	switch c {
	case '0':
		return 'o', true
	case '1':
		return 'i', true
	case '3':
		return 'e', true
	case '4', '@':
		return 'a', true
	case '5', '$':
		return 's', true
	case '7':
		return 't', true
	}
	return c, false
}

// leetWord reports letters with digits among them, as in "1gn0re".
func leetWord(w []byte) bool {
	digits, letters := 0, 0
	for _, c := range w {
		if _, ok := leetByte(c); ok {
			digits++
		} else if 'a' <= c|0x20 && c|0x20 <= 'z' {
			letters++
		} else {
			return false
		}
	}
	return digits > 0 && letters > 1 && letters >= digits && !(leading(w) >= len(w)-digits)
}

// leading counts the letters before the first digit: "sha256" is a name.
func leading(w []byte) int {
	for i, c := range w {
		if digit(c) {
			return i
		}
	}
	return len(w)
}

func nextLeet(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := bytes.Clone(b)
	for i := 0; i < len(out); {
		start := i
		for i < len(out) && (isWordByte(out[i]) || out[i] == '@' || out[i] == '$' || within(out, i)) {
			i++
		}
		if w := out[start:i]; len(w) > 1 && hasLetter(w) {
			for k, c := range w {
				if c != '@' || !addresses(out, start+k) {
					w[k] = unleet(c)
				}
			}
		}
		if i == start {
			i++
		}
	}
	return Span{0, len(b)}, out
}

// addresses reports an at sign that a host follows.
func addresses(b []byte, at int) bool {
	for i := at + 1; i+1 < len(b) && b[i] > ' ' && b[i] != '@'; i++ {
		if b[i] == '.' && isWordByte(b[i+1]) {
			return true
		}
	}
	return false
}

// within reports a mark that stands for a letter before another one.
func within(b []byte, i int) bool {
	if c := b[i]; c != '!' && c != '+' && c != '|' || i+1 == len(b) {
		return false
	}
	next := b[i+1]
	return isWordByte(next) || next == '@' || next == '$'
}

// unleet is the letter that a digit or mark stands for.
func unleet(c byte) byte {
	switch c {
	case '!':
		return 'i'
	case '+':
		return 't'
	case '|':
		return 'l'
	case '8':
		return 'b'
	case '9', '6':
		return 'g'
	}
	c, _ = leetByte(c)
	return c
}

func hasLetter(w []byte) bool {
	for _, c := range w {
		if 'a' <= c|0x20 && c|0x20 <= 'z' {
			return true
		}
	}
	return false
}

func rotWord(w []byte) bool {
	return len(w) <= 6 && (bytes.EqualFold(w, []byte("rot13")) || bytes.EqualFold(w, []byte("rot-13")) || bytes.EqualFold(w, []byte("rot")))
}

func nextRot(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := bytes.Clone(b)
	for i, c := range out {
		switch {
		case 'a' <= c && c <= 'z':
			out[i] = 'a' + (c-'a'+13)%26
		case 'A' <= c && c <= 'Z':
			out[i] = 'A' + (c-'A'+13)%26
		}
	}
	return Span{0, len(b)}, out
}

// hint is a word of English that is written otherwise: two of them in a text
// make a view of it worth while.
type hint struct {
	word string
	of   mark
}

// hints are frequent words, and words of orders, by rot13 and backwards; of few
// lengths, so that most words of a text need no look.
var hints = []hint{
	{"gur", markRot}, {"naq", markRot}, {"lbh", markRot}, {"nyy", markRot}, {"abg", markRot}, {"hfr", markRot}, {"sbe", markRot}, {"nal", markRot},
	{"vtaber", markRot}, {"flfgrz", markRot}, {"erirny", markRot}, {"cerivbhf", markRot}, {"cnffjbeq", markRot}, {"vafgehpgvbaf", markRot},
	{"eht", markBack}, {"dna", markBack}, {"uoy", markBack}, {"lla", markBack}, {"esu", markBack}, {"rof", markBack}, {"yna", markBack},
	{"erongi", markBack}, {"metsys", markBack}, {"laever", markBack}, {"suoiverp", markBack}, {"drowssap", markBack}, {"snoitcurtsni", markBack},
}

// hintLengths are the lengths of hints, as bits.
const hintLengths = 1<<3 | 1<<6 | 1<<8 | 1<<12

// hintAt finds a hint by a hash of its ends and its length.
var hintAt = func() (t [1 << 10]uint8) {
	for i, h := range hints {
		t[hintHash([]byte(h.word))] = uint8(i + 1)
	}
	return t
}()

func hintHash(w []byte) uint32 {
	a, b, z := uint32(w[0]|0x20), uint32(w[1]|0x20), uint32(w[len(w)-1]|0x20)
	return (a<<16 ^ b<<8 ^ z ^ uint32(len(w))<<21) * 0x9E3779B1 >> 22
}

// hinted is which hint a word of letters is, as a bit; 0 for none.
func hinted(w []byte) uint32 {
	i := hintAt[hintHash(w)]
	if i == 0 || !bytes.EqualFold(w, []byte(hints[i-1].word)) {
		return 0
	}
	return 1 << (i - 1)
}

// worth are the encodings of which a text has two words.
func worth(seen uint32) mark {
	var m mark
	for _, of := range []mark{markRot, markBack} {
		n := 0
		for rest := seen; rest != 0; rest &= rest - 1 {
			if hints[bits.TrailingZeros32(rest)].of == of {
				n++
			}
		}
		if n >= 2 {
			m |= of
		}
	}
	return m
}

// nextBack turns a text around.
func nextBack(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := make([]byte, 0, len(b))
	for end := len(b); end > 0; {
		_, n := utf8.DecodeLastRune(b[:end])
		out = append(out, b[end-n:end]...)
		end -= n
	}
	return Span{0, len(b)}, out
}

// nextBackWords turns each word around.
func nextBackWords(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := bytes.Clone(b)
	for i := 0; i < len(out); {
		start := i
		for i < len(out) && isWordByte(out[i]) {
			i++
		}
		slices.Reverse(out[start:i])
		if i == start {
			i++
		}
	}
	return Span{0, len(b)}, out
}

// nextTags drops markup that parts words ("ig<b></b>nore").
func nextTags(b []byte, pos, _ int) (Span, []byte) {
	if pos > 0 {
		return Span{}, nil
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '<' {
			out = append(out, b[i])
			continue
		}
		end := bytes.IndexByte(b[i:min(len(b), i+256)], '>')
		if end < 0 {
			out = append(out, b[i])
			continue
		}
		i += end
	}
	return Span{0, len(b)}, out
}
