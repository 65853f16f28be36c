package dlp

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math/bits"
	"slices"
	"unicode/utf8"

	"durward/internal/guard/octet"
)

// Bounds on runs.
const (
	leastText     = 12        // of what a run says
	shortHex      = 128       // longer ones may say something behind other bytes
	shortRun      = 4 << 10   // runs up to here are decoded from each of four places
	mostOpened    = 256 << 10 // of what is compressed in one
	mostBackwards = 256
)

// runs reads what the long runs of b say, decoded.
func (o *opener) runs(dst []Find, b []byte, depth int) []Find {
	joined := 0 // up to here lines were read together
	for i := 0; i < len(b); {
		start, line, end := nextRun(b, i, joined)
		if start < 0 {
			break
		}
		i, joined = line, max(joined, end)
		f, ok := o.said(b[start:line], depth)
		if end > line { // the lines behind it may go on with it, or not
			if all, more := o.said(b[start:end], depth); more && (!ok || len(all.Plain) > len(f.Plain)) {
				f, ok, line = all, true, end
				i = end
			}
		}
		if ok && (f.Sure || len(f.Plain) >= leastText && !leadsOn(nameBefore(b, start))) {
			f.Start, f.End, f.Value, f.Until, f.Quote = start, line, start, line, false
			dst = append(dst, f)
		}
		if f, ok := o.backwards(b, start, line, depth); ok {
			dst = append(dst, f)
		}
	}
	return numbersIn(o, dst, b, depth)
}

// nextRun is the next run at or behind i that may be encoded, where its first
// line ends and where the lines do that may belong to it; -1 when there is none. Lines
// before joined stay by themselves.
func nextRun(b []byte, i, joined int) (start, line, end int) {
	for i < len(b) {
		for i < len(b) && role[b[i]] != inRun {
			i++
		}
		start, line = i, runEnd(b, i)
		width := line - start
		i = line
		if width < leastRun || !mixed(b[start:line]) {
			continue
		}
		for end = line; end < len(b) && start >= joined; {
			next := nextLine(b, end)
			last := runEnd(b, next)
			if next == end || last == next || last-next > width || !lineEnds(b, last) {
				break
			}
			short := last-next < width
			end = last
			if short {
				break
			}
		}
		if end-start < leastTotal {
			continue
		}
		if end > line {
			return start, line, padding(b, end)
		}
		line = padding(b, line)
		return start, line, line
	}
	return -1, -1, -1
}

func padding(b []byte, i int) int {
	for k := 0; k < 2 && i < len(b) && b[i] == '='; k++ {
		i++
	}
	return i
}

// lineEnds reports that nothing follows on the line but what may close a run.
func lineEnds(b []byte, i int) bool {
	return i == len(b) || bytes.IndexByte([]byte("\n\r=\\\"'`<;,.)"), b[i]) >= 0
}

func runEnd(b []byte, i int) int {
	for near := min(len(b), i+leastRun); i < near; i++ {
		if role[b[i]] != inRun {
			return i
		}
	}
	i += octet.Letters(b[i:]) // few runs are longer, and those are long
	for i+8 <= len(b) && inRun8(b[i:i+8]) {
		i += 8
	}
	for i < len(b) && role[b[i]] == inRun {
		i++
	}
	return i
}

// inRun8 reports eight bytes of a run.
func inRun8(b []byte) bool {
	_ = b[7]
	t := &role
	return t[b[0]]&t[b[1]]&t[b[2]]&t[b[3]]&t[b[4]]&t[b[5]]&t[b[6]]&t[b[7]] == inRun
}

// nextLine passes over a line end, written or escaped, and what lines are
// indented or quoted with; i when there is none.
func nextLine(b []byte, i int) int {
	at := lineEnd(b, i)
	if at == i && i+1 < len(b) && b[i] == '\\' && b[i+1] == 'n' {
		at = i + 2
	}
	if at == i {
		return i
	}
	for k := 0; at < len(b) && k < 16 && (b[at] == ' ' || b[at] == '\t' || b[at] == '>' || b[at] == '#' || b[at] == '|'); k++ {
		at++
	}
	return at
}

