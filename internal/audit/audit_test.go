package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(appendUntilKilled(dir))
	}
	os.Exit(durwardtest.LeakFree(m))
}

// typical is a record as most calls leave it.
func typical() durward.Record {
	return durward.Record{
		Time: time.Date(2026, 11, 22, 10, 11, 12, 345678000, time.UTC), ID: "01JD9Z6K3V8Q4N7T2R5W1X0YBC",
		Lane: durward.LaneMCP, Agent: "support-bot", Key: "k_7f3a9c", Session: "9a1b5c3d7e2f40618a9b",
		Remote: "127.0.0.1:53122", Transport: "http", Protocol: "2025-11-25", Method: "tools/call",
		Upstream: "crm", Tool: "find_customer", Asked: "crm__find_customer",
		ArgsSHA256: "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
		Verdict:    "allow", Outcome: durward.OutcomeOK, LatencyUS: 1834, UpstreamUS: 1702, Revision: 12,
	}
}

func numbered(n int) *durward.Record {
	r := typical()
	r.ID = fmt.Sprintf("call-%d", n)
	r.Time = r.Time.Add(time.Duration(n) * time.Millisecond)
	return &r
}

func open(t testing.TB, dir string, o audit.Options) *audit.Log {
	t.Helper()
	l, err := audit.Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

func shut(t testing.TB, l *audit.Log) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func put(t testing.TB, l *audit.Log, r *durward.Record, m audit.Mode) {
	t.Helper()
	if err := l.Append(t.Context(), r, m); err != nil {
		t.Fatalf("Append(%s): %v", r.ID, err)
	}
}

// logOf writes a log of n records and closes it.
func logOf(t testing.TB, n int, o audit.Options) string {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, o)
	for i := range n {
		put(t, l, numbered(i+1), audit.Written)
	}
	shut(t, l)
	return dir
}

func verify(t testing.TB, dir string) audit.Report {
	t.Helper()
	rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{})
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return rep
}

func fault(t testing.TB, dir string, o audit.VerifyOptions) *audit.Fault {
	t.Helper()
	_, err := audit.Verify(t.Context(), dir, o)
	var f *audit.Fault
	if !errors.As(err, &f) {
		t.Fatalf("Verify = %v, want a fault", err)
	}
	return f
}

func segments(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // a file that is overwritten costs a sync
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func ids(t testing.TB, dir string, f audit.Filter) []string {
	t.Helper()
	var all []string
	for e, err := range audit.Read(t.Context(), dir, f) {
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		r, err := e.Record()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.ID)
	}
	return all
}

func callIDs(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprintf("call-%d", i))
	}
	return all
}

func TestRoundTripThroughReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	for run := range 3 {
		l := open(t, dir, audit.Options{})
		for i := range 3 {
			r := numbered(run*3 + i + 1)
			mode := []audit.Mode{audit.Durable, audit.Written, audit.Batched}[i]
			put(t, l, r, mode)
			if want := uint64(run*3 + i + 1); mode != audit.Batched && r.Seq != want {
				t.Errorf("Seq = %d, want %d", r.Seq, want)
			}
		}
		shut(t, l)
		if got, want := l.Head().Seq, uint64(run*3+3); got != want {
			t.Errorf("Head().Seq = %d, want %d", got, want)
		}
	}
	if got, want := ids(t, dir, audit.Filter{}), callIDs(1, 9); !slices.Equal(got, want) {
		t.Errorf("log holds %v, want %v", got, want)
	}
	rep := verify(t, dir)
	if rep.Records != 9 || rep.FirstSeq != 1 || rep.LastSeq != 9 || rep.Torn != nil {
		t.Errorf("Verify = %+v", rep)
	}
	if want := numbered(9).Time; !rep.LastTime.Equal(want) {
		t.Errorf("LastTime = %v, want %v", rep.LastTime, want)
	}
}

func TestLinesAreChainedAsDocumented(t *testing.T) {
	dir := logOf(t, 3, audit.Options{})
	prev := strings.Repeat("0", 64)
	for i, raw := range strings.Split(strings.TrimSpace(string(read(t, segments(t, dir)[0]))), "\n") {
		var r durward.Record
		if err := json.Unmarshal([]byte(raw), &r); err != nil {
			t.Fatal(err)
		}
		covered, _, _ := strings.Cut(raw, `,"hash":`)
		if r.Seq != uint64(i+1) || r.Prev != prev || r.Hash != hashOf(covered) {
			t.Errorf("line %d is not chained: %s", i+1, raw)
		}
		prev = r.Hash
	}
}

func TestRotationKeepsOneChain(t *testing.T) {
	dir := logOf(t, 40, audit.Options{SegmentBytes: 4 << 10})
	if n := len(segments(t, dir)); n < 5 {
		t.Fatalf("%d segments, want several", n)
	}
	if rep := verify(t, dir); rep.Records != 40 || rep.Segments != len(segments(t, dir)) {
		t.Errorf("Verify = %+v", rep)
	}
	if got := ids(t, dir, audit.Filter{}); !slices.Equal(got, callIDs(1, 40)) {
		t.Errorf("log holds %v", got)
	}
	l := open(t, dir, audit.Options{SegmentBytes: 4 << 10})
	put(t, l, numbered(41), audit.Durable)
	shut(t, l)
	if rep := verify(t, dir); rep.Records != 41 {
		t.Errorf("Verify after reopen = %+v", rep)
	}
}

func TestRotationByAgeWhateverTheClockSays(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	old := numbered(1)
	old.Time = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	put(t, l, old, audit.Durable)
	shut(t, l)

	l = open(t, dir, audit.Options{}) // the segment is older than a day
	future := numbered(2)
	future.Time = time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)
	put(t, l, future, audit.Durable)
	shut(t, l)

	l = open(t, dir, audit.Options{}) // the segment begins in the future
	put(t, l, numbered(3), audit.Durable)
	put(t, l, old, audit.Durable)
	shut(t, l)

	if n := len(segments(t, dir)); n != 2 {
		t.Errorf("%d segments, want 2", n)
	}
	rep := verify(t, dir)
	if rep.Records != 4 || rep.Back < 199*365*24*time.Hour {
		t.Errorf("Verify = %+v, want 4 records and a great step back", rep)
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	_, err := audit.Open(dir, audit.Options{})
	if !errors.Is(err, audit.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open = %v, want ErrLocked with our pid", err)
	}
	shut(t, l)
	shut(t, open(t, dir, audit.Options{}))
}

func TestClosedLogRefuses(t *testing.T) {
	l := open(t, t.TempDir(), audit.Options{})
	shut(t, l)
	err := l.Append(t.Context(), numbered(1), audit.Batched)
	if e := durward.AsError(err); e.Reason != durward.ReasonShutdown {
		t.Errorf("Append after Close = %v", err)
	}
	if l.Ready() == nil {
		t.Error("Ready after Close = nil")
	}
}

func TestFolderThatCannotBeMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, nil)
	if _, err := audit.Open(filepath.Join(path, "audit"), audit.Options{}); err == nil {
		t.Error("Open below a file succeeded")
	}
}

func TestBatchedIsWrittenSoonWithoutAnyoneWaiting(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{FlushEvery: time.Millisecond})
	put(t, l, numbered(1), audit.Batched)
	for e, err := range audit.Tail(t.Context(), dir, audit.TailOptions{N: 1, Follow: true}) {
		if err != nil || e.Seq != 1 {
			t.Errorf("Tail = %d, %v", e.Seq, err)
		}
		break
	}
}
