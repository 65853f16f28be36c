package flow

import (
	"bytes"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
)

// Fingerprints are hashes of twelve letters and digits in a row, folded; of
// each eight neighbours the least is kept, so that any twenty shared
// characters share one.
const (
	gram   = 12
	window = 8
)

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// squeeze appends the letters and digits of b in lower case.
func squeeze(dst, b []byte) []byte {
	n := len(dst)
	if cap(dst)-n < len(b) {
		dst = append(make([]byte, 0, max(n+len(b), 2*n)), dst...)
	}
	dst = dst[:n+len(b)]
	for i := 0; i < len(b); i++ { // what goes is written over
		c := b[i]
		if c == '\\' && i+1 < len(b) && (b[i+1] == 'n' || b[i+1] == 't' || b[i+1] == 'r') {
			i++
			continue
		}
		c = squeezed[c]
		dst[n] = c
		if c != 0 {
			n++
		}
	}
	return dst[:n]
}

// squeezed is what a byte becomes; 0 when it goes.
var squeezed = func() (t [256]byte) {
	for i := range t {
		switch c := byte(i); {
		case 'A' <= c && c <= 'Z':
			t[i] = c | 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= 0x80:
			t[i] = c
		}
	}
	return t
}()

// hashes calls fn for the hash of every run of gram bytes.
func hashes(b []byte, fn func(uint32)) {
	const base = 0x01000193
	var h, top uint32 = 0, 1
	for range gram {
		top *= base
	}
	for i, c := range b {
		h = h*base + uint32(c) + 1
		if i >= gram {
			h -= top * (uint32(b[i-gram]) + 1)
		}
		if i >= gram-1 {
			fn(h ^ h>>15)
		}
	}
}

// winnow calls keep for the least of each window of hashes, as it changes.
func winnow(b []byte, keep func(uint32)) {
	const base = 0x01000193
	var ring [window]uint32
	var h, top, last, least uint32
	top = 1
	for range gram {
		top *= base
	}
	for i, c := range b {
		h = h*base + uint32(c) + 1
		if i >= gram {
			h -= top * (uint32(b[i-gram]) + 1)
		}
		n := i - gram + 1 // hashes before this one
		if n < 0 {
			continue
		}
		now, at := h^h>>15, &ring[n%window]
		gone := *at
		*at = now
		if n < window-1 {
			continue
		}
		if n == window-1 || gone == least { // else only the new one can be less
			least = min(ring[0], ring[1], ring[2], ring[3], ring[4], ring[5], ring[6], ring[7])
		} else {
			least = min(least, now)
		}
		if least != last || n == window-1 {
			last = least
			keep(least)
		}
	}
	if n := len(b) - gram + 1; n > 0 && n < window {
		for _, h := range ring[:n] {
			keep(h)
		}
	}
}

// matches counts distinct fingerprints of each source in a squeezed text.
func (s *Session) matches(b []byte) map[origin]int {
	if len(s.prints) == 0 {
		return nil
	}
	var out map[origin]int
	seen := map[uint32]bool{}
	hashes(b, func(h uint32) {
		at, ok := s.prints[h]
		if !ok || seen[h] {
			return
		}
		seen[h] = true
		if out == nil {
			out = map[origin]int{}
		}
		out[at]++
	})
	return out
}

func hashOf(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// eachValue calls fn for values that are rare: tokens of six characters or
// more with a digit, and addresses.
func eachValue(b []byte, fn func([]byte)) {
	for i := 0; i < len(b); {
		start, digits, sign := i, 0, -1
		for ; i < len(b); i++ {
			kind := ofValue[b[i]]
			if kind <= letterOf {
				if kind == 0 {
					break
				}
				continue
			}
			if kind == dotOf && (i+1 == len(b) || !wordByte(b[i+1])) || kind == slashOf && i == start {
				break
			}
			if kind == digitOf {
				digits++
			} else if kind == signOf && sign < 0 {
				sign = i
			}
		}
		if n := i - start; n >= 6 && n <= 256 && (digits >= 2 && !date(b[start:i]) || sign > start) {
			fn(b[start:i])
		}
		if i == start {
			i++
		}
	}
}

// What a byte is to a value.
const (
	letterOf = 1 + iota // or a mark that stands in values
	digitOf
	dotOf   // before a letter or digit
	slashOf // not at the start
	signOf  // of an address
)

var ofValue = func() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case '0' <= c && c <= '9':
			t[i] = digitOf
		case wordByte(c) || c == '_' || c == '-' || c == '+':
			t[i] = letterOf
		case c == '.':
			t[i] = dotOf
		case c == '/':
			t[i] = slashOf
		case c == '@':
			t[i] = signOf
		}
	}
	return t
}()

