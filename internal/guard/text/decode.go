package text

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"io"
	"net/url"
	"sort"
	"strconv"
	"sync"
	"unicode/utf8"
)

// decoder finds the next encoded passage at or after pos and opens it. A
// passage that does not decode is returned without text, so that the search
// goes on behind it; an empty span ends the search.
type decoder struct {
	name string
	mark mark
	next func(b []byte, pos, budget int) (Span, []byte)

	among func(o *outline, b []byte, pos, budget int) (Span, []byte) // next, by where the words of b stand
}

var decoders = []decoder{
	{name: "base64", mark: markBase, among: (*outline).nextBase},
	{name: "base64", mark: markBlocks, among: (*outline).nextBlocks},
	{name: "hex", mark: markHexPairs, next: nextNumbers},
	{name: "percent", mark: markPercent, next: nextPercent},
	{name: "entity", mark: markEntity, next: nextEntity},
	{name: "escape", mark: markEscape, next: nextEscape},
	{name: "spaced", mark: markSpaced, next: nextSpaced},
	{name: "leet", mark: markLeet, next: nextLeet},
	{name: "rot13", mark: markRot, next: nextRot},
	{name: "reversed", mark: markBack, next: nextBack},
	{name: "reversed", mark: markBack, next: nextBackWords},
	{name: "tags", mark: markTags, next: nextTags},
	{name: "quoted-printable", mark: markMail, next: nextPrintable},
}

func hexDigit(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func binaryWord(b []byte) bool {
	for _, c := range b {
		if c != '0' && c != '1' {
			return false
		}
	}
	return true
}

// nextBase opens a run of base64, base32 or hexadecimal. Lines of one block
// are joined.
func (o *outline) nextBase(b []byte, pos, budget int) (Span, []byte) {
	k := sort.Search(len(o.long), func(i int) bool { return o.long[i].Start >= pos })
	if k == len(o.long) {
		return Span{}, nil
	}
	start, first := o.long[k].Start, o.long[k].End
	pos = blockEnd(b, first, first-start)
	if out := decodeBase(b[start:pos], budget); out != nil || pos == first {
		return Span{start, pos}, out
	}
	return Span{start, pos}, decodeLines(b[start:pos], budget) // each for itself, or with another before them
}

// blockEnd is where a block of base64 ends whose first line ends at pos: the
// lines of one block are of one width, but for the last.
func blockEnd(b []byte, pos, width int) int {
	for {
		from := gap(b, pos)
		end := runEnd(b, from)
		n := end - from
		if from == pos || n < 2 || n > width || n < width && end < len(b) && b[end] != '\n' && b[end] != '\r' {
			return pos
		}
		if pos = end; n < width {
			return pos
		}
	}
}

// gap passes over one line end or one blank at i.
func gap(b []byte, i int) int {
	if i < len(b) && b[i] == ' ' {
		return i + 1
	}
	if i < len(b) && b[i] == '\r' {
		i++
	}
	if i < len(b) && b[i] == '\n' {
		i++
	}
	return i
}

// decodeLines opens what it can of the lines of a block.
func decodeLines(block []byte, budget int) []byte {
	var out []byte
	for line := range bytes.FieldsSeq(block) {
		if len(out) > budget {
			break
		}
		out = append(out, decodeBase(line, budget)...)
	}
	return out
}

// nextBlocks opens base64 that is parted into short pieces of one length.
func (o *outline) nextBlocks(b []byte, pos, budget int) (Span, []byte) {
	const most, least = minEncoded - 1, 4
	for pos < len(b) {
		start := min(set(o.words, pos), len(b))
		if pos = unset(o.words, start); start == len(b) {
			break
		}
		n := pos - start
		if n < least || n > most || !another(b, pos, n) {
			continue
		}
		end := blockEnd(b, pos, n)
		if end-start < 5*n {
			continue
		}
		joined := make([]byte, 0, end-start)
		for _, c := range b[start:end] {
			if classOf[c]&inWordBit != 0 {
				joined = append(joined, c)
			}
		}
		return Span{start, end}, decodeBase(joined, budget)
	}
	return Span{}, nil
}

// another reports that a piece of as many bytes may follow: the first of
// several is as long as the second.
func another(b []byte, pos, n int) bool {
	last := gap(b, pos) + n - 1
	return last < len(b) && classOf[b[last]]&inWordBit != 0 && (last+1 == len(b) || classOf[b[last+1]]&inWordBit == 0)
}

func decodeBase(run []byte, budget int) []byte {
	if len(run) > 2*budget+64 {
		run = run[:2*budget+64]
	}
	run = bytes.Trim(run, "-_")
	if looksWordy(run) {
		return nil
	}
	if len(run)%2 == 0 && allHex(run) {
		out := make([]byte, hex.DecodedLen(len(run)))
		if _, err := hex.Decode(out, run); err == nil {
			return out
		}
	}
	room := rooms.Get().(*room)
	defer rooms.Put(room)
	clean := room.cleaned(run)
	for skip := 0; skip < 4 && len(clean)-skip >= minEncoded; skip++ { // a prefix may cling to the run
		part := clean[skip:]
		part = part[:len(part)-len(part)%4+threeIfTail(len(part)%4)]
		n, err := base64.RawStdEncoding.Decode(room.out, part)
		if out := room.out[:n]; err == nil && (legible(out) || magic(out) || wide(out)) {
			return bytes.Clone(out)
		}
	}
	if len(clean) >= 24 && likeBase32(clean) {
		up := bytes.ToUpper(clean)
		up = up[:len(up)-len(up)%8]
		out := make([]byte, base32.StdEncoding.DecodedLen(len(up)))
		if n, err := base32.StdEncoding.WithPadding(base32.NoPadding).Decode(out, up); err == nil {
			return out[:n]
		}
	}
	return nil
}

// room is memory for a run that may be base64, and for what it would say.
type room struct{ clean, out []byte }

var rooms = sync.Pool{New: func() any { return new(room) }}

// cleaned is a run in the one alphabet, without what parts its lines; out has
// room for what it says.
func (r *room) cleaned(run []byte) []byte {
	if cap(r.clean) < len(run) || cap(r.clean) > mostRoom && len(run) <= mostRoom {
		r.clean, r.out = make([]byte, 0, len(run)), make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
	}
	clean := r.clean[:len(run)]
	n := 0
	for _, c := range run { // what goes is written over
		to := standard[c]
		clean[n] = to
		if to != 0 {
			n++
		}
	}
	r.out = r.out[:cap(r.out)]
	return clean[:n]
}

const mostRoom = 1 << 20

// standard is what a byte is in the alphabet of base64; 0 when it goes.
var standard = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
	}
	t['-'], t['_'] = '+', '/'
	t['='], t['\n'], t['\r'], t[' '] = 0, 0, 0, 0
	return t
}()

