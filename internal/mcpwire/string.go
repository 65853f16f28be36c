package mcpwire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// str scans the string that opens at i: the index behind its closing quote,
// and whether it has escapes. It checks that there are no control characters,
// that escapes are well-formed and that the text is valid UTF-8.
func (s *scanner) str(i int) (end int, esc bool) {
	data := s.data
	for i++; ; {
		if i = plain(data, i); i >= len(data) {
			return s.syntax(i, "unexpected end"), false
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, esc
		case c == '\\':
			n := escape(data[i:])
			if n == 0 {
				return s.syntax(i, "malformed escape"), false
			}
			i, esc = i+n, true
		case c < ' ':
			return s.syntax(i, "control character in a string"), false
		default:
			next := foreign(data, i)
			if next < 0 {
				return s.syntax(^next, "invalid UTF-8"), false
			}
			i = next
		}
	}
}

// plain skips bytes that need no look of their own: ASCII except control
// characters, quotes and backslashes. It tests eight bytes in one word: the
// top bit of a byte of the sum below is set for the first special byte, and
// possibly, by borrowing, for bytes behind it, which does not matter.
func plain(data []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+32 <= len(data); i += 32 {
		b := data[i : i+32 : i+32]
		w, x, y, z := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]),
			binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
		// b^2 < 0x21 is true for control characters and the quote (0x22).
		if m := (w | ((w ^ 0x02*ones) - 0x21*ones) | ((w ^ '\\'*ones) - ones)) & tops; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		if m := (x | ((x ^ 0x02*ones) - 0x21*ones) | ((x ^ '\\'*ones) - ones)) & tops; m != 0 {
			return i + 8 + bits.TrailingZeros64(m)>>3
		}
		if m := (y | ((y ^ 0x02*ones) - 0x21*ones) | ((y ^ '\\'*ones) - ones)) & tops; m != 0 {
			return i + 16 + bits.TrailingZeros64(m)>>3
		}
		if m := (z | ((z ^ 0x02*ones) - 0x21*ones) | ((z ^ '\\'*ones) - ones)) & tops; m != 0 {
			return i + 24 + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(data) && isPlain(data[i]) {
		i++
	}
	return i
}

func isPlain(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// foreign skips a run of characters beyond ASCII. At invalid UTF-8 it returns
// the complement of the index.
func foreign(data []byte, i int) int {
	for i < len(data) && data[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return ^i
		}
		i += n
	}
	return i
}

// escape returns the length of the escape sequence that b starts with; 0 when
// it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the code unit of a \uXXXX at the start of b.
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

// loneSurrogate reports whether the text between the quotes of a valid string
// has a surrogate escape without its other half.
func loneSurrogate(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		r, n := unescape(text[i:])
		if r < 0 {
			return true
		}
		i += n - 1
	}
	return false
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
	for i := 0; i < len(text); {
		c := text[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		if escape(text[i:]) == 0 {
			return dst
		}
		r, n := unescape(text[i:])
		if r < 0 {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}
