package flow_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"durward/internal/guard/flow"
)

func TestATextIsRememberedAsPlainly(t *testing.T) {
	pieces := []string{"a", "B", "7", "42", "_", "-", "+", "/", ".", "@", " ", "\\n", "\\t", "\\", "é", "name@host.example", "2026-11-23", "INV-2026-0042", "customer", "1/2/2026", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Total: 129.90"}
	r := rand.New(rand.NewPCG(9, 9))
	for range 20_000 {
		var b []byte
		for n := r.IntN(16); n >= 0; n-- {
			if b = append(b, pieces[r.IntN(len(pieces))]...); r.IntN(9) == 0 {
				b = append(b, byte(r.IntN(256)))
			}
		}
		letters, prints, values := flow.Reading(b)
		wantLetters, wantPrints, wantValues := flow.PlainReading(b)
		if !bytes.Equal(letters, wantLetters) || !slices.Equal(prints, wantPrints) || !slices.Equal(values, wantValues) {
			t.Fatalf("Reading(%q) = %q %x %q, plainly %q %x %q", b, letters, prints, values, wantLetters, wantPrints, wantValues)
		}
	}
}