// said is what a run holds that is encoded; its place is the caller's.
func (o *opener) said(run []byte, depth int) (Find, bool) {
	l := &o.layer[depth]
	l.tight = tighten(l.tight[:0], run)
	if hexes := bytes.TrimPrefix(l.tight, []byte("0x")); allHex(hexes) {
		l.out = fromHex(l.out[:0], hexes[:min(len(hexes), 16)])
		if len(hexes) <= shortHex && printable(l.out) < len(l.out) { // a digest
			return Find{}, false
		}
		l.out = fromHex(l.out[:0], hexes)
		return o.held(l.out, depth)
	}
	for skip := range 4 { // something may cling to the front
		if skip > 0 && len(l.tight) > shortRun && !l.legibleFrom(skip) {
			continue
		}
		l.out = fromBase64(l.out[:0], l.tight[skip:])
		if f, ok := o.held(l.out, depth); ok {
			return f, true
		}
	}
	var ok bool
	if l.out, ok = fromBase32(l.out[:0], l.tight); !ok {
		return Find{}, false
	}
	return o.held(l.out, depth)
}

// legibleFrom samples whether a long run says something when it is read from
// here on.
func (l *layer) legibleFrom(skip int) bool {
	for at := skip; at+64 <= len(l.tight); at += 1024 {
		if l.out = fromBase64(l.out[:0], l.tight[at:at+64]); printable(l.out) == 48 {
			return true
		}
	}
	return false
}

// held is the first secret in what was decoded.
func (o *opener) held(out []byte, depth int) (Find, bool) {
	if len(out) < leastText {
		return Find{}, false
	}
	if len(out) > o.budget {
		out, o.cut = out[:o.budget], true
	}
	text := o.legible(out, &o.layer[depth])
	if len(text) < leastText {
		return Find{}, false
	}
	o.budget -= len(text)
	finds := o.inner(text, depth)
	best := -1
	for i := range finds {
		if finds[i].Class == Secret && (best < 0 || finds[best].Class != Secret || finds[i].Sure && !finds[best].Sure) || best < 0 && finds[i].Sure {
			best = i
		}
	}
	if best < 0 {
		return Find{}, false
	}
	return finds[best], true
}

// legible is the text in bytes: what they are compressed from, every second
// of them (UTF-16), or the long passages of ASCII.
func (o *opener) legible(out []byte, l *layer) []byte {
	if len(out) > 10 && (out[0] == 0x1f && out[1] == 0x8b || out[0] == 0x78 && (out[1] == 0x01 || out[1] == 0x9c || out[1] == 0xda)) {
		if in := o.inflate(out); len(in) >= leastText {
			return in
		}
	}
	n := printable(out)
	if n == len(out) {
		return out
	}
	if out[1] == 0 && out[3] == 0 || out[0] == 0 && out[2] == 0 {
		out = bytes.ReplaceAll(out, []byte{0}, nil)
	}
	l.said = passages(l.said[:0], out)
	return l.said
}

func (o *opener) inflate(b []byte) []byte {
	var r io.Reader
	var err error
	if b[0] == 0x1f {
		r, err = gzip.NewReader(bytes.NewReader(b))
	} else {
		r, err = zlib.NewReader(bytes.NewReader(b))
	}
	if err != nil {
		return nil
	}
	limit := min(o.budget, mostOpened)
	out, _ := io.ReadAll(io.LimitReader(r, int64(limit))) // what came before an error counts
	if len(out) == limit {
		o.cut = true
	}
	return out
}

// printable counts the bytes of text at the start.
func printable(b []byte) int {
	for i := 0; i < len(b); {
		n := shown[b[i]]
		if n == 0 {
			return i
		}
		if n > 1 && runeAt(b[i:]) != int(n) {
			return i
		}
		i += int(n)
	}
	return len(b)
}

// runeAt is the length of the character at the start of b, which is not of
// ASCII; 0 for what is none.
func runeAt(b []byte) int {
	if len(b) < 2 || b[1]&0xc0 != 0x80 {
		return 0
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError {
		return 0
	}
	return n
}

// shown is how many bytes a character has that begins with a byte; 0 where none
// does that is shown.
var shown = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c == '\n', c == '\t', c == '\r', c == 0x1b, c >= ' ' && c < 0x7f:
			t[c] = 1
		case c >= 0xc2 && c < 0xe0:
			t[c] = 2
		case c >= 0xe0 && c < 0xf0:
			t[c] = 3
		case c >= 0xf0 && c < 0xf5:
			t[c] = 4
		}
	}
	return t
}()

