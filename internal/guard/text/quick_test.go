package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"durward/internal/guard/text"
)

// The table of letters folds each of them as its decomposition says.
func TestLettersFoldAsTheyDecompose(t *testing.T) {
	var f text.Folder
	for r := rune(0x80); r < 0x2000; r++ {
		if !unicode.IsLetter(r) || !utf8.ValidRune(r) || !text.Shown(r) {
			continue
		}
		want := strings.Map(func(d rune) rune {
			if d >= 0x0300 && d <= 0x036f {
				return -1
			}
			return unicode.ToLower(d)
		}, norm.NFKD.String(string(r)))
		got := string(f.Fold([]byte("日" + string(r))).Bytes)
		got = strings.TrimPrefix(got, "日")
		if strings.ContainsFunc(want, func(d rune) bool { return !unicode.IsLetter(d) }) {
			continue // marks and blanks fold by other rules
		}
		if got != want && !strings.ContainsFunc(got, func(d rune) bool { return d < 0x80 }) {
			t.Errorf("%U %c folds to %q, want %q", r, r, got, want)
		}
	}
}
