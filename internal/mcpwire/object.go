package mcpwire

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf8"

	"durward"
)

// The functions of this file read bytes that were scanned before. On anything
// else they stay within bounds and find nothing, or nonsense.

// Field returns the value of a key at the top of an object, without
// surrounding white space. Of duplicate keys, which only the depths of a
// result can have, it finds the first.
func Field(obj []byte, key string) (value []byte, ok bool) {
	for m := range members(obj) {
		if isRawText(m.rawKey(obj), key) {
			return m.of(obj), true
		}
	}
	return nil, false
}

// Pick is Field for several keys, in one pass: values gets theirs in order, and
// nil for those that are absent.
func Pick(obj []byte, values [][]byte, keys ...string) {
	clear(values)
	for m := range members(obj) {
		for k, key := range keys {
			if values[k] == nil && isRawText(m.rawKey(obj), key) {
				values[k] = m.of(obj)
			}
		}
	}
}

// FieldText returns the decoded string at the top of an object; false when it
// is absent or no string.
func FieldText(obj []byte, key string) (string, bool) {
	v, ok := Field(obj, key)
	if !ok {
		return "", false
	}
	return Text(v)
}

// Path walks through nested objects: Path(result, "_meta", "progressToken").
func Path(obj []byte, keys ...string) (value []byte, ok bool) {
	value = obj
	for _, k := range keys {
		if value, ok = Field(value, k); !ok {
			return nil, false
		}
	}
	return value, len(keys) > 0
}

// Fields yields the members of an object in order, keys decoded.
func Fields(obj []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for m := range members(obj) {
			if !yield(rawText(m.rawKey(obj)), m.of(obj)) {
				return
			}
		}
	}
}

// Elements yields the elements of an array in order.
func Elements(arr []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for e := range elements(arr) {
			if !yield(arr[e.Start:e.End:e.End]) {
				return
			}
		}
	}
}

// IsObject, IsArray and IsString tell a value by its first byte.
func IsObject(v []byte) bool { return starts(v, '{') }

// IsArray reports whether the value is an array.
func IsArray(v []byte) bool { return starts(v, '[') }

// IsString reports whether the value is a string.
func IsString(v []byte) bool { return starts(v, '"') }

// IsNull reports whether the value is null.
func IsNull(v []byte) bool { return string(trim(v)) == "null" }

func starts(v []byte, c byte) bool {
	i := skipSpace(v, 0)
	return i < len(v) && v[i] == c
}

// Text decodes a JSON string; false when the value is none.
func Text(value []byte) (string, bool) {
	text, ok := inner(value)
	if !ok {
		return "", false
	}
	return rawText(text), true
}

// AppendText appends what a JSON string says to dst; false when the value is
// none.
func AppendText(dst, value []byte) ([]byte, bool) {
	text, ok := inner(value)
	if !ok {
		return dst, false
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return append(dst, text...), true
	}
	return appendText(dst, text), true
}

// IsText reports whether the value is a string that says want, without allocating.
func IsText(value []byte, want string) bool {
	text, ok := inner(value)
	return ok && isRawText(text, want)
}

// Int decodes an integer that fits; false when the value is none.
func Int(value []byte) (int64, bool) {
	v := trim(value)
	if !isInteger(v) || len(v) > 20 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// Bool decodes true or false; ok is false when the value is neither.
func Bool(value []byte) (is, ok bool) {
	switch string(trim(value)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// IDKey returns a map key for a raw id or progress token: equal for equal ids
// however they are escaped, and different for the string "1" and the number 1.
func IDKey(id []byte) string {
	if text, ok := Text(id); ok {
		return `"` + text
	}
	return string(id)
}

// Quote encodes a string as JSON, without escaping for HTML. Invalid UTF-8
// becomes U+FFFD.
func Quote(s string) []byte { return AppendQuote(make([]byte, 0, len(s)+2), s) }

// AppendQuote appends s as a JSON string, escaping no more than RFC 8785 does.
func AppendQuote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, s[from:i]...), c)
			from = i + 1
		}
		i++
	}
	return append(append(dst, s[from:]...), '"')
}

