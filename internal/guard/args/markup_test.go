package args_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	libinjection "github.com/corazawaf/libinjection-go"

	"durward/internal/guard/args"
)

// plainly is what the judge of markup was first, word by word: whatever is
// done to be quicker must say the same.
func plainly(s string, shown bool) args.Finding {
	still := true
	for i := range len(s) {
		switch c := s[i]; {
		case letter(c), '0' <= c && c <= '9', strings.IndexByte(" ,!?_/\n", c) >= 0:
		case (c == '.' || c == '-') && !(i+1 < len(s) && letter(s[i+1])):
		default:
			still = false
		}
	}
	flat := strings.ToLower(s)
	if still && !strings.Contains(flat, "autofocus") && !strings.Contains(flat, "fromcharcode") {
		return args.Finding{}
	}
	tight := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\x00", "", " ", "").Replace(flat)
	n := 0
	for _, w := range args.Runs {
		if strings.Contains(tight, w) {
			n++
		}
	}
	switch {
	case n >= 2:
		return args.Finding{Rule: "script", Score: 0.85, What: "markup that runs"}
	case n == 1 && !shown || args.Handler(flat):
		return args.Finding{Rule: "script", Score: 0.8, What: "markup that runs"}
	case libinjection.IsXSS(s):
		return args.Finding{Rule: "script", Score: 0.7, What: "libinjection"}
	}
	return args.Finding{}
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func TestMarkupIsJudgedAsWordByWord(t *testing.T) {
	pieces := []string{"a", "on", "focus", "auto", "AUTOFOCUS", "from", "CharCode", "K", "ſ", "İ", "é", " ", "\n", "\t", "\x00", "<", ">", "=", "(", "`", "/", "-", ".", ":", "@", "\"", "'", "!", "--", "style", "href", "on click", "xml", "[if", "import", "doctype", "plain words of a page, with 12 figures. "}
	pieces = append(pieces, args.Runs...)
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var b strings.Builder
		for n := r.IntN(8); n >= 0; n-- {
			p := pieces[r.IntN(len(pieces))]
			switch r.IntN(6) {
			case 0:
				p = strings.ToUpper(p)
			case 1:
				at := r.IntN(len(p) + 1)
				p = p[:at] + " \t\n\x00"[:r.IntN(5)] + p[at:]
			case 2:
				p = p[r.IntN(len(p)):]
			}
			b.WriteString(p)
		}
		for _, shown := range []bool{false, true} {
			if got, want := args.Script(b.String(), shown), plainly(b.String(), shown); got != want {
				t.Fatalf("Script(%q, %v) = %v, word by word %v", b.String(), shown, got, want)
			}
		}
	}
}
