package mcpwire

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// AppendCanonical appends the canonical form of a scanned JSON value (RFC
// 8785): no white space, keys in the order of their UTF-16 code units, numbers
// as ECMAScript writes doubles, the shortest escapes. Two values that a parser
// with doubles for numbers reads alike have the same canonical form.
//
// It refuses what has none: numbers beyond a double, lone surrogates,
// duplicate keys. It allocates nothing but what dst lacks, unless an object
// has more than 16 keys, or keys that need escapes.
func AppendCanonical(dst, value []byte) ([]byte, error) {
	start := len(dst)
	dst, i, err := canonical(slices.Grow(dst, len(value)), value, skipSpace(value, 0), 0)
	if err == nil && skipSpace(value, i) != len(value) {
		err = errNotJSON
	}
	if err != nil {
		return dst[:start], fmt.Errorf("canonical form: %w", err)
	}
	return dst, nil
}

var errNotJSON = errors.New("not one JSON value")

// canonical appends the value at i of src and returns the index behind it.
func canonical(dst, src []byte, i, depth int) ([]byte, int, error) {
	if i >= len(src) || depth > MaxDepth {
		return dst, i, errNotJSON
	}
	switch src[i] {
	case '{':
		return canonicalObject(dst, src, i, depth)
	case '[':
		return canonicalArray(dst, src, i, depth)
	case '"':
		dst, end, _, err := canonicalString(dst, src, i)
		return dst, end, err
	case 't', 'f', 'n':
		end := skipValue(src, i)
		switch word := src[i:end]; string(word) {
		case "true", "false", "null":
			return append(dst, word...), end, nil
		}
		return dst, i, errNotJSON
	}
	return canonicalNumber(dst, src, i)
}

func canonicalArray(dst, src []byte, i, depth int) ([]byte, int, error) {
	dst = append(dst, '[')
	if i = skipSpace(src, i+1); i < len(src) && src[i] == ']' {
		return append(dst, ']'), i + 1, nil
	}
	for {
		var err error
		if dst, i, err = canonical(dst, src, i, depth+1); err != nil {
			return dst, i, err
		}
		if i = skipSpace(src, i); i >= len(src) || (src[i] != ',' && src[i] != ']') {
			return dst, i, errNotJSON
		}
		dst = append(dst, src[i])
		if src[i] == ']' {
			return dst, i + 1, nil
		}
		i = skipSpace(src, i+1)
	}
}

// placed is where a member lies in the destination: from its key's quote to
// the end of its value. escaped tells that its key has escapes.
type placed struct {
	start, keyEnd, end int
	escaped            bool
}

// key returns the canonical text between the quotes of the key.
func (p placed) key(dst []byte) []byte { return dst[p.start+1 : p.keyEnd-1] }

// canonicalObject writes the members in the order they come and notes where;
// only when that is not the canonical order they are moved.
func canonicalObject(dst, src []byte, i, depth int) ([]byte, int, error) {
	var few [fewKeys]placed
	all, sorted := few[:0], true
	open := len(dst) + 1
	dst = append(dst, '{')
	if i = skipSpace(src, i+1); i < len(src) && src[i] == '}' {
		return append(dst, '}'), i + 1, nil
	}
	for {
		m := placed{start: len(dst)}
		var err error
		if dst, i, m.escaped, err = canonicalString(dst, src, i); err != nil {
			return dst, i, err
		}
		m.keyEnd = len(dst)
		if i = skipSpace(src, i); i >= len(src) || src[i] != ':' {
			return dst, i, errNotJSON
		}
		if dst, i, err = canonical(append(dst, ':'), src, skipSpace(src, i+1), depth+1); err != nil {
			return dst, i, err
		}
		m.end = len(dst)
		if n := len(all); n > 0 && sorted {
			sorted = all[n-1].compare(m, dst) < 0
		}
		all = append(all, m)
		if i = skipSpace(src, i); i >= len(src) || (src[i] != ',' && src[i] != '}') {
			return dst, i, errNotJSON
		}
		dst = append(dst, src[i])
		if src[i] == '}' {
			break
		}
		i = skipSpace(src, i+1)
	}
	if !sorted {
		var err error
		if dst, err = reorder(dst, open, all); err != nil {
			return dst, i, err
		}
	}
	return dst, i + 1, nil
}