// passages are the parts of b that are text, on lines of their own. Bytes that
// no text can hold where they stand are told sixty-four at a time: only what
// is long between two of them is read.
func passages(out, b []byte) []byte {
	start, lead, tail := 0, uint64(0), uint64(0) // of the block before: whether a character may go on
	for from := 0; from < len(b); from += 64 {
		first, more, plain, _ := octet.Sort(b[from:], &utf8Bytes)
		after := uint64(0)
		if from+64 < len(b) {
			after = uint64(utf8Bytes[b[from+64]]>>1&1) << 63
		}
		fits := plain | first&(more>>1|after) | more&((first|more)<<1|lead|tail)
		lead, tail = first>>63, more>>63
		for odd := ^fits; odd != 0; odd &= odd - 1 {
			at := min(from+bits.TrailingZeros64(odd), len(b))
			if at-start >= leastText {
				out = between(out, b, start, at)
			}
			if start = at + 1; at == len(b) {
				return out
			}
		}
	}
	if len(b)-start >= leastText {
		out = between(out, b, start, len(b))
	}
	return out
}

// What a byte may be to a text in UTF-8.
const (
	isFirst8 = 1 << iota // of a character beyond ASCII
	isMore8              // behind the first
	isPlain8
)

var utf8Bytes = func() (t [256]uint8) {
	for c := range t {
		switch {
		case shown[c] == 1:
			t[c] = isPlain8
		case shown[c] > 1:
			t[c] = isFirst8
		case c&0xc0 == 0x80:
			t[c] = isMore8
		}
	}
	return t
}()

// between are the passages from a place up to another, where one ends whatever
// stands before it.
func between(out, b []byte, i, end int) []byte {
	for i < end {
		n := printable(b[i:])
		if n >= leastText {
			out = append(append(out, b[i:i+n]...), '\n')
		}
		i += n + 1
	}
	return out
}

// tighten drops what parts the lines of a run.
func tighten(out, run []byte) []byte {
	for i := 0; i < len(run); i++ {
		switch c := run[i]; {
		case role[c] == inRun:
			out = append(out, c)
		case c == '\\': // of an escaped line end
			i++
		}
	}
	return out
}

func fromHex(out, b []byte) []byte {
	for ; len(b) >= 2; b = b[2:] {
		out = append(out, nibble(b[0])<<4|nibble(b[1]))
	}
	return out
}

func nibble(c byte) byte {
	if digit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// sextet are the values of base64, of both alphabets.
var sextet = func() (t [256]byte) {
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	t['-'], t['_'] = 62, 63
	return t
}()

func fromBase64(out, b []byte) []byte {
	for len(b) >= 4 {
		n := uint32(sextet[b[0]])<<18 | uint32(sextet[b[1]])<<12 | uint32(sextet[b[2]])<<6 | uint32(sextet[b[3]])
		out = append(out, byte(n>>16), byte(n>>8), byte(n))
		b = b[4:]
	}
	if len(b) >= 2 {
		out = append(out, sextet[b[0]]<<2|sextet[b[1]]>>4)
	}
	if len(b) == 3 {
		out = append(out, sextet[b[1]]<<4|sextet[b[2]]>>2)
	}
	return out
}

// fromBase32 decodes letters with the digits 2 to 7, and nothing else.
func fromBase32(out, b []byte) ([]byte, bool) {
	acc, bits := uint32(0), 0
	for _, c := range b {
		c &^= 0x20 * (c >> 6) // fold letters
		var v byte
		switch {
		case 'A' <= c && c <= 'Z':
			v = c - 'A'
		case '2' <= c && c <= '7':
			v = c - '2' + 26
		default:
			return out, false
		}
		acc, bits = acc<<5|uint32(v), bits+5
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out, true
}

// backwards finds a secret that is written from its end.
func (o *opener) backwards(b []byte, start, end, depth int) (Find, bool) {
	c, next := b[end-1], b[end-2]
	if end-start > mostBackwards || !may([]byte{c, next, b[end-3]}, 0, c, next) {
		return Find{}, false
	}
	l := &o.layer[depth]
	l.out = append(l.out[:0], b[start:end]...)
	slices.Reverse(l.out)
	f, ok := at(l.out, 0, c, true)
	if !ok || f.Class != Secret || !random(l.out) {
		return Find{}, false
	}
	return Find{Class: Secret, Kind: f.Kind, Start: start, End: end, Value: start, Sure: f.Sure, Plain: bytes.Clone(f.Clear(l.out))}, true
}
