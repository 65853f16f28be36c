package text

import "bytes"

// Unseen returns what markup keeps from people and a model reads all the same:
// comments ("comment"), and what elements hold that a style or attribute hides
// ("hidden").
func Unseen(b []byte) []View {
	var out []View
	for i := 0; len(out) < maxViews; {
		n := bytes.IndexByte(b[i:], '<')
		if n < 0 {
			break
		}
		i += n
		if bytes.HasPrefix(b[i:], []byte("<!--")) {
			end := upTo(b, i+4, "-->")
			out = addUnseen(out, b, "comment", i+4, end)
			i = end
			continue
		}
		end := tagEnd(b, i)
		if end > 0 && hides(b[i:end]) {
			from := end
			end = upTo(b, from, "</"+string(tagName(b[i:])))
			out = addUnseen(out, b, "hidden", from, end)
		}
		i = max(i+1, end)
	}
	return out
}

func addUnseen(out []View, b []byte, how string, from, to int) []View {
	if to-from < minEncoded {
		return out
	}
	return append(out, View{Encoding: how, Text: b[from:to], Span: Span{from, to}})
}

// mostUnseen bounds what an element hides.
const mostUnseen = 4096

func upTo(b []byte, from int, end string) int {
	within := b[from:min(len(b), from+mostUnseen)]
	if n := bytes.Index(within, []byte(end)); n >= 0 {
		return from + n
	}
	return from + len(within)
}

// tagEnd is behind the tag that opens at i; 0 when it is none.
func tagEnd(b []byte, i int) int {
	if i+1 >= len(b) || !isLetter(b[i+1]) {
		return 0
	}
	for k := i + 1; k < min(len(b), i+512); k++ {
		switch b[k] {
		case '>':
			return k + 1
		case '<':
			return 0
		}
	}
	return 0
}

func tagName(b []byte) []byte {
	n := 1
	for n < len(b) && isWordByte(b[n]) {
		n++
	}
	return b[1:n]
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// hiding are the styles that hide, without blanks.
var hiding = [][]byte{
	[]byte("display:none"), []byte("visibility:hidden"), []byte("font-size:0"), []byte("opacity:0;"), []byte("opacity:0\""), []byte("opacity:0'"), []byte("opacity:0>"),
	[]byte("color:transparent"), []byte("max-height:0"), []byte("text-indent:-999"), []byte("left:-999"), []byte("top:-999"), []byte("clip:rect(0"), []byte("aria-hidden=\"true\""),
}

// hides reports a tag that hides what it holds.
func hides(tag []byte) bool {
	if len(tag) < 10 {
		return false
	}
	var buf [512]byte
	flat := buf[:0]
	for i, c := range tag {
		switch {
		case c <= ' ':
			if attribute(tag[i+1:], "hidden") {
				return true
			}
		case 'A' <= c && c <= 'Z':
			flat = append(flat, c|0x20)
		default:
			flat = append(flat, c)
		}
	}
	for _, h := range hiding {
		if bytes.Contains(flat, h) {
			return true
		}
	}
	return false
}

// attribute reports an attribute without a value, or with any, at the start of b.
func attribute(b []byte, name string) bool {
	if len(b) <= len(name) || !bytes.EqualFold(b[:len(name)], []byte(name)) {
		return false
	}
	switch b[len(name)] {
	case ' ', '>', '=', '/', '\n', '\t':
		return true
	}
	return false
}
