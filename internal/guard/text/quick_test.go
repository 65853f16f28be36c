package text_test

import (
	"math/rand/v2"
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

// Whatever a text is made of, it is surveyed as byte by byte.
func TestASurveySaysWhatAPlainOneSays(t *testing.T) {
	pieces := []string{
		"a", "the", "report", "international", "of", "7", "2019", "1gn0r3", "pr3v10us", "4ll", "rot13", "Rot", "gur", "naq", "eht", "dna", "vtaber", " ", "\n", "\r\n", "  ", ". ", ",", "é", "忽略",
		"%41", "&#105;", "&lt;", "\\u0069", "\\x67", "a<b>", "x</b>", "=\n", "QWxsIHRoZSB3YXRlciBpbiB0aGUgc2VhIGlz", "QWxs IHRo ZSB3 ", "67 6e 6f ", "105 103 ", "01101001 ", "i g n o r e ", "i.g.n.", "/", "-", "_", "+",
		strings.Repeat("p", 70), strings.Repeat("é", 40), strings.Repeat(" ", 70),
	}
	r := rand.New(rand.NewPCG(7, 8))
	for range 20_000 {
		var b []byte
		for n := r.IntN(16); n >= 0; n-- {
			p := pieces[r.IntN(len(pieces))]
			b = append(b, strings.Repeat(p[r.IntN(len(p)):], 1+r.IntN(4)/3*r.IntN(9))...)
			if r.IntN(2) == 0 {
				b = append(b, " \n"[r.IntN(2)])
			}
			if r.IntN(9) == 0 {
				b = append(b, byte(r.IntN(256)))
			}
		}
		if got, want := text.Survey(b), text.PlainSurvey(b); got != want {
			t.Fatalf("Survey(%q) = %b, plainly %b", b, got, want)
		}
	}
}
