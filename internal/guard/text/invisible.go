package text

import (
	"unicode"
	"unicode/utf8"
)

const (
	blackFlag = 0x1f3f4
	cancelTag = 0xe007f
)

// invisible consumes characters that no reader sees. It returns how many bytes
// it took, 0 when r is visible.
func (f *Folder) invisible(raw []byte, i int, r rune, n int) int {
	switch {
	case r >= 0xe0000 && r <= cancelTag:
		return f.tags(raw, i)
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return f.selectors(raw, i)
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		f.out.Signals.Bidi++
		f.hide(i, i+n)
		return n
	case r == 0xfeff && i == 0, r == 0x200e, r == 0x200f: // byte order mark, direction marks
		return n
	case invisibleRune(r):
		if f.betweenLatin(raw, i, n) {
			f.out.Signals.ZeroWidth++
			f.hide(i, i+n)
		}
		return n
	case r >= 0x80 && r <= 0x9f: // C1 controls
		f.out.Signals.Escapes++
		return n
	}
	return 0
}

func invisibleRune(r rune) bool {
	switch {
	case r >= 0x200b && r <= 0x200d, r >= 0x2060 && r <= 0x2064, r >= 0x206a && r <= 0x206f:
		return true
	case r == 0x00ad, r == 0x034f, r == 0x061c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5,
		r == 0x180e, r == 0x3164, r == 0xfeff, r == 0xffa0, r >= 0x1bca0 && r <= 0x1bca3, r >= 0x1d173 && r <= 0x1d17a:
		return true
	}
	return r >= 0x80 && unicode.Is(unicode.Cf, r)
}

// betweenLatin keeps the joiners of emoji and of Indic and Persian writing
// apart from characters slipped into Latin text. The soft hyphen is natural.
func (f *Folder) betweenLatin(raw []byte, i, n int) bool {
	if r, _ := utf8.DecodeRune(raw[i:]); r == 0x00ad {
		return false
	}
	before := i > 0 && raw[i-1] < utf8.RuneSelf
	end := f.invisibleEnd(raw, i+n) // a run of invisible characters counts as one place
	after := end < len(raw) && raw[end] < utf8.RuneSelf
	run := end - i - n
	letterBefore := before && isWordByte(raw[i-1])
	letterAfter := after && isWordByte(raw[end])
	return (letterBefore && letterAfter) || (run >= 8 && (before || after || i == 0))
}

// invisibleEnd returns where the invisible characters from i on end. A run is
// read once, however many of its characters ask.
func (f *Folder) invisibleEnd(raw []byte, i int) int {
	if i <= f.unseen {
		return f.unseen
	}
	end := i
	for end < len(raw) {
		r, n := utf8.DecodeRune(raw[end:])
		if !invisibleRune(r) {
			break
		}
		end += n
	}
	f.unseen = end
	return end
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// tags decodes a run of tag characters. After a black flag they spell a
// subdivision flag (three to six characters and a terminator) and are emoji.
func (f *Folder) tags(raw []byte, i int) int {
	end := i
	for end < len(raw) {
		r, n := utf8.DecodeRune(raw[end:])
		if r < 0xe0000 || r > cancelTag {
			break
		}
		end += n
	}
	if f.flagBefore(raw, i) && end-i <= 4*7 && end-i >= 4*3 {
		return end - i
	}
	f.endWord()
	f.put(' ', i)
	for k := i; k < end; k += 4 {
		r, _ := utf8.DecodeRune(raw[k:])
		f.out.Signals.Tags++
		if c := r - 0xe0000; c >= 0x20 && c < 0x7f {
			f.ascii(byte(c), k)
		}
	}
	f.endWord()
	f.put(' ', end)
	f.hide(i, end)
	return end - i
}

func (f *Folder) flagBefore(raw []byte, i int) bool {
	r, _ := utf8.DecodeLastRune(raw[:i])
	return r == blackFlag
}

// selectors drops variation selectors; a run of them carries one byte each and
// is decoded.
func (f *Folder) selectors(raw []byte, i int) int {
	var bytes [256]byte
	end, count := i, 0
	for end < len(raw) {
		r, n := utf8.DecodeRune(raw[end:])
		v, ok := selectorByte(r)
		if !ok {
			break
		}
		if count < len(bytes) {
			bytes[count] = v
		}
		count++
		end += n
	}
	if count < 3 {
		return end - i
	}
	f.out.Signals.Selectors += count
	f.hide(i, end)
	f.put(' ', i)
	for _, c := range bytes[:min(count, len(bytes))] {
		if c >= 0x20 && c < 0x7f {
			f.ascii(c, i)
		}
	}
	f.endWord()
	f.put(' ', i)
	return end - i
}

func selectorByte(r rune) (byte, bool) {
	switch {
	case r >= 0xfe00 && r <= 0xfe0f:
		return byte(r - 0xfe00), true
	case r >= 0xe0100 && r <= 0xe01ef:
		return byte(r - 0xe0100 + 16), true
	}
	return 0, false
}

// escape consumes a terminal sequence and returns its length. Colours are
// natural in logs; moving, erasing and concealing hide text.
func (f *Folder) escape(raw []byte, i int) int {
	end := i + 1
	if end >= len(raw) {
		return 1
	}
	switch raw[end] {
	case '[':
		end++
		params := end
		for end < len(raw) && raw[end] >= 0x20 && raw[end] <= 0x3f {
			end++
		}
		if end >= len(raw) {
			return end - i
		}
		f.control(raw[params:end], raw[end])
		return end + 1 - i
	case ']', 'P', '_', '^':
		f.out.Signals.Escapes++
		for end < len(raw) && raw[end] != 0x07 && raw[end] != 0x1b && end-i < 4096 {
			end++
		}
		if end < len(raw) && raw[end] == 0x07 {
			end++
		}
		return end - i
	}
	return 2
}

func (f *Folder) control(params []byte, final byte) {
	if final != 'm' {
		f.out.Signals.Escapes++
		return
	}
	num, seen := 0, false
	for k := 0; k <= len(params); k++ {
		if k < len(params) && '0' <= params[k] && params[k] <= '9' {
			num, seen = min(num*10+int(params[k]-'0'), 999), true
			continue
		}
		if seen && num == 8 {
			f.out.Signals.Concealed++
		}
		if seen && (num == 38 || num == 48) { // colour arguments follow
			return
		}
		num, seen = 0, false
	}
}
