package flow

import (
	"bytes"
	"math/bits"
	"net/url"
	"strings"

	"durward/internal/guard/carrier"
	"durward/internal/guard/dlp"
)

// What leaves in pieces is looked at in two ways: field by field, as the text
// that the calls of one tool gave it one after the other; and value by value,
// how much of each rare one left so far, wherever it stood.

// Bounds of both.
const (
	maxFields = 16  // whose ends are known
	maxTail   = 512 // of a field's
	maxFresh  = 400 // letters and digits of a value that is a piece
	maxRare   = 256 // values
	maxGrams  = 8192
	shortRun  = 6  // letters and digits of a value that are told again
	leastRare = 12 // letters and digits of a value that is followed
)

// tail is the end of what a field was given so far.
type tail struct{ text, last []byte }

// rarity is a value whose parts are counted: an account, a card, a key.
type rarity struct {
	n       int // letters and digits, 64 at most
	at      origin
	planted bool
}

type place struct {
	value uint16
	from  uint8
}

// trickle is what a session knows of both.
type trickle struct {
	tails map[uint32]tail
	rare  []rarity
	left  []uint64 // which letters of each left
	grams map[uint32]place
	known map[uint32]bool // values

	// what the call that was judged last changed
	oldTails map[uint32]tail
	oldLeft  []uint64
	sank     bool
}

// treasure remembers the values in a text whose parts are counted.
func (s *Session) treasure(b []byte, at origin) {
	b = b[:min(len(b), maxScanned)]
	for _, f := range dlp.Append(nil, b) {
		if f.Class != dlp.Secret && (f.Kind == "tel" || bytes.IndexByte(b[f.Start:f.End], '@') >= 0) {
			continue
		}
		s.follow(f.Clear(b), rarity{at: at})
	}
}

// Plant makes values known that nobody has a reason to send.
func (s *Session) Plant(values []string) {
	for _, v := range values {
		s.follow([]byte(v), rarity{planted: true})
	}
}

func (s *Session) follow(value []byte, r rarity) {
	letters := squeeze(nil, value[:min(len(value), maxValue)])
	letters = letters[:min(len(letters), 64)]
	p := &s.pieces
	h := hashOf(letters)
	if len(letters) < leastRare || p.known[h] || len(p.rare) >= maxRare || len(p.grams) >= maxGrams {
		return
	}
	if p.known == nil {
		p.known, p.grams = map[uint32]bool{}, map[uint32]place{}
	}
	p.known[h] = true
	r.n = len(letters)
	for i := 0; i+shortRun <= len(letters); i++ {
		p.grams[hashOf(letters[i:i+shortRun])] = place{uint16(len(p.rare)), uint8(i)}
	}
	p.rare, p.left = append(p.rare, r), append(p.left, 0)
}

// begin notes that another call is judged.
func (p *trickle) begin() { p.oldTails, p.oldLeft, p.sank = nil, nil, false }

// undo takes back what the last call changed.
func (p *trickle) undo() {
	for k, t := range p.oldTails {
		p.tails[k] = t
	}
	if p.oldLeft != nil {
		copy(p.left, p.oldLeft)
	}
	p.begin()
}

// leaving counts what of rare values a text holds, of planted ones or of the
// others.
func (p *trickle) leaving(letters []byte, planted bool) {
	if len(p.rare) == 0 {
		return
	}
	for i := 0; i+shortRun <= len(letters); i++ {
		at, ok := p.grams[hashOf(letters[i:i+shortRun])]
		if !ok || p.rare[at.value].planted != planted {
			continue
		}
		if p.oldLeft == nil {
			p.oldLeft = append(p.oldLeft, p.left...)
		}
		p.left[at.value] |= (1<<shortRun - 1) << at.from
	}
}

// gone reports values of which so much left that the rest is no secret.
func (p *trickle) gone(fn func(rarity)) {
	if p.oldLeft == nil { // nothing of any in this call
		return
	}
	for i, r := range p.rare {
		n := bits.OnesCount64(p.left[i])
		if p.left[i] != p.oldLeft[i] && (r.planted && 10*n >= 9*r.n || !r.planted && 3*n >= 2*r.n && n >= leastRare) {
			fn(r)
		}
	}
}

