package text

import (
	"encoding/binary"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Folder folds texts one after another and reuses its memory. It is used by
// one goroutine at a time; the zero Folder is ready.
type Folder struct {
	out    Canonical
	buf    []byte
	offs   []int32
	hid    []Span
	word   wordState
	unseen int // where the run of invisible characters that was read last ends
}

type wordState struct {
	start          int // in buf; -1 outside a word
	latin, foreign bool
	plain          bool // every foreign letter has a Latin look-alike
	letters        int
}

// Fold returns the canonical form of raw. ASCII without control characters is
// returned as it is: matching folds case itself.
func (f *Folder) Fold(raw []byte) *Canonical {
	f.out = Canonical{Bytes: raw, length: len(raw)}
	if plain(raw) {
		return &f.out
	}
	f.buf, f.offs, f.hid = f.buf[:0], f.offs[:0], f.hid[:0]
	f.word, f.unseen = wordState{start: -1}, 0
	f.buf, f.offs = slices.Grow(f.buf, len(raw)), slices.Grow(f.offs, len(raw))
	f.fold(raw, evenLetters())
	f.endWord()
	f.out.Bytes, f.out.offsets, f.out.Hidden = f.buf, f.offs, f.hid
	return &f.out
}

// plain reports whether raw is ASCII without terminal control characters.
func plain(raw []byte) bool {
	i := 0
	for ; i+8 <= len(raw); i += 8 {
		w := binary.LittleEndian.Uint64(raw[i:])
		if w&0x8080808080808080 != 0 {
			return false
		}
		// A byte below 0x20 borrows into its high bit: look closer.
		if (w-0x2020202020202020)&^w&0x8080808080808080 != 0 && !plainBytes(raw[i:i+8]) {
			return false
		}
	}
	return plainBytes(raw[i:])
}

func plainBytes(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || (c < 0x20 && c != '\n' && c != '\t' && c != '\r') {
			return false
		}
	}
	return true
}

func (f *Folder) fold(raw []byte, letters *evens) {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c < utf8.RuneSelf {
			if c == 0x1b {
				i += f.escape(raw, i)
				continue
			}
			f.ascii(c, i)
			i++
			continue
		}
		if c >= evenFrom>>6|0xc0 && c < evenTo>>6|0xc0 && i+1 < len(raw) { // Greek, Cyrillic, Armenian: nothing hides there
			if low := letters[c&0x1f-evenFrom>>6][raw[i+1]]; low != 0 {
				f.even(rune(low&^same), low&same != 0, i)
				i += 2
				continue
			}
		}
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n == 1 {
			f.out.Signals.Invalid++
			i++
			continue
		}
		if used := f.invisible(raw, i, r, n); used > 0 {
			i += used
			continue
		}
		f.letter(raw[i:i+n], r, i)
		i += n
	}
}

func (f *Folder) ascii(c byte, at int) {
	if c < 0x20 && c != '\n' && c != '\t' && c != '\r' {
		return
	}
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	if 'a' <= c && c <= 'z' {
		f.inWord()
		f.word.latin = true
		f.word.letters++
	} else if c < '0' || c > '9' {
		f.endWord()
	}
	f.put(c, at)
}

func (f *Folder) put(c byte, at int) {
	f.buf = append(f.buf, c)
	f.offs = append(f.offs, int32(at))
}

func (f *Folder) putRune(r rune, at int) {
	n := len(f.buf)
	f.buf = utf8.AppendRune(f.buf, r)
	for range len(f.buf) - n {
		f.offs = append(f.offs, int32(at))
	}
}

func (f *Folder) inWord() {
	if f.word.start < 0 {
		f.word = wordState{start: len(f.buf), plain: true}
	}
}

// letter folds one visible character beyond ASCII: compatibility
// decomposition without accents, lower case.
func (f *Folder) letter(b []byte, r rune, at int) {
	if r < quickRunes {
		if low := quick()[r]; low >= utf8.RuneSelf {
			f.foreign(rune(low), at)
			return
		} else if low != 0 {
			f.ascii(byte(low), at)
			return
		}
	}
	if r >= 0x0300 && r <= 0x036f {
		return
	}
	if r >= 0xac00 && r <= 0xd7a3 || r >= 0x4e00 && r <= 0x9fff { // Hangul and Han stay whole
		f.foreign(r, at)
		return
	}
	if styled(r) {
		f.out.Signals.Styled++
	}
	dec := norm.NFKD.Properties(b).Decomposition()
	if len(dec) == 0 {
		f.single(r, at)
		return
	}
	for len(dec) > 0 {
		d, n := utf8.DecodeRune(dec)
		dec = dec[n:]
		if d < 0x0300 || d > 0x036f {
			f.single(d, at)
		}
	}
}