func threeIfTail(tail int) int {
	if tail == 1 { // one sextet alone holds no byte
		return 0
	}
	return tail
}

// looksWordy spares paths, identifiers and prose joined by dashes the work.
func looksWordy(run []byte) bool {
	n := len(run)
	if n < minEncoded {
		return true
	}
	if allHex(run) {
		return false
	}
	seps, upper, digits := 0, 0, 0
	for len(run) > 0 {
		part, sum := run[:min(len(run), mostSummed)], uint64(0)
		for _, c := range part {
			sum += counted[c]
		}
		seps, upper, digits = seps+int(sum&mostSummed), upper+int(sum>>20&mostSummed), digits+int(sum>>40)
		run = run[len(part):]
	}
	return upper == 0 && digits == 0 || upper == 0 && seps > 0 || seps*6 > n
}

// counted has a one for the kind of a byte, each kind in twenty bits.
var counted = func() (t [256]uint64) {
	for c := range t {
		switch c := byte(c); {
		case c == '/' || c == '_' || c == '-':
			t[c] = 1
		case 'A' <= c && c <= 'Z':
			t[c] = 1 << 20
		case digit(c):
			t[c] = 1 << 40
		}
	}
	return t
}()

const mostSummed = 1<<20 - 1

func allHex(b []byte) bool {
	for _, c := range b {
		if !hexDigit(c) {
			return false
		}
	}
	return true
}