// eachPhrase calls fn for the squeezed strings between marks: the short
// values of a record, a name or a street.
func eachPhrase(b []byte, fn func([]byte)) {
	var buf [96]byte
	start := 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && !apart[b[i]] {
			continue
		}
		if n := i - start; n >= 8 && n < 400 && bytes.IndexByte(bytes.TrimSpace(b[start:i]), ' ') > 0 {
			if s := squeeze(buf[:0], b[start:i]); len(s) >= 8 && len(s) <= 80 {
				fn(s)
			}
		}
		start = i + 1
	}
}

// apart are the marks between the values of a record.
var apart = func() (t [256]bool) {
	for _, c := range []byte("|,;\n\"{}[]\t:=") {
		t[c] = true
	}
	return t
}()

// date reports 2026-11-22 and times: they are everywhere.
func date(v []byte) bool {
	if len(v) < 8 {
		return false
	}
	for _, c := range v {
		if (c < '0' || c > '9') && c != '-' && c != '.' && c != '/' && c != 'T' && c != 't' && c != 'Z' {
			return false
		}
	}
	return bytes.Count(v, []byte("-")) == 2 || bytes.Count(v, []byte("/")) == 2
}

// eachAddress calls fn for the e-mail addresses in b.
func eachAddress(b []byte, fn func([]byte)) {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '@')
		if i < 0 {
			return
		}
		i += at
		start, end := i, i+1
		for start > 0 && (wordByte(b[start-1]) || b[start-1] == '.' || b[start-1] == '_' || b[start-1] == '-' || b[start-1] == '+') {
			start--
		}
		for end < len(b) && (wordByte(b[end]) || b[end] == '-' || b[end] == '.' && end+1 < len(b) && wordByte(b[end+1])) {
			end++
		}
		if start < i && bytes.IndexByte(b[i:end], '.') > 0 {
			fn(bytes.ToLower(b[start:end]))
		}
		at = end
	}
}

func firstAddress(b []byte) (a []byte) {
	eachAddress(b, func(x []byte) {
		if a == nil {
			a = x
		}
	})
	return a
}

// loose decodes a value that is encoded as a whole, however little it reads
// like text: what was stolen need not be legible.
func loose(v []byte) [][]byte {
	var out [][]byte
	t := bytes.TrimSpace(v)
	if i := bytes.LastIndexAny(t, "=?&:, "); i > 0 && i < len(t)-20 && bytes.IndexByte(t[i+1:], ' ') < 0 {
		out = append(out, loose(t[i+1:])...)
	}
	if len(t) < 12 || bytes.IndexByte(t, ' ') >= 0 {
		return out
	}
	s := string(bytes.TrimRight(t, "="))
	for _, try := range []func(string) ([]byte, error){hex.DecodeString, base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString} {
		if d, err := try(s); err == nil && len(d) >= 8 {
			out = append(out, squeeze(nil, d))
		}
	}
	if d := make([]byte, len(t)); len(t) >= 16 {
		if n, _, err := ascii85.Decode(d, bytes.TrimSuffix(bytes.TrimPrefix(t, []byte("<~")), []byte("~>")), true); err == nil && n >= 8 {
			out = append(out, squeeze(nil, d[:n]))
		}
	}
	return out
}

// rotated undoes rot13.
func rotated(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			c = 'a' + (c-'a'+13)%26
		}
		out[i] = c
	}
	return out
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
	}
	return out
}

// join puts what past calls carried before what this one does; the marks
// between them fall out, so that a split value is whole again.
func join(past, now []byte) []byte {
	out := make([]byte, 0, len(past)+len(now))
	for _, c := range past {
		if c != 0 {
			out = append(out, c)
		}
	}
	return append(out, now...)
}
