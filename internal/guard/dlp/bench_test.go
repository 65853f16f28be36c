package dlp_test

import (
	"os"
	"strings"
	"testing"

	"durward/internal/durwardtest"
	"durward/internal/guard/dlp"
)

func texts(tb testing.TB) map[string][]byte {
	tb.Helper()
	code, err := os.ReadFile("runs.go")
	if err != nil {
		tb.Fatal(err)
	}
	fill := func(s string) []byte { return []byte(strings.Repeat(s, 32<<10/len(s)+1))[:32<<10] }
	return map[string][]byte{
		"prose":   fill("The service keeps invoices for each customer and sends a reminder after seven days. Each item has an id, an amount and a status.\n"),
		"code":    fill(string(code)),
		"russian": fill("Сервис хранит счета каждого клиента и «напоминает» об оплате через семь дней — сумма, статус. "),
		"records": fill(`{"id":"6c1726b32342aa0ec02abc9f3d820fdd96c97170","createdAt":"2026-01-02T03:04:05Z","repositoryFullName":"acme/web-frontend","url":"https://api.example/a%20b","n":12},`),
		"html":    fill(`<div class="row"><a href="/a?b=c&amp;d=e">Name &quot;x&quot;</a><td>12</td><td>ab</td></div>`),
	}
}

func BenchmarkLook(b *testing.B) {
	for name, text := range texts(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				dlp.Look(nil, text)
			}
		})
		b.Run(name+"/plain", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				dlp.Append(nil, text)
			}
		})
	}
}

// Ordinary text costs no memory.
func TestOrdinaryTextCostsNoMemory(t *testing.T) {
	for name, text := range texts(t) {
		dlp.Look(nil, text)
		if finds, whole := dlp.Look(nil, text); len(finds) > 0 || !whole {
			t.Errorf("%s: %+v, whole %v", name, finds, whole)
		}
		if n := testing.AllocsPerRun(20, func() { dlp.Look(nil, text) }); n > 0 && name != "html" && !durwardtest.Raced {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
