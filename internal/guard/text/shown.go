package text

import "unicode"

// Shown reports characters that a reader sees as themselves.
func Shown(r rune) bool {
	return unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Co, r) &&
		!(r >= 0xfe00 && r <= 0xfe0f) && !(r >= 0xe0000 && r <= 0xe01ef) && r != 0x3164 && r != 0xffa0 && r != 0x115f && r != 0x1160
}
