// Package carrier takes apart what can carry an instruction: a tool's
// definition with every key and string in it, and the text of a reply. Each
// piece goes through folding and decoding and ends as passages for the model.
//
// It promises to look at every string leaf, or to say that it could not.
package carrier

import (
	"bytes"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds on what is taken apart.
const (
	maxDepth = 64
	maxNodes = 1 << 16
)

// Walk calls leaf for each string in a JSON value, with its pointer and
// whether it is a key. The pointer is leaf's during the call only. Walk
// tolerates what it does not understand, and reports whether it saw everything.
func Walk(raw []byte, leaf func(path []string, value []byte, key bool)) bool {
	w := walkers.Get().(*walker)
	w.raw, w.leaf = raw, leaf
	w.value(w.path[:0], 0)
	whole := !w.cut
	*w = walker{}
	walkers.Put(w)
	return whole
}

var walkers = sync.Pool{New: func() any { return new(walker) }}

// IsName reports a key that names a member as people name them: a word or some,
// of letters with marks between, perhaps a short number. Others hold values.
func IsName(key []byte) bool {
	digits := 0
	for _, c := range key {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', c == '_', c == '-', c == '.', c == '$':
		case '0' <= c && c <= '9':
			digits++
		default:
			return false
		}
	}
	return len(key) <= longestName && digits <= 4
}

const longestName = 28

type walker struct {
	raw   []byte
	pos   int
	nodes int
	cut   bool
	leaf  func(path []string, value []byte, key bool)
	bare  bool // places and keys do not matter
	start int  // of the last string read, its quotes outside
	end   int
	path  [8]string // room for most pointers
}

func (w *walker) space() {
	for w.pos < len(w.raw) && (w.raw[w.pos] <= ' ' || w.raw[w.pos] == ',' || w.raw[w.pos] == ':') {
		w.pos++
	}
}

func (w *walker) value(path []string, depth int) {
	w.space()
	if w.pos >= len(w.raw) {
		return
	}
	if w.nodes++; depth > maxDepth || w.nodes > maxNodes {
		w.cut = true
		w.start, w.end = w.pos, len(w.raw)
		w.leaf(path, w.raw[w.pos:], false) // unparsed, but not unseen
		w.pos = len(w.raw)
		return
	}
	switch w.raw[w.pos] {
	case '{':
		w.object(path, depth)
	case '[':
		w.array(path, depth)
	case '"':
		w.leaf(path, w.text(), false)
	default:
		for w.pos < len(w.raw) && !endsValue[w.raw[w.pos]] {
			w.pos++
		}
		if w.pos < len(w.raw) && (w.raw[w.pos] == '"' || w.raw[w.pos] == '{' || w.raw[w.pos] == '[') {
			return
		}
	}
}

// endsValue are the bytes that a number or a word goes up to.
var endsValue = [256]bool{',': true, ']': true, '}': true, '"': true, '{': true, '[': true, ' ': true, '\n': true}

func (w *walker) object(path []string, depth int) {
	w.pos++
	for {
		w.space()
		if w.pos >= len(w.raw) || w.cut {
			return
		}
		if w.raw[w.pos] == '}' {
			w.pos++
			return
		}
		if w.raw[w.pos] != '"' {
			w.pos++
			continue
		}
		if w.bare {
			w.text()
			w.value(nil, depth+1)
			continue
		}
		key := w.text()
		w.leaf(path, key, true)
		w.value(append(path, string(key)), depth+1)
	}
}

func (w *walker) array(path []string, depth int) {
	w.pos++
	for i := 0; ; i++ {
		w.space()
		if w.pos >= len(w.raw) || w.cut {
			return
		}
		if w.raw[w.pos] == ']' || w.raw[w.pos] == '}' {
			w.pos++
			return
		}
		if w.bare {
			w.value(nil, depth+1)
			continue
		}
		w.value(append(path, strconv.Itoa(i)), depth+1)
	}
}

// text decodes the string at pos; one without escapes is not copied.
func (w *walker) text() []byte {
	start := w.pos + 1
	w.start = start
	i := len(w.raw)
	if n := bytes.IndexByte(w.raw[start:], '"'); n >= 0 {
		i = start + n
	}
	if n := bytes.IndexByte(w.raw[start:i], '\\'); n >= 0 {
		i = start + n
	}
	if i >= len(w.raw) || w.raw[i] == '"' {
		w.end = i
		w.pos = min(i+1, len(w.raw))
		return w.raw[start:i]
	}
	out := append([]byte(nil), w.raw[start:i]...)
	for i < len(w.raw) && w.raw[i] != '"' {
		if w.raw[i] != '\\' || i+1 >= len(w.raw) {
			out = append(out, w.raw[i])
			i++
			continue
		}
		var n int
		out, n = unescape(out, w.raw[i:])
		i += n
	}
	w.end = min(i, len(w.raw))
	w.pos = min(i+1, len(w.raw))
	return out
}

func unescape(dst, b []byte) ([]byte, int) {
	switch b[1] {
	case 'n':
		return append(dst, '\n'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 'b', 'f':
		return append(dst, ' '), 2
	case 'u':
		r, ok := hex4(b)
		if !ok {
			return append(dst, b[0]), 1
		}
		if utf16.IsSurrogate(r) {
			if low, ok := hex4(b[6:]); ok {
				if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
					return utf8.AppendRune(dst, full), 12
				}
			}
		}
		return utf8.AppendRune(dst, r), 6
	}
	return append(dst, b[1]), 2
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 32)
	return rune(n), err == nil
}
