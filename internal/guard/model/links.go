package model

import (
	"bytes"

	"durward/internal/guard/lexicon"
)

// links looks at addresses: what they show, and whether they have a place that
// is to be filled in, as those have that carry data out.
func (s shapes) links(set lexicon.Set, b []byte, equals, colons bool) lexicon.Set {
	if set.Has(s.base + lexicon.Concept(ShapeURL)) {
		for rest := b; ; {
			i := bytes.Index(rest, []byte("://"))
			if i < 0 {
				break
			}
			if i > 1 && (rest[i-1]|0x20 == 's' || rest[i-1]|0x20 == 'p') && shown(rest[:i]) {
				set = s.set(set, ShapeImage)
			}
			rest = rest[i+3:]
			if slot(rest[:address(rest)]) {
				set = s.set(set, ShapeSlot)
			}
		}
	}
	if equals && handler(b) || colons && bytes.Contains(b, []byte("javascript:")) {
		set = s.set(set, ShapeHandler)
	}
	return set
}

// shown reports an address, its scheme at the end of b, that an image of
// markdown or HTML loads.
func shown(b []byte) bool {
	b = b[max(0, len(b)-80):]
	if i := bytes.LastIndex(b, []byte("](")); i >= 0 && i+8 > len(b) {
		if j := bytes.LastIndexByte(b[:i], '['); j > 0 && b[j-1] == '!' {
			return true
		}
	}
	i := bytes.LastIndex(b, []byte("<img"))
	return i >= 0 && bytes.IndexByte(b[i:], '>') < 0
}

// address is the length of an address: up to a blank or a quote.
func address(b []byte) int {
	for i, c := range b {
		if c <= ' ' || c == '"' || c == '\'' || i == 400 {
			return i
		}
	}
	return len(b)
}

// slot reports brackets, braces or a word in capitals behind the host.
func slot(b []byte) bool {
	i := bytes.IndexByte(b, '/')
	q := bytes.IndexAny(b, "?=")
	if i < 0 && q < 0 {
		return false
	}
	if i < 0 || q >= 0 && q < i {
		i = q
	}
	caps := 0
	for k, c := range b[i:] {
		switch {
		case c == '[' || c == '{' || c == '<':
			return true
		case 'A' <= c && c <= 'Z' || c == '_' && caps > 0:
			if caps++; caps >= 4 && (k+1 == len(b[i:]) || !wordByte(b[i+k+1])) && b[i+k-caps] == '=' {
				return true
			}
		default:
			caps = 0
		}
	}
	return false
}

// handler reports an attribute such as onerror=.
func handler(b []byte) bool {
	for i := 0; ; {
		k := bytes.IndexByte(b[i:], '=')
		if k < 0 {
			return false
		}
		k += i
		j := k
		for j > 0 && 'a' <= b[j-1]|0x20 && b[j-1]|0x20 <= 'z' {
			j--
		}
		if n := k - j; n >= 5 && n <= 14 && b[j]|0x20 == 'o' && b[j+1]|0x20 == 'n' && j > 0 && b[j-1] <= '/' {
			return true
		}
		i = k + 1
	}
}