// appendRune appends a character of a JSON string, escaped where it must be.
func appendRune(dst []byte, r rune) []byte {
	if mustEscape(r) {
		return appendEscape(dst, byte(r))
	}
	return utf8.AppendRune(dst, r)
}

func mustEscape(r rune) bool { return r < ' ' || r == '"' || r == '\\' }

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// member is where one member of an object lies.
type member struct{ key, value durward.Span }

// rawKey returns the key as it lies between its quotes.
func (m member) rawKey(obj []byte) []byte { return obj[m.key.Start+1 : m.key.End-1] }

// of returns the value.
func (m member) of(obj []byte) []byte { return obj[m.value.Start:m.value.End:m.value.End] }

// members yields the members of an object in order.
func members(obj []byte) iter.Seq[member] {
	return func(yield func(member) bool) {
		i := skipSpace(obj, 0)
		if i >= len(obj) || obj[i] != '{' {
			return
		}
		for i = skipSpace(obj, i+1); i < len(obj) && obj[i] == '"'; i = skipSpace(obj, i+1) {
			key := skipString(obj, i)
			v := skipSpace(obj, key)
			if key-i < 2 || v >= len(obj) || obj[v] != ':' {
				return
			}
			v = skipSpace(obj, v+1)
			end := skipValue(obj, v)
			if end <= v || !yield(member{durward.Span{Start: i, End: key}, durward.Span{Start: v, End: end}}) {
				return
			}
			if i = skipSpace(obj, end); i >= len(obj) || obj[i] != ',' {
				return
			}
		}
	}
}

// elements yields where the elements of an array lie.
func elements(arr []byte) iter.Seq[durward.Span] {
	return func(yield func(durward.Span) bool) {
		i := skipSpace(arr, 0)
		if i >= len(arr) || arr[i] != '[' {
			return
		}
		for i = skipSpace(arr, i+1); i < len(arr) && arr[i] != ']'; i = skipSpace(arr, i+1) {
			end := skipValue(arr, i)
			if end <= i || !yield(durward.Span{Start: i, End: end}) {
				return
			}
			if i = skipSpace(arr, end); i >= len(arr) || arr[i] != ',' {
				return
			}
		}
	}
}

// inner returns the text between the quotes of a string value.
func inner(value []byte) ([]byte, bool) {
	v := trim(value)
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return nil, false
	}
	return v[1 : len(v)-1], true
}

// rawText decodes what lies between the quotes of a string.
func rawText(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	return string(appendText(make([]byte, 0, len(text)), text))
}

func isRawText(text []byte, want string) bool {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text) == want
	}
	return string(appendText(nil, text)) == want
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func skipSpace(data []byte, i int) int {
	for i < len(data) && isSpace(data[i]) {
		i++
	}
	return i
}

func trim(v []byte) []byte {
	v = v[skipSpace(v, 0):]
	for len(v) > 0 && isSpace(v[len(v)-1]) {
		v = v[:len(v)-1]
	}
	return v
}

// skipValue returns the index behind the value at i of valid JSON.
func skipValue(data []byte, i int) int {
	if i >= len(data) {
		return i
	}
	switch data[i] {
	case '"':
		return skipString(data, i)
	case '{', '[':
		return skipNested(data, i)
	}
	for i < len(data) && data[i] != ',' && data[i] != '}' && data[i] != ']' && !isSpace(data[i]) {
		i++
	}
	return i
}

// skipString returns the index behind the string that opens at i, or the end
// of data when it is not closed.
func skipString(data []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(data[min(i, len(data)):], '"')
		if n < 0 {
			return len(data)
		}
		i += n
		slashes := 0
		for data[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

func skipNested(data []byte, i int) int {
	for depth := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = skipString(data, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}
