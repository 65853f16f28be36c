package dlp

import (
	"testing"

	"golang.org/x/text/unicode/norm"
)

// The characters that are taken for letters are those that Unicode takes for them.
func TestStyledAsUnicodeDoes(t *testing.T) {
	n := 0
	for r := rune(0x80); r < 0x1f200; r++ {
		as := styled(r)
		if as == 0 {
			continue
		}
		n++
		if want := norm.NFKC.String(string(r)); want != string(rune(as)) && want != "("+string(rune(as))+")" && want != string(r) {
			t.Errorf("%U: %c, want %s", r, as, want)
		}
	}
	if n < 700 {
		t.Errorf("only %d characters", n)
	}
}
