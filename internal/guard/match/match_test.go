package match_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"durward/internal/guard/match"
)

func compile(t *testing.T, ps []match.Pattern) *match.Automaton {
	t.Helper()
	a, err := match.Compile(ps)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCompileRefusesTooMany(t *testing.T) {
	var ps []match.Pattern
	for i := range match.MaxStates/4 + 1 { // each needs states of its own
		ps = append(ps, match.Pattern{Text: string([]byte{'a' + byte(i&15), 'a' + byte(i>>4&15), 'a' + byte(i>>8&15), 'a' + byte(i>>12&15)}) + "endings"})
	}
	if _, err := match.Compile(ps); !errors.Is(err, match.ErrTooMany) {
		t.Errorf("Compile of %d patterns: %v, want %v", len(ps), err, match.ErrTooMany)
	}
}

func TestAppend(t *testing.T) {
	a := compile(t, []match.Pattern{{" api key", 1}, {" key ", 2}, {"< system", 3}, {" ignor", 4}, {"忽略", 5}, {" send", 6}})
	for _, c := range []struct {
		text string
		want []uint16
	}{
		{"the API_key", []uint16{1, 2}},
		{"api---KEY!", []uint16{1, 2}},
		{"apikey", nil},
		{"monkey", nil},
		{"keys", nil},
		{"<system>", []uint16{3}},
		{"please,ignoring", []uint16{4}},
		{"ignore", []uint16{4}},
		{"请忽略它", []uint16{5}},
		{`line\nsend it`, []uint16{6}},
		{"resend", nil},
	} {
		var got []uint16
		for _, h := range a.Append(nil, []byte(c.text)) {
			got = append(got, h.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("Append(%q) = %v, want %v", c.text, got, c.want)
		}
	}
}

// The automaton finds what a plain search of the folded text finds.
func TestAppendAgreesWithSearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	words := []string{"a", "ab", "abc", "b", "bc", "ca", "cab", "aa"}
	for range 300 {
		var ps []match.Pattern
		for i := range 6 {
			p := words[rng.IntN(len(words))]
			if rng.IntN(2) == 0 {
				p = " " + p
			}
			ps = append(ps, match.Pattern{Text: p, ID: uint16(i)})
		}
		var b strings.Builder
		for range 20 {
			b.WriteString(words[rng.IntN(len(words))])
			if rng.IntN(3) == 0 {
				b.WriteByte(' ')
			}
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		got := map[uint16]int{}
		for _, h := range compile(t, ps).Append(nil, []byte(text)) {
			got[h.ID]++
		}
		for _, p := range ps {
			if want := overlapping(" "+text, p.Text); got[p.ID] != want {
				t.Fatalf("%q in %q: %d, want %d", p.Text, text, got[p.ID], want)
			}
		}
	}
}

func overlapping(s, p string) int {
	n := 0
	for i := range s {
		if strings.HasPrefix(s[i:], p) {
			n++
		}
	}
	return n
}

// A long text is read in two places at once: nothing is lost or seen twice
// where they meet, wherever that is.
func TestHalvesMeet(t *testing.T) {
	a := compile(t, []match.Pattern{{" api key", 1}, {" key ", 2}, {"< system", 3}, {" ignor", 4}, {"忽略", 5}, {" key is long enough to reach over", 6}, {" a", 7}})
	for _, piece := range []string{"the API_key is long enough to reach over it. ", "<system>ignore", "a ", `key\nkey\`, "忽略", "x", "a  <  "} {
		for size := 500; size < 700; size++ {
			text := []byte(strings.Repeat(piece, 700/len(piece)+1))[:size]
			got, want := a.Append(nil, text), a.Once(nil, text)
			if !slices.Equal(got, want) {
				t.Fatalf("%q, %d bytes: %v, want %v", piece, size, got, want)
			}
		}
	}
}
