package guard

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"durward/internal/mcpwire"
)

func space(b []byte, i int) int {
	for i >= 0 && i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

func ends(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

// stringEnd is where the string that opens at i ends; -1 when it does not.
func stringEnd(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[min(i, len(b)):], '"')
		if n < 0 {
			return -1
		}
		i += n
		back := 0
		for b[i-1-back] == '\\' {
			back++
		}
		if back%2 == 0 {
			return i + 1
		}
	}
}

// digits reports a text with a digit in it.
func digits(b []byte) bool {
	for _, c := range b {
		if '0' <= c && c <= '9' {
			return true
		}
	}
	return false
}

// notation reports members whose short values are the protocol's own words.
func notation(key []byte) bool {
	switch string(key) {
	case "type", "resultType", "mimeType", "role", "method", "level":
		return true
	}
	return false
}

// speaks reports members that hold what is said, however short.
func speaks(key []byte) bool {
	switch string(key) {
	case "text", "message", "data":
		return true
	}
	return false
}

// carriesBytes reports members that hold base64: images, audio, blobs.
func carriesBytes(key []byte) bool { return string(key) == "data" || string(key) == "blob" }

// bytesOf reads a place in a text as findings have it.
func bytesOf(where string) (from, to int, ok bool) {
	where, ok = strings.CutPrefix(where, "bytes ")
	a, b, parted := strings.Cut(where, "-")
	from, err := strconv.Atoi(a)
	to, err2 := strconv.Atoi(b)
	return from, to, ok && parted && err == nil && err2 == nil
}

func unbase64(inner []byte) ([]byte, bool) {
	if bytes.IndexByte(inner, '\\') >= 0 { // \/ is the only escape that base64 can need
		inner = bytes.ReplaceAll(inner, []byte(`\/`), []byte("/"))
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		out := make([]byte, enc.DecodedLen(len(inner)))
		if n, err := enc.Decode(out, inner); err == nil {
			return out[:n], true
		}
	}
	return nil, false
}

func tobase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// mostInflated bounds what a compressed blob may become.
const mostInflated = 1 << 20

// legible is what of bytes is text: all of them, what they are compressed
// from, or the passages between bytes of another kind. plain tells the first.
func legible(raw []byte) (text []byte, plain bool) {
	if isText(raw) {
		return raw, true
	}
	if len(raw) > 2 && raw[0] == 0x1f && raw[1] == 0x8b {
		if z, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
			out, _ := io.ReadAll(io.LimitReader(z, mostInflated)) // what came before an error counts
			if isText(out) {
				return out, false
			}
		}
	}
	return passages(raw), false
}

func isText(b []byte) bool {
	odd := 0
	for _, c := range b {
		if c == 0x7f || c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != 0x1b {
			odd++
		}
	}
	return odd*50 <= len(b) && (utf8.Valid(b) || odd == 0)
}

// passages are the sentences within bytes of another kind.
func passages(b []byte) []byte {
	const least = 32
	var out []byte
	for i := 0; i < len(b); {
		from, spaces := i, 0
		for i < len(b) && (b[i] >= ' ' && b[i] < 0x7f || b[i] == '\n' || b[i] == '\t') {
			if b[i] == ' ' {
				spaces++
			}
			i++
		}
		if i-from >= least && spaces >= 3 {
			out = append(append(out, b[from:i]...), '\n')
		}
		i++
	}
	return out
}

// locate finds the member or element of the value at i that covers an offset:
// its name, and where it begins; -1 when there is none.
func locate(b []byte, i, at int) (name string, from int) {
	if i = space(b, i); i >= len(b) || b[i] != '{' && b[i] != '[' {
		return "", -1
	}
	object := b[i] == '{'
	for n := 0; ; n++ {
		if i = space(b, i+1); i >= len(b) || b[i] == '}' || b[i] == ']' {
			return "", -1
		}
		name = strconv.Itoa(n)
		if object {
			end := stringEnd(b, i)
			if end < 0 {
				return "", -1
			}
			name, _ = mcpwire.Text(b[i:end])
			if at < end {
				return "", -1 // the name itself
			}
			i = space(b, space(b, end)+1)
		}
		end := valueEnd(b, i)
		if end < 0 {
			return "", -1
		}
		if at < end {
			return name, i
		}
		i = space(b, end)
	}
}

// valueEnd is where the value at i ends; -1 when it does not.
func valueEnd(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch c := b[i]; {
		case c == '"':
			if i = stringEnd(b, i); i < 0 {
				return -1
			}
		case c == '{' || c == '[':
			depth++
			i++
		case c == '}' || c == ']':
			depth--
			i++
		case c == ',' || c == ':' || c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
			continue
		default:
			for i < len(b) && !ends(b[i]) && b[i] != ':' {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return -1
}
