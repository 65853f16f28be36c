package guard_test

import (
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"durward"
	"durward/internal/guard"
)

const quiet = `The quick brown fox jumps over the lazy dog near the river bank. ` +
	`Rainfall in the northern hills reached forty millimetres during April. ` +
	`Total: 18; average: 4.2; median: 3.9; region: north-west. `

const ordinary = `# Invoices

The service keeps invoices for each customer. To list them, send a GET request to /v1/invoices with a
page token. Each item has an id, an amount and a status. If the status is "open", the customer has not
paid yet; reminders are sent every seven days by e-mail. You can export all invoices as CSV.

	client := billing.New(os.Getenv("BILLING_URL"))
	list, err := client.Invoices(ctx, billing.Filter{Status: "open"})

| field | type | meaning |
|-------|------|---------|
| id | string | identifier of the invoice |
| total | number | total amount in cents |
`

func engine(tb testing.TB) *guard.Engine {
	tb.Helper()
	e, err := guard.New(guard.Options{Key: []byte("test")})
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	return e
}

// processorTime is what the process used, whatever else the machine does.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatalf("Getrusage: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// threadTime is what the thread used so far.
func threadTime(tb testing.TB) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		tb.Fatalf("ClockGettime: %v", err)
	}
	return time.Duration(t.Nano())
}

func benchmark(b *testing.B, text string, size int) {
	e := engine(b)
	raw := []byte(strings.Repeat(text, size/len(text)+1))[:size]
	e.Text(raw)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		e.Text(raw)
	}
	spent := processorTime(b) - before
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N)/(float64(size)/1024), "cpu-us/KB")
}

func BenchmarkTextWithoutHits(b *testing.B) { benchmark(b, quiet, 32<<10) }
func BenchmarkTextOrdinary(b *testing.B)    { benchmark(b, ordinary, 32<<10) }
func BenchmarkTextNotLatin(b *testing.B) {
	benchmark(b, "Погода в северных районах остаётся прохладной и дождливой. ", 32<<10)
}

func BenchmarkTextLongBase64(b *testing.B) {
	benchmark(b, "QWxsIHRoZSB3YXRlciBpbiB0aGUgc2VhIGlzIGJsdWUg", 32<<10)
}
func BenchmarkTextOnlyPercents(b *testing.B) { benchmark(b, "%41%", 32<<10) }
func BenchmarkTextOnlyTags(b *testing.B)     { benchmark(b, "a<b<", 32<<10) }
func BenchmarkTextZeroWidth(b *testing.B)    { benchmark(b, "a\u200bb\u200b", 32<<10) }
func BenchmarkTextTriggersOnly(b *testing.B) {
	benchmark(b, "ignore send token assistant you must ", 32<<10)
}

// BenchmarkText32KB reports how long 32 KB of ordinary results take, as a
// distribution: by the clock, whose end is the machine's where it is busy, and
// by the processor's time of the thread (cpu):
// go test ./internal/guard -run '^$' -bench Text32KB -benchtime 2000x
func BenchmarkText32KB(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"quiet", quiet},
		{"ordinary", ordinary},
		{"records", `{"id": 4471, "name": "Anna K.", "status": "open", "total": 129.9, "note": "Paid by card, send the receipt by mail."},`},
		{"code", "func (s *Store) Get(ctx context.Context, id string) (*Item, error) {\n\trow := s.db.QueryRow(ctx, query, id)\n\treturn scan(row)\n}\n\n"},
		{"russian", "Погода в северных районах остаётся прохладной и дождливой. "},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := engine(b)
			raw := []byte(strings.Repeat(c.text, 32<<10/len(c.text)+1))[:32<<10]
			e.Text(raw)
			took, worked := make([]time.Duration, 0, b.N), make([]time.Duration, 0, b.N)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for b.Loop() {
				start, before := time.Now(), threadTime(b)
				e.Text(raw)
				took, worked = append(took, time.Since(start)), append(worked, threadTime(b)-before)
			}
			slices.Sort(took)
			slices.Sort(worked)
			b.ReportMetric(float64(worked[len(worked)*99/100].Nanoseconds())/1000, "p99-cpu-us")
			for label, at := range map[string]int{"best-us": 0, "p50-us": len(took) / 2, "p90-us": len(took) * 9 / 10, "p99-us": len(took) * 99 / 100} {
				b.ReportMetric(float64(took[at].Nanoseconds())/1000, label)
			}
			b.ReportMetric(float64(took[0].Nanoseconds())/1000/32, "best-us/KB")
		})
	}
}

// BenchmarkSmall is what most calls cost: some sixty bytes each way, never the
// same twice.
func BenchmarkSmall(b *testing.B) {
	s := scope(b, durward.Guard{})
	number := func(raw []byte, at, n int) {
		for k := range 6 {
			raw[at-k] = byte('0' + n%10)
			n /= 10
		}
	}
	b.Run("arguments", func(b *testing.B) {
		raw, n := []byte(`{"id":"INV-2026-000000","fields":["total","status"],"limit":20}`), 0
		at := strings.IndexByte(string(raw), ',') - 2
		b.ReportAllocs()
		for b.Loop() {
			n++
			number(raw, at, n)
			if v := s.Arguments(raw); v.Effect != durward.Allow {
				b.Fatal(v.Findings)
			}
		}
	})
	b.Run("result", func(b *testing.B) {
		raw, n := []byte(`{"content":[{"type":"text","text":"Invoice 000000 is open, 129.90 EUR, due on Friday."}]}`), 0
		at := strings.Index(string(raw), " is open") - 1
		b.ReportAllocs()
		for b.Loop() {
			n++
			number(raw, at, n)
			if v := s.Read(raw, durward.Deny); v.Effect != durward.Allow {
				b.Fatal(v.Findings)
			}
		}
	})
}
