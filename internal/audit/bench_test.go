package audit_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"durward"
	"durward/internal/audit"
)

func BenchmarkEncode(b *testing.B) {
	withFinding := typical()
	withFinding.Findings = []durward.Finding{{Rule: "pii.email", Vector: "tool_args", Severity: "low", Score: 0.42, Where: "/query", Evidence: "a***@example.com"}}
	withArgs := typical()
	withArgs.Args = []byte(`{"query":"[string 12]","limit":10,"tags":["[string 4]","[string 6]"]}`)
	for name, r := range map[string]durward.Record{"typical": typical(), "finding": withFinding, "args": withArgs} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = audit.AppendJSON(buf[:0], &r)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	modes := map[string]audit.Mode{"durable": audit.Durable, "written": audit.Written, "batched": audit.Batched}
	for _, name := range []string{"durable", "written", "batched"} {
		for _, callers := range []int{1, 32, 64, 256} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				l := open(b, b.TempDir(), audit.Options{})
				b.ReportAllocs()
				b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS, two here
				if callers == 1 {
					appendLoop(b, l, modes[name])
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					r := typical()
					for pb.Next() {
						if err := l.Append(context.Background(), &r, modes[name]); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

func appendLoop(b *testing.B, l *audit.Log, m audit.Mode) {
	r := typical()
	for b.Loop() {
		if err := l.Append(context.Background(), &r, m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// bigLog writes a log of n records for the readers.
func bigLog(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	l := open(b, dir, audit.Options{})
	for i := range n {
		put(b, l, numbered(i), audit.Batched)
	}
	shut(b, l)
	return dir
}

func BenchmarkVerify(b *testing.B) {
	const n = 100_000
	dir := bigLog(b, n)
	b.ReportAllocs()
	for b.Loop() {
		verify(b, dir)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkVerifySealed also hashes the tree and checks each checkpoint.
func BenchmarkVerifySealed(b *testing.B) {
	const n = 100_000
	dir := filepath.Join(b.TempDir(), "audit")
	l, s := sealed(b, dir, audit.Options{}, audit.SealOptions{Records: 5000})
	for i := range n {
		put(b, l, numbered(i), audit.Batched)
	}
	shutSealed(b, l, s)
	key := publicKey(b, dir)
	for b.Loop() {
		verifyBy(b, dir, key)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkAppendSealed appends while the seal follows.
func BenchmarkAppendSealed(b *testing.B) {
	for _, m := range []struct {
		name string
		mode audit.Mode
	}{{"durable", audit.Durable}, {"batched", audit.Batched}} {
		b.Run(m.name+"/callers=64", func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "audit")
			l, s := sealed(b, dir, audit.Options{}, audit.SealOptions{})
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				r := typical()
				for pb.Next() {
					if err := l.Append(context.Background(), &r, m.mode); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			shutSealed(b, l, s)
		})
	}
}

func BenchmarkExport(b *testing.B) {
	const n = 100_000
	dir := bigLog(b, n)
	for name, f := range map[string]audit.Filter{"all": {}, "agent": {Agent: "support-bot"}, "other": {Agent: "other"}, "since": {Since: numbered(n - 10).Time}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := audit.Export(b.Context(), dir, f, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkOpen opens a log whose last segment is full.
func BenchmarkOpen(b *testing.B) {
	dir := bigLog(b, 42_000)
	for b.Loop() {
		l, err := audit.Open(dir, audit.Options{})
		if err != nil {
			b.Fatal(err)
		}
		shut(b, l)
	}
}
