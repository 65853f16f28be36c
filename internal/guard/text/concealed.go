package text

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Concealed returns what folding leaves out and a model may read all the same:
// the parameters of terminal sequences, and text that is turned around by a
// direction override. Use it where the signals tell of either.
func Concealed(raw []byte) []View {
	var out []View
	for i := 0; i < len(raw) && len(out) < maxViews; {
		k := bytes.IndexAny(raw[i:], "\x1b\u202e")
		if k < 0 {
			break
		}
		i += k
		v, n := parameters(raw, i)
		if raw[i] != 0x1b {
			v, n = overridden(raw, i)
		}
		if len(v.Text) >= minEncoded {
			out = append(out, v)
		}
		i += n
	}
	return out
}

// parameters are those of the terminal sequence at i.
func parameters(raw []byte, i int) (View, int) {
	if i+1 >= len(raw) || bytes.IndexByte([]byte("]P_^X"), raw[i+1]) < 0 {
		return View{}, 1
	}
	end := i + 2
	for end < len(raw) && raw[end] != 0x07 && raw[end] != 0x1b && end-i < 4096 {
		end++
	}
	return View{Encoding: "terminal", Text: raw[i+2 : end], Span: Span{i, end}}, end - i
}

// overridden is the text behind an override at i, the other way round.
func overridden(raw []byte, i int) (View, int) {
	from := i + len("\u202e")
	end := from
	for end < len(raw) && raw[end] != '\n' && end-from < 4096 && !bytes.HasPrefix(raw[end:], []byte("\u202c")) {
		_, n := utf8.DecodeRune(raw[end:])
		end += n
	}
	back := []rune(string(raw[from:end]))
	slices.Reverse(back)
	return View{Encoding: "reversed", Text: []byte(string(back)), Span: Span{i, end}}, end - i
}
