package octet_test

import (
	"math/rand/v2"
	"testing"

	"durward/internal/guard/octet"
)

// What is passed over is of its kind, and of what is passed over little is left.
func TestAllThatIsPassedOverIsOfItsKind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, k := range []struct {
		name string
		pass func([]byte) int
		is   func(c byte) bool
		left int
	}{
		{"ASCII", octet.ASCII, func(c byte) bool { return c < 0x80 }, 8},
		{"ASCIIText", func(b []byte) int { return octet.ASCIIText(string(b)) }, func(c byte) bool { return c < 0x80 }, 8},
		{"Letters", octet.Letters, func(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }, 8},
		{"Lower", octet.Lower, func(c byte) bool { return 'a' <= c && c <= 'z' }, 8},
	} {
		var of []byte
		for c := range 256 {
			if k.is(byte(c)) {
				of = append(of, byte(c))
			}
		}
		for range 2000 {
			b := make([]byte, r.IntN(100))
			for i := range b {
				b[i] = of[r.IntN(len(of))]
			}
			want := len(b)
			if len(b) > 0 && r.IntN(4) > 0 {
				want = r.IntN(len(b))
				for b[want] = byte(r.IntN(256)); k.is(b[want]); b[want]++ {
				}
			}
			if got := k.pass(b); got > want || got <= want-k.left {
				t.Fatalf("%s(%q) = %d, want %d or up to %d fewer", k.name, b, got, want, k.left-1)
			}
		}
		for c := range 256 { // each byte, at each place of a word
			for at := range 8 {
				b := []byte{of[0], of[0], of[0], of[0], of[0], of[0], of[0], of[0]}
				b[at] = byte(c)
				if got, want := k.pass(b) == 8, k.is(byte(c)); got != want {
					t.Fatalf("%s of %#x at %d: %v, want %v", k.name, c, at, got, want)
				}
			}
		}
	}
}

func TestSortTellsOfEachByte(t *testing.T) {
	var table [256]uint8
	for c := range table {
		table[c] = uint8(c*7 ^ c>>3)
	}
	r := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		b := make([]byte, r.IntN(100))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		var want [4]uint64
		for k, c := range b[:min(len(b), 64)] {
			for n := range want {
				want[n] |= uint64(table[c]>>n&1) << k
			}
		}
		var got [4]uint64
		got[0], got[1], got[2], got[3] = octet.Sort(b, &table)
		if got != want {
			t.Fatalf("Sort(%q) = %x, want %x", b, got, want)
		}
		if got := octet.Match(b, &table); got != want[0] {
			t.Fatalf("Match(%q) = %x, want %x", b, got, want[0])
		}
	}
}

func BenchmarkSort(b *testing.B) {
	text, table := make([]byte, 64), [256]uint8{'a': 1}
	b.SetBytes(64)
	for b.Loop() {
		octet.Sort(text, &table)
	}
}
