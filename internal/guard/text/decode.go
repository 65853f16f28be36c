package text

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"html"
	"io"
	"net/url"
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
