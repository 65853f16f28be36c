package lexicon_test

import (
	"strings"
	"testing"

	"durward/internal/guard/lexicon"
	"durward/internal/guard/match"
)

// BenchmarkAppend finds the whole vocabulary in 32 KB, overlapping words too.
func BenchmarkAppend(b *testing.B) {
	lex := lexicon.Default()
	for name, text := range map[string]string{
		"ordinary": "# Invoices\n\nThe service keeps invoices for each customer. To list them, send a GET request to /v1/invoices with a\npage token. " +
			"Each item has an id, an amount and a status. If the status is \"open\", the customer has not\npaid yet; reminders are sent every seven days by e-mail. You can export all invoices as CSV.\n",
		"quiet": "zz qqq xx ",
	} {
		b.Run(name, func(b *testing.B) {
			raw := []byte(strings.Repeat(text, 32<<10/len(text)+1))[:32<<10]
			var hits []match.Hit
			b.SetBytes(32 << 10)
			b.ReportAllocs()
			for b.Loop() {
				hits = lex.Append(hits[:0], raw)
			}
		})
	}
}
