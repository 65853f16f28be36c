package audit_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"durward"
	"durward/internal/audit"
)

func begin(t testing.TB, l *audit.Log, n int) *durward.Record {
	t.Helper()
	r := numbered(n)
	if err := l.Begin(t.Context(), r); err != nil {
		t.Fatalf("Begin(%s): %v", r.ID, err)
	}
	return r
}

func records(t testing.TB, dir string, f audit.Filter) []durward.Record {
	t.Helper()
	var all []durward.Record
	for e, err := range audit.Read(t.Context(), dir, f) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Record()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// copied is the folder as a kill would leave it: nobody says goodbye.
func killed(t testing.TB, dir string) string {
	t.Helper()
	left := t.TempDir()
	for _, path := range segments(t, dir) {
		write(t, left+path[len(dir):], read(t, path))
	}
	return left
}

func TestIntentIsNoRecordUntilItsCallIsClosed(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	a, b := begin(t, l, 1), begin(t, l, 2)
	if a.Intent != 1 || b.Intent != 2 {
		t.Errorf("intents at %d and %d, want 1 and 2", a.Intent, b.Intent)
	}
	put(t, l, a, audit.Durable)
	put(t, l, numbered(3), audit.Durable)
	if got, want := ids(t, dir, audit.Filter{}), []string{"call-1", "call-3"}; !slices.Equal(got, want) {
		t.Errorf("the log holds %v, want %v", got, want)
	}
	left := killed(t, dir)
	for range 2 { // and only once
		shut(t, open(t, left, audit.Options{}))
	}
	all := records(t, left, audit.Filter{})
	if len(all) != 3 || all[2].ID != "call-2" || all[2].Outcome != durward.OutcomeUnknown || all[2].Intent != 2 || all[2].Tool != b.Tool ||
		all[2].Reason != durward.ReasonCutOff || all[2].ArgsSHA256 != b.ArgsSHA256 || !all[2].Time.Equal(b.Time) {
		t.Errorf("after the kill: %+v", all)
	}
	verify(t, left)
	put(t, l, b, audit.Durable)
	shut(t, l)
	shut(t, open(t, dir, audit.Options{}))
	if got := ids(t, dir, audit.Filter{}); len(got) != 3 {
		t.Errorf("without a kill: %v", got)
	}
}

// TestIntentsOutliveTheirSegments leaves calls open over many segments.
func TestIntentsOutliveTheirSegments(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{SegmentBytes: 4 << 10})
	long, other := begin(t, l, 1), begin(t, l, 2)
	for i := range 100 {
		r := begin(t, l, 10+i)
		put(t, l, r, audit.Durable)
		if i == 60 {
			put(t, l, other, audit.Durable)
		}
		if i%20 == 7 {
			left := killed(t, dir)
			shut(t, open(t, left, audit.Options{}))
			var unknown []string
			for _, r := range records(t, left, audit.Filter{Outcome: "unknown"}) {
				unknown = append(unknown, r.ID)
			}
			want := []string{"call-1", "call-2"}
			if i > 60 {
				want = want[:1]
			}
			if slices.Sort(unknown); !slices.Equal(unknown, want) {
				t.Errorf("after %d calls: cut off are %v, want %v", i+1, unknown, want)
			}
			verify(t, left)
		}
	}
	put(t, l, long, audit.Durable)
	shut(t, l)
	if len(segments(t, dir)) < 10 {
		t.Fatalf("only %d segments", len(segments(t, dir)))
	}
	shut(t, open(t, dir, audit.Options{}))
	verify(t, dir)
	if got := ids(t, dir, audit.Filter{}); len(got) != 102 {
		t.Errorf("%d records, want 102", len(got))
	}
}

// TestAnnouncedCallIsRecordedAlthoughTheDiskRefused: the call was made, its
// caller heard of the failure, and the record comes when the disk lets it.
func TestAnnouncedCallIsRecordedAlthoughTheDiskRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, d := t.TempDir(), &badDisk{}
		l := openOn(t, dir, audit.Options{}, d)
		first, second := begin(t, l, 1), begin(t, l, 2)
		d.set(func(d *badDisk) { d.full = true })
		wantUnavailable(t, "Append of the first", l.Append(t.Context(), first, audit.Durable), syscall.ENOSPC)
		wantUnavailable(t, "Append of the second", l.Append(t.Context(), second, audit.Durable), syscall.ENOSPC)
		wantUnavailable(t, "Begin", l.Begin(t.Context(), numbered(3)), syscall.ENOSPC)
		d.set(func(d *badDisk) { d.full = false })
		time.Sleep(time.Minute)
		shut(t, l)
		got := ids(t, dir, audit.Filter{})
		if slices.Sort(got); !slices.Equal(got, []string{"call-1", "call-2"}) {
			t.Errorf("the log holds %v", got)
		}
		if n := len(records(t, dir, audit.Filter{Outcome: "unknown"})); n != 0 {
			t.Errorf("%d calls are unknown", n)
		}
		shut(t, open(t, dir, audit.Options{}))
		verify(t, dir)
	})
}

// TestLongCallIsNoClockThatJumpedBack: a record has the time when its call
// began, and its place from when it ended.
func TestLongCallIsNoClockThatJumpedBack(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i, call := range []struct{ at, took time.Duration }{
		{4 * time.Minute, time.Second}, {0, 5 * time.Minute}, {6 * time.Minute, 0},
	} {
		r := numbered(i)
		r.Time, r.LatencyUS = now.Add(call.at), call.took.Microseconds()
		r.Args = []byte(`{"a":1,"latency_us":7}`)
		put(t, l, r, audit.Durable)
	}
	shut(t, l)
	if rep := verify(t, dir); rep.Back != 0 {
		t.Errorf("Back = %s, but no clock was set back", rep.Back)
	}
}

// TestClockThatJumpsBack: the order of the log is that of its numbers.
func TestClockThatJumpsBack(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i, at := range []time.Duration{0, time.Second, -3 * time.Hour, -3*time.Hour + time.Second} {
		r := numbered(i)
		r.Time, r.LatencyUS = now.Add(at), 0
		put(t, l, r, audit.Durable)
	}
	shut(t, l)
	shut(t, open(t, dir, audit.Options{}))
	rep := verify(t, dir)
	if rep.Back != 3*time.Hour+time.Second {
		t.Errorf("Back = %s, want to hear of the jump", rep.Back)
	}
	if got := ids(t, dir, audit.Filter{}); !slices.Equal(got, []string{"call-0", "call-1", "call-2", "call-3"}) {
		t.Errorf("order %v", got)
	}
}

func BenchmarkMust(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l := open(b, b.TempDir(), audit.Options{})
			b.SetParallelism(max(1, callers/2))
			var n atomic.Int64
			call := func() error {
				r := numbered(int(n.Add(1)))
				if err := l.Begin(context.Background(), r); err != nil {
					return err
				}
				return l.Append(context.Background(), r, audit.Durable)
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := call(); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
