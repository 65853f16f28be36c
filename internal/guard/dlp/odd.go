package dlp

import (
	"unicode/utf8"
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
	}
	as = styled(r)
	return as, n, as != 0
}

// styled is the letter or digit that a character is a style of; 0 for none.
func styled(r rune) byte {
	letter := func(i rune) byte {
		if i < 26 {
			return 'A' + byte(i)
		}
		return 'a' + byte(i-26)
	}
	switch {
	case r >= 0x1d400 && r <= 0x1d6a3: // mathematical
		return letter((r - 0x1d400) % 52)
	case r >= 0x1d7ce && r <= 0x1d7ff:
		return '0' + byte((r-0x1d7ce)%10)
	case r >= 0x24b6 && r <= 0x24e9: // circled
		return letter(r - 0x24b6)
	case r >= 0x2460 && r <= 0x2468:
		return '1' + byte(r-0x2460)
	case r == 0x24ea:
		return '0'
	case r >= 0x249c && r <= 0x24b5: // in brackets
		return 'a' + byte(r-0x249c)
	case r >= 0x1f130 && r <= 0x1f149: // in squares
		return 'A' + byte(r-0x1f130)
	case r >= 0x2080 && r <= 0x2089: // below the line
		return '0' + byte(r-0x2080)
	case r >= 0x2102 && r <= 0x2134:
		const likes = "C\x00\x00\x00\x00\x00\x00\x00gHHHh\x00IILl\x00N\x00\x00\x00PQRRR\x00\x00\x00\x00\x00\x00Z\x00\x00\x00Z\x00K\x00BC\x00eEF\x00Mo"
		return likes[r-0x2102]
	case r == 0xfe33, r == 0xfe4d:
		return '_'
	}
	return 0
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