// likeBase32 reports letters of either case and the digits of base32.
func likeBase32(b []byte) bool {
	for _, c := range b {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

func magic(b []byte) bool {
	return len(b) > 10 && (b[0] == 0x1f && b[1] == 0x8b || b[0] == 0x78 && (b[1] == 0x01 || b[1] == 0x9c || b[1] == 0xda))
}

// inflate opens gzip or zlib data, at most budget bytes of it.
func inflate(b []byte, budget int) []byte {
	if !magic(b) {
		return nil
	}
	pool := &zlibs
	if b[0] == 0x1f {
		pool = &gzips
	}
	z, err := pool.open(b)
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(z, int64(max(budget, 0)))) // what came before an error counts
	pool.Put(z)
	return out
}

// inflaters are kept: each has a window of 32 KiB.
type inflaters struct {
	sync.Pool
	begin func(io.Reader) (io.Reader, error)
	again func(io.Reader, io.Reader) error
}

func (p *inflaters) open(b []byte) (io.Reader, error) {
	if z, ok := p.Get().(io.Reader); ok {
		return z, p.again(z, bytes.NewReader(b))
	}
	return p.begin(bytes.NewReader(b))
}

var gzips = inflaters{
	begin: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	again: func(z, r io.Reader) error { return z.(*gzip.Reader).Reset(r) },
}

var zlibs = inflaters{
	begin: func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
	again: func(z, r io.Reader) error { return z.(zlib.Resetter).Reset(r, nil) },
}

// nextNumbers opens characters written as numbers: pairs of hexadecimal
// digits, decimals, or groups of eight bits.
func nextNumbers(b []byte, pos, _ int) (Span, []byte) {
	for pos < len(b) {
		start, count, base := -1, 0, decimals(b[pos:min(len(b), pos+64)])
		var out []byte
		end := pos
		for pos < len(b) {
			from := pos
			for pos < len(b) && isWordByte(b[pos]) {
				pos++
			}
			tok := b[from:pos]
			c, kind := charOf(tok, base)
			if kind == 0 {
				break
			}
			if start < 0 {
				start = from
			}
			base, end = kind, pos
			out = append(out, c)
			count++
			for pos < len(b) && !isWordByte(b[pos]) && pos-end < 4 {
				pos++
			}
		}
		if count >= 8 {
			return Span{start, end}, out
		}
		for pos < len(b) && isWordByte(b[pos]) {
			pos++
		}
		for pos < len(b) && !isWordByte(b[pos]) {
			pos++
		}
	}
	return Span{}, nil
}

// decimals returns 10 when numbers of three digits follow: those of two are
// decimal then, too.
func decimals(b []byte) int {
	for i := 0; i < len(b); {
		from := i
		for i < len(b) && isWordByte(b[i]) {
			if !digit(b[i]) {
				return 0
			}
			i++
		}
		if i-from == 3 {
			return 10
		}
		if i == from {
			i++
		}
	}
	return 0
}

// charOf reads one number; base is that of the run so far, 0 at its start.
func charOf(tok []byte, base int) (byte, int) {
	if len(tok) == 4 && (tok[1] == 'x' || tok[1] == 'X') {
		tok = tok[2:]
	}
	try := func(width, in int) (byte, int) {
		if base != 0 && base != in {
			return 0, 0
		}
		if width != 0 && len(tok) != width {
			return 0, 0
		}
		n, err := strconv.ParseUint(string(tok), in, 8)
		if err != nil || n < 9 || n > 126 {
			return 0, 0
		}
		return byte(n), in
	}
	switch {
	case len(tok) == 8:
		return try(8, 2)
	case len(tok) == 2 && base != 10:
		if c, k := try(2, 16); k != 0 {
			return c, k
		}
	case len(tok) == 3 && base != 16 || len(tok) == 2:
		return try(0, 10)
	}
	return 0, 0
}

// lineAround returns the passage from first to the end of its run of text:
// up to two line ends or the limit.
func nextPercent(b []byte, pos, _ int) (Span, []byte) {
	start, end := around(b, pos, func(i int) bool {
		return b[i] == '%' && i+2 < len(b) && hexDigit(b[i+1]) && hexDigit(b[i+2])
	}, func(c byte) bool { return c > ' ' && c != '"' })
	if start < 0 {
		return Span{}, nil
	}
	s, err := url.QueryUnescape(string(b[start:end]))
	if err != nil {
		return Span{start, end}, unescapePercent(b[start:end])
	}
	return Span{start, end}, []byte(s)
}

func unescapePercent(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) && hexDigit(b[i+1]) && hexDigit(b[i+2]) {
			n, _ := strconv.ParseUint(string(b[i+1:i+3]), 16, 8)
			out = append(out, byte(n))
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return out
}

// around finds the next trigger and the passage of kept bytes about it.
func around(b []byte, pos int, trigger func(int) bool, keep func(byte) bool) (int, int) {
	for i := pos; i < len(b); i++ {
		if !trigger(i) {
			continue
		}
		start, end := i, i
		for start > pos && keep(b[start-1]) {
			start--
		}
		for end < len(b) && keep(b[end]) {
			end++
		}
		return start, max(end, i+1)
	}
	return -1, -1
}

func nextEntity(b []byte, pos, _ int) (Span, []byte) {
	start, end := around(b, pos, func(i int) bool {
		return b[i] == '&' && i+3 < len(b) && (b[i+1] == '#' || b[i+1] >= 'a')
	}, func(c byte) bool { return c != '\n' })
	if start < 0 {
		return Span{}, nil
	}
	line := b[start:end]
	if bytes.Count(line, []byte("&#")) < 3 && bytes.Count(line, []byte("&")) < 2 {
		return Span{start, end}, nil
	}
	return Span{start, end}, []byte(html.UnescapeString(string(line)))
}

func nextEscape(b []byte, pos, _ int) (Span, []byte) {
	start, end := around(b, pos, func(i int) bool {
		return b[i] == '\\' && i+3 < len(b) && (b[i+1] == 'u' || b[i+1] == 'x') && hexDigit(b[i+2])
	}, func(c byte) bool { return c != '\n' && c != '"' })
	if start < 0 {
		return Span{}, nil
	}
	var out []byte
	for i := start; i < end; {
		width := 0
		if b[i] == '\\' && i+1 < end {
			switch b[i+1] {
			case 'u':
				width = 4
			case 'x':
				width = 2
			}
		}
		if width > 0 && i+2+width <= end && allHex(b[i+2:i+2+width]) {
			n, _ := strconv.ParseUint(string(b[i+2:i+2+width]), 16, 32)
			out = utf8.AppendRune(out, rune(n))
			i += 2 + width
			continue
		}
		out = append(out, b[i])
		i++
	}
	return Span{start, end}, out
}
