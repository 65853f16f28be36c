package dlp

import (
	"math/bits"

	"durward/internal/guard/octet"
)

// places goes over the places of a text where a detector may begin: what is no
// letter or digit, the first of those that are, and a capital behind a small
// letter. It sorts sixty-four bytes at once.
type places struct {
	b     []byte
	start int    // of the bytes that were sorted last
	end   int    // and behind them
	found uint64 // which of them are such places
}

// next is the first such place at i or behind it; the length of the text when
// there is none. Whoever goes on from within a word begins there.
func (p *places) next(i int) int {
	for {
		if i < p.end {
			if left := p.found >> (i - p.start); left != 0 {
				return i + bits.TrailingZeros64(left)
			}
			i = p.end
		}
		if i >= len(p.b) {
			return len(p.b)
		}
		p.sort(i)
	}
}

// sort looks at the bytes from start on.
func (p *places) sort(start int) {
	before := uint8(0)
	if start > 0 {
		before = kinds[p.b[start-1]]
	}
	if before&inWord != 0 {
		if n := octet.Lower(p.b[start:]); n >= 64 { // a long word goes on
			p.start, p.end, p.found = start, start+n, 0
			return
		}
	}
	small, capital, word, first := octet.Sort(p.b[start:], &kinds)
	begins := ^word | ^(word<<1 | uint64(before&inWord/inWord)) | capital&(small<<1|uint64(before&isSmall))
	p.start, p.end, p.found = start, start+64, begins&first
}

// What a byte may be to a place.
const (
	isSmall = 1 << iota
	isCapital
	inWord
	isFirst // a detector begins with it
)

var kinds = func() (t [256]uint8) {
	for c, kind := range kindOf {
		switch kind {
		case kindLower:
			t[c] = isSmall | inWord
		case kindUpper:
			t[c] = isCapital | inWord
		case kindDigit:
			t[c] = inWord
		}
		if len(starts[c]) > 0 {
			t[c] |= isFirst
		}
	}
	return t
}()
