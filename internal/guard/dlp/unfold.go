package dlp

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// What is read around an escape: a label before it, the rest of a value behind.
const (
	windowBefore = 64
	windowBehind = 64
	windowRun    = 512     // of a value that goes on
	windowKey    = 8 << 10 // of a private key
)

// unfolded reads the parts of b that have escapes or odd characters as they
// are meant.
func (o *opener) unfolded(dst []Find, b []byte, depth int) []Find {
	for i := 0; i < len(b); {
		from, end := nextWindow(b, i)
		if from < 0 {
			break
		}
		if end-from > o.budget {
			o.cut = true
			break
		}
		o.budget -= end - from
		i = end
		dst = o.window(dst, b[:end], from, '+', depth)
		if part := b[from:end]; bytes.IndexByte(part, '+') >= 0 && bytes.IndexByte(part, '%') >= 0 { // a query, where it is a blank
			dst = o.window(dst, b[:end], from, ' ', depth)
		}
	}
	return dst
}

// window appends what b holds from a place on, with what a plus stands for.
func (o *opener) window(dst []Find, b []byte, from int, plus byte, depth int) []Find {
	l := &o.layer[depth]
	l.unfold(b, from, len(b), plus)
	finds := o.inner(l.text, depth)
	for _, f := range l.behindDrops(finds) {
		f.Start, f.End = int(l.origin[f.Start]), int(l.origin[f.End])
		f.Value, f.Until, f.Quote = f.Start, f.End, false
		dst = append(dst, f)
	}
	return dst
}

// behindDrops adds what begins where something was dropped: before that, it
// began a word.
func (l *layer) behindDrops(finds []Find) []Find {
	n := len(finds)
	for k := 1; k+2 < len(l.text); k++ {
		c := l.text[k]
		if l.origin[k]-l.origin[k-1] == 1 || !may(l.text, k, c, l.text[k+1]) {
			continue
		}
		if f, ok := at(l.text, k, c, true); ok && f.Class == Secret && f.Sure && !covered(finds[:n], f.Start, f.End) {
			f.Plain = bytes.Clone(f.Clear(l.text))
			finds = append(finds, f)
		}
	}
	return finds
}

// nextWindow is the next part with escapes at or behind i; -1 when there is none.
func nextWindow(b []byte, i int) (from, end int) {
	at := nextEscape(b, i)
	if at < 0 {
		return -1, -1
	}
	from = max(i, at-windowBefore)
	for from > i && at-from < windowRun && role[b[from-1]] == inRun {
		from--
	}
	for from > i && !utf8.RuneStart(b[from]) {
		from--
	}
	end = windowEnd(b, at)
	if keyOpens(b[from:end]) {
		end = min(len(b), from+windowKey)
	}
	for end < len(b) && !utf8.RuneStart(b[end]) {
		end++
	}
	return from, end
}

// windowEnd is where what is written with the escape at a place ends: the
// value at least, and all escapes that follow closely. It goes over each byte
// once.
func windowEnd(b []byte, at int) int {
	end := at
	for last := at; end < len(b); {
		next := end
		switch role[b[end]] {
		case inRun:
			next++
		case inLead:
			if next = escapeEnd(b, end); next > end {
				last = end
			}
		}
		if next == end || end-last > windowRun {
			if next = nextEscape(b[:min(len(b), last+windowBehind)], end); next < 0 {
				end = max(end, min(len(b), last+windowBehind))
				for end < len(b) && b[end] > ' ' && end-last < windowRun { // not in the middle of a value
					end++
				}
				return end
			}
		}
		end = next
	}
	return end
}

func nextEscape(b []byte, i int) int {
	for ; i < len(b); i++ {
		if role[b[i]] == inLead && hides(b, i) {
			return i
		}
	}
	return -1
}

// keyOpens reports the first line of a private key, or what may be one.
func keyOpens(b []byte) bool {
	return containsFold(b, "private") || bytes.Contains(b, []byte("-----"))
}

// unfold writes b[from:end] into the layer as it is meant.
func (l *layer) unfold(b []byte, from, end int, plus byte) {
	l.text, l.origin = l.text[:0], l.origin[:0]
	for i := from; i < end; {
		next := i
		if role[b[i]] == inLead {
			if next = escapeEnd(b, i); next > end {
				next = i
			}
		}
		was := len(l.text)
		switch {
		case next > i:
			l.text = meant(l.text, b[i:next])
		case b[i] == '\\' && i+1 < end && (b[i+1] == '"' || b[i+1] == '\\' || b[i+1] == '/'):
			l.text, next = append(l.text, b[i+1]), i+2
		case b[i] == '\\' && i+1 < end && (b[i+1] == 'n' || b[i+1] == 'r'):
			l.text, next = append(l.text, '\n'), i+2
		case b[i] == '&' && i+4 < end && string(b[i:i+5]) == "&amp;":
			l.text, next = append(l.text, '&'), i+5
		case b[i] >= utf8.RuneSelf:
			as, n, _ := oddRune(b[i:end])
			if next = i + n; as != 0 {
				l.text = append(l.text, as)
			} else {
				l.text = append(l.text, b[i:next]...)
			}
		case b[i] == '+':
			l.text, next = append(l.text, plus), i+1
		default:
			l.text, next = append(l.text, b[i]), i+1
		}
		for range len(l.text) - was {
			l.origin = append(l.origin, int32(i))
		}
		i = next
	}
	l.origin = append(l.origin, int32(end))
}

// meant appends what an escape stands for.
func meant(dst, e []byte) []byte {
	switch e[0] {
	case '%':
		if len(e) == 6 {
			return utf8.AppendRune(dst, code(e[2:], 16))
		}
		return append(dst, byte(code(e[1:], 16)))
	case '&':
		return referred(dst, e[1:len(e)-1])
	case '\\':
		return unescaped(dst, e[1:])
	case '<', '=':
		return dst
	}
	if e[0] >= 0x80 {
		if as, _, _ := oddRune(e); as != 0 {
			return append(dst, as)
		}
	}
	return dst
}

func code(digits []byte, base int) rune {
	n, err := strconv.ParseUint(string(digits), base, 21)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

func referred(dst, body []byte) []byte {
	if body[0] != '#' {
		if c := named[string(body)]; c != 0 {
			return append(dst, c)
		}
		return dst
	}
	if body = body[1:]; len(body) > 1 && body[0]|0x20 == 'x' {
		return utf8.AppendRune(dst, code(body[1:], 16))
	}
	return utf8.AppendRune(dst, code(body, 10))
}

func unescaped(dst, e []byte) []byte {
	switch {
	case len(e) == 1:
		return append(dst, e[0])
	case e[0] == 'x':
		return append(dst, byte(code(e[1:], 16)))
	case e[0] == 'u' && e[1] == '{':
		return utf8.AppendRune(dst, code(e[2:len(e)-1], 16))
	case e[0] == 'u', e[0] == 'U':
		return utf8.AppendRune(dst, code(e[1:], 16))
	}
	return append(dst, byte(code(e, 8)))
}