// reorder sorts the members that lie in dst from open to the closing brace.
func reorder(dst []byte, open int, all []placed) ([]byte, error) {
	slices.SortFunc(all, func(a, b placed) int { return a.compare(b, dst) })
	for n := 1; n < len(all); n++ {
		if bytes.Equal(all[n-1].key(dst), all[n].key(dst)) {
			return dst, fmt.Errorf("duplicate key %s", shown(all[n].key(dst)))
		}
	}
	end := len(dst)
	for n, m := range all {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, dst[m.start:m.end]...)
	}
	copy(dst[open:], dst[end:])
	return dst[:end], nil
}

// compare orders members by the UTF-16 code units of their keys. UTF-8 has the
// same order but for characters beyond U+FFFF, which UTF-16 writes with
// surrogates and so puts before U+E000 to U+FFFF.
func (p placed) compare(o placed, dst []byte) int {
	a, b := p.key(dst), o.key(dst)
	if p.escaped || o.escaped {
		a, b = appendText(nil, a), appendText(nil, b)
	}
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if high := x >= 0xf0; high != (y >= 0xf0) && min(x, y) >= 0xee {
			x, y = y, x
		}
		return int(x) - int(y)
	}
	return len(a) - len(b)
}

// canonicalString appends the string at i, and tells whether what it appended
// has escapes. A string without escapes is canonical.
func canonicalString(dst, src []byte, i int) (_ []byte, end int, escaped bool, _ error) {
	if i >= len(src) || src[i] != '"' {
		return dst, i, false, errNotJSON
	}
	if end = plain(src, i+1); end < len(src) && src[end] == '"' {
		return append(dst, src[i:end+1]...), end + 1, false, nil
	}
	end = skipString(src, i)
	if end-i < 2 || src[end-1] != '"' {
		return dst, i, false, errNotJSON
	}
	dst = append(dst, '"')
	for text := src[i+1 : end-1]; len(text) > 0; {
		n := bytes.IndexByte(text, '\\')
		if n < 0 {
			dst = append(dst, text...)
			break
		}
		dst, text = append(dst, text[:n]...), text[n:]
		if n, _ := escape(text); n == 0 {
			return dst, i, false, errNotJSON
		}
		r, size := unescape(text)
		if r < 0 {
			return dst, i, false, errors.New("lone surrogate")
		}
		escaped = escaped || mustEscape(r)
		dst, text = appendRune(dst, r), text[size:]
	}
	return append(dst, '"'), end, escaped, nil
}

func canonicalNumber(dst, src []byte, i int) ([]byte, int, error) {
	if c := src[i]; c != '-' && (c < '0' || c > '9') {
		return dst, i, errNotJSON
	}
	end := scanNumber(src, i)
	if end < 0 {
		return dst, i, errNotJSON
	}
	text := src[i:end]
	if isShortest(text) {
		return append(dst, text...), end, nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return dst, i, fmt.Errorf("number %.40s is beyond a double", text)
	}
	return appendDouble(dst, f), end, nil
}

// isShortest reports whether a number is sure to be canonical as it is: at most
// 15 digits, which every double keeps, without exponent, without zeros that
// say nothing, and not so small that it would need an exponent.
func isShortest(text []byte) bool {
	if len(text) > 15 || string(text) == "-0" {
		return false
	}
	point := false
	for _, c := range text {
		if c == 'e' || c == 'E' {
			return false
		}
		point = point || c == '.'
	}
	return !point || (text[len(text)-1] != '0' && !bytes.Contains(text, []byte("0.00000")))
}

// appendDouble writes a number as ECMAScript's Number::toString does.
func appendDouble(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0')
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') { // e-07 is e-7
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