func (f *Folder) single(r rune, at int) {
	if r < utf8.RuneSelf {
		f.ascii(byte(r), at)
		return
	}
	if s, ok := simplePunct(r); ok {
		f.ascii(s, at)
		return
	}
	if unicode.IsSpace(r) || unicode.Is(unicode.Zs, r) {
		f.ascii(' ', at)
		return
	}
	if !unicode.IsLetter(r) {
		f.endWord()
		f.putRune(r, at)
		return
	}
	f.foreign(unicode.ToLower(r), at)
}

func (f *Folder) foreign(r rune, at int) {
	f.inWord()
	f.word.letters++
	if latinLetter(r) {
		f.word.latin = true
	} else {
		f.word.foreign = true
		if _, ok := lookalike(r); !ok {
			f.word.plain = false
		}
	}
	f.putRune(r, at)
}

// even is foreign for a letter of two bytes that stays of two and is not Latin.
// same tells that it looks like a Latin one.
func (f *Folder) even(low rune, same bool, at int) {
	f.inWord()
	f.word.letters++
	f.word.foreign = true
	f.word.plain = f.word.plain && same
	f.buf = append(f.buf, 0xc0|byte(low>>6), 0x80|byte(low&0x3f))
	f.offs = append(f.offs, int32(at), int32(at))
}

const (
	evenFrom, evenTo = 0x0340, 0x0580 // whole rows of those bytes
	same             = 1 << 15
)

// evens are letters by both their bytes, and what they fold to.
type evens [evenTo>>6 - evenFrom>>6][256]uint16

// evenLetters are the letters that fold to one of two bytes which is not Latin.
var evenLetters = sync.OnceValue(func() *evens {
	var t evens
	for r := rune(0x0370); r < evenTo; r++ {
		low := quick()[r]
		if low < 0x80 || low >= 0x800 || latinLetter(rune(low)) {
			continue
		}
		if _, ok := lookalike(rune(low)); ok {
			low |= same
		}
		t[r>>6-evenFrom>>6][0x80|r&0x3f] = low
	}
	return &t
})

// endWord closes a word; one that mixes Latin with look-alikes is respelled.
func (f *Folder) endWord() {
	w := f.word
	f.word.start = -1
	if w.start < 0 || !w.foreign || !w.plain || w.letters < 2 {
		return
	}
	if !w.latin && !f.afterLatin(w.start) {
		return
	}
	if w.latin {
		f.out.Signals.Homoglyphs++
	}
	f.respell(w.start)
}

// afterLatin reports whether the word before a word of look-alikes alone is
// Latin: a whole foreign sentence must stay as it is.
func (f *Folder) afterLatin(start int) bool {
	i := start - 1
	for i >= 0 && (f.buf[i] == ' ' || f.buf[i] == '_' || f.buf[i] == '-') {
		i--
	}
	return i >= 0 && 'a' <= f.buf[i] && f.buf[i] <= 'z'
}

func (f *Folder) respell(start int) {
	w := start
	for i := start; i < len(f.buf); {
		r, n := utf8.DecodeRune(f.buf[i:])
		at := f.offs[i]
		if l, ok := lookalike(r); ok && r >= utf8.RuneSelf {
			f.buf[w], f.offs[w] = l, at
			w++
		} else {
			copy(f.buf[w:], f.buf[i:i+n])
			for k := range n {
				f.offs[w+k] = at
			}
			w += n
		}
		i += n
	}
	f.buf, f.offs = f.buf[:w], f.offs[:w]
}

func (f *Folder) hide(start, end int) {
	if n := len(f.hid); n > 0 && start <= f.hid[n-1].End+1 {
		f.hid[n-1].End = end
		return
	}
	f.hid = append(f.hid, Span{start, end})
}

const quickRunes = 0x2000

// quick are the letters below quickRunes that fold to one letter, in lower case
// and without accents: most of what is written without Han.
var quick = sync.OnceValue(func() *[quickRunes]uint16 {
	var t [quickRunes]uint16
	for r := rune(0x80); r < quickRunes; r++ {
		if !unicode.IsLetter(r) || r >= 0x0300 && r <= 0x036f || styled(r) {
			continue
		}
		if low := alone(r); low < quickRunes && unicode.IsLetter(low) {
			t[r] = uint16(unicode.ToLower(low))
		}
	}
	return &t
})

// alone is the one letter that r folds to but for its case, and a rune beyond
// the table when there is none or more than one.
func alone(r rune) rune {
	dec := norm.NFKD.PropertiesString(string(r)).Decomposition()
	if len(dec) == 0 {
		return r
	}
	var one rune
	for _, d := range string(dec) {
		if d >= 0x0300 && d <= 0x036f {
			continue
		}
		if one != 0 {
			return quickRunes
		}
		one = d
	}
	return one
}
