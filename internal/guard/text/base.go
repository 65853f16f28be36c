package text

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"sort"
	"sync"
)

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
