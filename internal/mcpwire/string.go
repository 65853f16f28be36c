package mcpwire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// marks tell what a string has.
type marks uint8

const (
	hasEscape marks = 1 << iota
	hasLone         // a surrogate escape without its other half
)

// str scans the string that opens at i: the index behind its closing quote,
// and what it has. It checks that there are no control characters, that
// escapes are well-formed and that the text is valid UTF-8.
func (s *scanner) str(i int) (end int, has marks) {
	data := s.data
	for i++; ; {
		if i = plain(data, i); i >= len(data) {
			return s.syntax(i, "unexpected end"), 0
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, has
		case c == '\\':
			n, mark := escape(data[i:])
			if n == 0 {
				return s.syntax(i, "malformed escape"), 0
			}
			i, has = i+n, has|mark
		case c < ' ':
			return s.syntax(i, "control character in a string"), 0
		default:
			next := foreign(data, i)
			if next < 0 {
				return s.syntax(^next, "invalid UTF-8"), 0
			}
			i = next
		}
	}
}

// plain skips bytes that need no look of their own: ASCII except control
// characters, quotes and backslashes.
func plain(data []byte, i int) int {
	for ; i+32 <= len(data); i += 32 {
		b := data[i : i+32 : i+32]
		if m := special(binary.LittleEndian.Uint64(b)); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		if m := special(binary.LittleEndian.Uint64(b[8:])); m != 0 {
			return i + 8 + bits.TrailingZeros64(m)>>3
		}
		if m := special(binary.LittleEndian.Uint64(b[16:])); m != 0 {
			return i + 16 + bits.TrailingZeros64(m)>>3
		}
		if m := special(binary.LittleEndian.Uint64(b[24:])); m != 0 {
			return i + 24 + bits.TrailingZeros64(m)>>3
		}
		if hasBlocks && i+longRun <= len(data) {
			return plainRest(data, i+32+plainBlocks(data[i+32:]))
		}
	}
	return plainRest(data, i)
}

// plainRest is plain, byte by byte.
func plainRest(data []byte, i int) int {
	for i < len(data) && isPlain(data[i]) {
		i++
	}
	return i
}

// longRun is how much must be left for a look at whole blocks, where a run
// turned out not to be short.
const longRun = 128

// special tests eight bytes at once: of those that are not plain, the first
// has its top bit set in the result. Bytes behind it may have it set as well,
// by borrowing, which does not matter.
func special(w uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	// b^2 < 0x21 is true for control characters and the quote (0x22).
	return (w | ((w ^ 0x02*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) & tops
}

func isPlain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// foreign skips a run of characters beyond ASCII. At invalid UTF-8 it returns
// the complement of the index. What most text is made of is judged here: two
// bytes, and three bytes whose first leaves the second free.
func foreign(data []byte, i int) int {
	for i < len(data) && data[i] >= utf8.RuneSelf {
		c := data[i]
		if c >= 0xc2 && c < 0xe0 && i+1 < len(data) && isTail(data[i+1]) {
			i += 2
			continue
		}
		if c > 0xe0 && c < 0xf0 && c != 0xed && i+2 < len(data) && isTail(data[i+1]) && isTail(data[i+2]) {
			i += 3
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return ^i
		}
		i += n
	}
	return i
}

func isTail(c byte) bool { return c&0xc0 == 0x80 }

// escape returns the length of the escape sequence, or surrogate pair, that b
// starts with, and what it means for the string; length 0 when it is none.
func escape(b []byte) (int, marks) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, hasEscape
	case 'u':
		if _, ok := hex4(b); !ok {
			return 0, 0
		}
		r, n := unescape(b)
		if r < 0 {
			return n, hasEscape | hasLone
		}
		return n, hasEscape
	}
	return 0, 0
}

// hex4 reads the code unit of an escape by four digits at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape decodes the valid escape sequence (or surrogate pair) that b starts
// with. A lone surrogate gives -1.
func unescape(b []byte) (rune, int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, _ := hex4(b)
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		low, _ := hex4(b[6:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
		return -1, 6
	}
	return rune(b[1]), 2
}

// appendText appends what the text between the quotes of a valid string says.
// A lone surrogate becomes U+FFFD. A broken escape ends the text.
func appendText(dst, text []byte) []byte {
	for {
		plain := bytes.IndexByte(text, '\\')
		if plain < 0 {
			return append(dst, text...)
		}
		dst, text = append(dst, text[:plain]...), text[plain:]
		if n, _ := escape(text); n == 0 {
			return dst
		}
		r, n := unescape(text)
		if r < 0 {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		text = text[n:]
	}
}
