package dlp

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// oddRune reads a character that is not shown, or that is another way to
// write one of ASCII: as is what it stands for, 0 for nothing. Letters of
// other scripts and marks of prose are not odd.
func oddRune(b []byte) (as byte, n int, odd bool) {
	r, n := utf8.DecodeRune(b)
	switch {
	case r == utf8.RuneError:
		return 0, max(n, 1), false
	case unseen(r):
		return 0, n, true
	case r == 0xa0, r == 0x3000, r >= 0x2000 && r <= 0x200a, r == 0x202f, r == 0x205f:
		return ' ', n, false // blanks part words as blanks do
	case r >= 0xff01 && r <= 0xff5e:
		as = byte(r - 0xfee0)
		return as, n, role[as] == inRun || as == '=' || as == '.' || as == ':'
	case r >= 0xe0020 && r <= 0xe007e: // tags
		return byte(r - 0xe0000), n, true
	case r >= 0x2460 && r <= 0x24e9, r >= 0x2100 && r <= 0x214f, r >= 0x1d400 && r <= 0x1d7ff, r >= 0x1f130 && r <= 0x1f149, r == 0xfe33, r == 0xfe4d:
		var dst [8]byte
		if out := norm.NFKC.Append(dst[:0], b[:n]...); len(out) == 1 && role[out[0]] == inRun {
			return out[0], n, true
		}
	}
	return 0, n, false
}

// unseen are characters that are not shown and part nothing.
func unseen(r rune) bool {
	switch {
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0xfeff, r == 0xe0001, r == 0xe007f:
		return true
	case r >= 0x180b && r <= 0x180f, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return true
	}
	return false
}