// Planted reports that a call completes a planted value that left in pieces.
func (s *Session) Planted(args []byte) (found bool) {
	p := &s.pieces
	p.begin()
	carrier.Walk(args[:min(len(args), maxSent)], func(_ []string, value []byte, _ bool) { p.leaving(squeeze(nil, value), true) })
	p.gone(func(r rarity) { found = found || r.planted })
	return found
}

// spread judges what a call adds to what its tool was given before.
func (s *Session) spread(server, tool string, r Role, args []byte, c *call) (best Finding) {
	p := &s.pieces
	better := func(f Finding) {
		if f.Score > best.Score {
			best = f
		}
	}
	weigh := func(src source, n, few int) {
		switch {
		case c != nil && n >= few:
			better(s.weigh(server, src, max(n, 3), c))
		case c == nil && (r.Reach != Tells || r.Away || src.server != server):
			better(src.copied(r.Reach, n))
		}
	}
	carrier.Walk(args[:min(len(args), maxSent)], func(path []string, value []byte, key bool) {
		if len(value) == 0 || key && carrier.IsName(value) || c == nil && !goes(r.Reach, value) {
			return
		}
		name := strings.ToLower(innermost(path))
		address := bytes.Contains(value, []byte("://"))
		aimed := aims(name)
		if aimed && c != nil && bytes.IndexByte(value, '@') < 0 && !address {
			return // an account to pay to is an aim
		}
		if address {
			if clear, err := url.QueryUnescape(string(value)); err == nil {
				value = []byte(clear)
			}
		}
		value = s.unread(value)
		if len(p.rare) > 0 {
			p.leaving(squeeze(nil, value), false)
		}
		if aimed && c != nil && !address {
			return
		}
		text := p.extend(hashOf([]byte(server+"\x00"+tool+"\x00"+name)), value)
		if text == nil {
			return
		}
		if len(p.rare) == 0 && len(s.prints) == 0 {
			return
		}
		letters := squeeze(nil, text)
		p.leaving(letters, false)
		for at, n := range s.matches(letters) {
			weigh(s.from[at], n, 3)
		}
	})
	p.gone(func(v rarity) {
		if !v.planted {
			weigh(s.from[v.at], 6, 0)
		}
	})
	return best
}

// extend puts what is new in a field behind what it was given before; nil when
// it is no piece, or the first. What begins as the last did, an address or a
// greeting, is not new.
func (p *trickle) extend(field uint32, value []byte) []byte {
	if p.tails == nil {
		p.tails = map[uint32]tail{}
	}
	was, known := p.tails[field]
	if !known && len(p.tails) >= maxFields {
		clear(p.tails)
	}
	if p.oldTails == nil {
		p.oldTails = map[uint32]tail{}
	}
	if _, noted := p.oldTails[field]; !noted {
		p.oldTails[field] = was
	}
	fresh := value[min(begins(was.last, value), len(value)):]
	text := append(bytes.Clone(was.text), fresh...)
	p.tails[field] = tail{bytes.Clone(text[max(0, len(text)-maxTail):]), bytes.Clone(value[:min(len(value), maxTail)])}
	if len(was.text) == 0 || len(fresh) > maxFresh {
		return nil
	}
	return text
}

// begins is how far two texts are the same, up to the last mark in that.
func begins(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && (wordByte(b[n-1]) || b[n-1] >= 0x80) {
		n--
	}
	return n
}

// credential reports a key that is whole only together with what a field was
// given before. It is asked before the call is put behind that.
func (s *Session) credential(server, tool string, args []byte) (found bool) {
	carrier.Walk(args[:min(len(args), maxSent)], func(path []string, value []byte, key bool) {
		name := strings.ToLower(innermost(path))
		was := s.pieces.tails[hashOf([]byte(server+"\x00"+tool+"\x00"+name))]
		if key || found || len(was.text) == 0 || len(value) > maxFresh || len(value) < 4 {
			return
		}
		text := append(bytes.Clone(was.text), value[min(begins(was.last, value), len(value)):]...)
		for _, f := range dlp.Append(nil, text) {
			found = found || f.Sure && f.Class == dlp.Secret && f.Start < len(was.text) && f.End > len(was.text)
		}
	})
	return found
}
