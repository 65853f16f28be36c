package text

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// nextPrintable opens a paragraph that was wrapped for mail (RFC 2045, quoted
// printable): lines end in =, and other characters are =XX.
func nextPrintable(b []byte, pos, _ int) (Span, []byte) {
	for pos < len(b) {
		end := paragraphEnd(b, pos)
		if part := b[pos:end]; bytes.Contains(part, []byte("=\n")) || bytes.Contains(part, []byte("=\r\n")) {
			return Span{pos, end}, printable(part)
		}
		pos = end
	}
	return Span{}, nil
}

// paragraphEnd is where the first empty line behind pos ends.
func paragraphEnd(b []byte, pos int) int {
	for pos < len(b) {
		n := bytes.IndexByte(b[pos:], '\n')
		if n < 0 {
			return len(b)
		}
		pos += n + 1
		if pos < len(b) && b[pos] == '\n' {
			return pos + 1
		}
		if pos+1 < len(b) && b[pos] == '\r' && b[pos+1] == '\n' {
			return pos + 2
		}
	}
	return pos
}

func printable(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] != '=':
			out = append(out, b[i])
		case i+1 < len(b) && b[i+1] == '\n':
			i++
		case i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n':
			i += 2
		case i+2 < len(b) && hexDigit(b[i+1]) && hexDigit(b[i+2]):
			out = append(out, nibble(b[i+1])<<4|nibble(b[i+2]))
			i += 2
		default:
			out = append(out, '=')
		}
	}
	return out
}

func nibble(c byte) byte {
	if digit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// narrowed is a text of two bytes a character (UTF-16) in one; b when it is none.
func narrowed(b []byte) []byte {
	high, ok := wideBy(b)
	if !ok {
		return b
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i+high])<<8|uint16(b[i+1-high]))
	}
	out := make([]byte, 0, len(units))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out
}

func wide(b []byte) bool {
	_, ok := wideBy(b)
	return ok
}

// wideBy tells where the high byte of each pair stands.
func wideBy(b []byte) (high int, ok bool) {
	if len(b) < 2*leastWide {
		return 0, false
	}
	zeros := [2]int{}
	for i, c := range b[:min(len(b), 512)] {
		if c == 0 {
			zeros[i&1]++
		}
	}
	half := min(len(b), 512) / 2
	high = 1
	if zeros[0] > zeros[1] {
		high = 0
	}
	if zeros[high]*4 < half*3 || zeros[1-high]*8 > half {
		return 0, false
	}
	return high, true
}

const leastWide = 6 // characters
