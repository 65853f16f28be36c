package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string. Longer texts than limit bytes are cut
// and tell how much is missing.
func appendText(dst []byte, s string, limit int) []byte {
	if len(s) <= limit {
		return append(appendEscaped(append(dst, '"'), s), '"')
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	dst = appendEscaped(append(dst, '"'), s[:cut])
	dst = append(dst, "...[+"...)
	dst = strconv.AppendInt(dst, int64(len(s)-cut), 10)
	return append(dst, ` bytes]"`...)
}

// appendEscaped appends s as the inside of a JSON string. Besides what JSON
// asks for, everything is escaped that could steer the terminal of a person
// who looks at the file.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			dst = appendControl(append(dst, s[start:i]...), c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if broken := r == utf8.RuneError && size == 1; broken || steers(r) {
			dst = appendUnicode(append(dst, s[start:i]...), r)
			start = i + size
		}
		i += size
	}
	return append(dst, s[start:]...)
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendUnicode(dst, rune(c))
}

// steers reports C1 controls, line separators and marks that change the
// direction of text.
func steers(r rune) bool {
	switch {
	case r >= 0x80 && r <= 0x9f:
		return true
	case r == 0x200e, r == 0x200f, r == 0x061c:
		return true
	case r >= 0x2028 && r <= 0x202e:
		return true
	case r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

func appendUnicode(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendCompact appends valid JSON without the blanks between its tokens;
// numbers and strings keep their spelling.
func appendCompact(dst, value []byte) []byte {
	inString := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case inString && c == '\\':
			dst = append(dst, c)
			i++
			c = value[i]
		case c == '"':
			inString = !inString
		case !inString && isBlank(c):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// appendMarker appends a JSON string that stands for a value that is not kept.
func appendMarker(dst []byte, why string, value []byte) []byte {
	sum := sha256.Sum256(value)
	dst = append(append(dst, `"[`...), why...)
	dst = strconv.AppendInt(append(dst, `: `...), int64(len(value)), 10)
	dst = hex.AppendEncode(append(dst, ` bytes, sha256 `...), sum[:])
	return append(dst, `]"`...)
}
