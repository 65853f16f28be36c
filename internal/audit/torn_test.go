package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"durward/internal/audit"
)

func tornFiles(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*.torn"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// copyLog copies the segments of a log to a new folder.
func copyLog(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	for _, s := range segments(t, from) {
		write(t, filepath.Join(to, filepath.Base(s)), read(t, s))
	}
	return to
}

func TestTornEndAtEveryByte(t *testing.T) {
	for n, step := range map[int]int{3: 1, 1: 29} { // behind others, and, in larger steps, alone in the log
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			whole := read(t, segments(t, logOf(t, n, audit.Options{}))[0])
			start := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
			dir := t.TempDir()
			for cut := start; cut < len(whole); cut += step {
				tornAt(t, dir, whole, start, cut, n)
			}
		})
	}
}

// tornAt tries a log whose record n, which begins at start, ends at cut.
func tornAt(t *testing.T, parent string, whole []byte, start, cut, n int) {
	t.Helper()
	dir := filepath.Join(parent, fmt.Sprint(cut))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "00000000000000000001.jsonl"), whole[:cut])
	rep := verify(t, dir)
	if rep.Records != uint64(n-1) || (rep.Torn != nil) != (cut > start) {
		t.Fatalf("cut at %d: Verify = %+v", cut, rep)
	}
	l := openOn(t, dir, audit.Options{}, &badDisk{unsafe: true})
	put(t, l, numbered(n), audit.Written)
	shut(t, l)
	if rep = verify(t, dir); rep.Records != uint64(n) || rep.Torn != nil {
		t.Fatalf("cut at %d, reopened: Verify = %+v", cut, rep)
	}
	if got := ids(t, dir, audit.Filter{}); !slices.Equal(got, callIDs(1, n)) {
		t.Fatalf("cut at %d: log holds %v", cut, got)
	}
	aside := tornFiles(t, dir)
	if cut == start {
		if len(aside) != 0 {
			t.Fatalf("nothing was torn, but %v was kept", aside)
		}
		return
	}
	if len(aside) != 1 || !bytes.Equal(read(t, aside[0]), whole[start:cut]) {
		t.Fatalf("cut at %d: the torn end was not kept: %v", cut, aside)
	}
}

func TestTornEndInANewSegment(t *testing.T) {
	dir := logOf(t, 12, audit.Options{SegmentBytes: 2 << 10})
	all := segments(t, dir)
	last := all[len(all)-1]
	line := read(t, last)
	line = line[:bytes.IndexByte(line, '\n')+1]
	write(t, last, line[:len(line)/2])
	before := verify(t, dir).Records
	l := open(t, dir, audit.Options{})
	put(t, l, numbered(99), audit.Durable)
	shut(t, l)
	if rep := verify(t, dir); rep.Records != before+1 {
		t.Errorf("Verify = %+v, want %d records", rep, before+1)
	}
}

func TestTornTwiceAtTheSameRecord(t *testing.T) {
	dir := logOf(t, 2, audit.Options{})
	for i := range 3 {
		whole := read(t, segments(t, dir)[0])
		write(t, segments(t, dir)[0], append(whole, `{"seq":3,"ti`...))
		shut(t, open(t, dir, audit.Options{}))
		if got := len(tornFiles(t, dir)); got != i+1 {
			t.Errorf("%d torn ends kept, want %d", got, i+1)
		}
	}
}

func TestBrokenSegmentIsNotContinued(t *testing.T) {
	dir := logOf(t, 5, audit.Options{})
	path := segments(t, dir)[0]
	whole := read(t, path)
	broken := bytes.Replace(whole, []byte(`"call-3"`), []byte(`"call-4"`), 1)
	write(t, path, broken)
	_, err := audit.Open(dir, audit.Options{})
	if err == nil {
		t.Fatal("Open continued a changed log")
	}
	for _, want := range []string{"line 3", "record 3", "changed", "durward audit verify", "move the folder away"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Open = %v, want %q in it", err, want)
		}
	}
	if !bytes.Equal(read(t, path), broken) {
		t.Error("Open touched the evidence")
	}
	write(t, path, whole)
	shut(t, open(t, dir, audit.Options{}))
}

func TestLogGoesOnWhenOldSegmentsWerePutElsewhere(t *testing.T) {
	dir := logOf(t, 40, audit.Options{SegmentBytes: 4 << 10})
	all := segments(t, dir)
	rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range all[:len(all)-1] {
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, dir, audit.Options{})
	put(t, l, numbered(41), audit.Durable)
	if l.Head().Seq != 41 {
		t.Errorf("Head = %+v, want 41", l.Head())
	}
	shut(t, l)
	if f := fault(t, dir, audit.VerifyOptions{}); f.Kind != audit.FaultMissing {
		t.Errorf("Verify = %v, want a missing segment", f)
	}
	if _, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{Head: rep.Head}); err == nil {
		t.Error("Verify of half a log is content")
	}
}

func TestSegmentMissingBeforeTheLastIsNotContinued(t *testing.T) {
	dir := logOf(t, 40, audit.Options{SegmentBytes: 4 << 10})
	all := segments(t, dir)
	if err := os.Remove(all[len(all)-2]); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(dir, audit.Options{}); err == nil || !strings.Contains(err.Error(), "missing_segment") {
		t.Errorf("Open = %v, want a missing segment", err)
	}
}

// TestTornEndBeforeAnEmptySegment: a rotation failed and left its file, the
// segment before it was written on, and a write there was cut off.
func TestTornEndBeforeAnEmptySegment(t *testing.T) {
	dir := logOf(t, 3, audit.Options{})
	path := segments(t, dir)[0]
	whole := read(t, path)
	write(t, path, append(whole, `{"seq":4,"ti`...))
	write(t, filepath.Join(dir, "00000000000000000003.jsonl"), nil)
	write(t, filepath.Join(dir, "00000000000000000004.jsonl"), nil)
	if rep := verify(t, dir); rep.Records != 3 || rep.Torn == nil {
		t.Errorf("Verify = %+v, want 3 records and a torn end", rep)
	}
	l := open(t, dir, audit.Options{})
	put(t, l, numbered(4), audit.Durable)
	shut(t, l)
	if rep := verify(t, dir); rep.Records != 4 || rep.Torn != nil {
		t.Errorf("Verify = %+v, want 4 records", rep)
	}
}

// TestEmptySegmentInTheMiddle: the same, and a later rotation succeeded.
func TestEmptySegmentInTheMiddle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l, s := sealed(t, dir, audit.Options{SegmentBytes: 4 << 10}, audit.SealOptions{})
	for i := range 30 {
		put(t, l, numbered(i+1), audit.Written)
	}
	shutSealed(t, l, s)
	write(t, filepath.Join(dir, "00000000000000000002.jsonl"), nil)
	l, s = sealed(t, dir, audit.Options{SegmentBytes: 4 << 10}, audit.SealOptions{})
	put(t, l, numbered(31), audit.Durable)
	shutSealed(t, l, s)
	if rep := verifyBy(t, dir, publicKey(t, dir)); rep.Records != 31 || rep.Tree.Uncovered != 0 {
		t.Errorf("Verify = %+v, %+v", rep, rep.Tree)
	}
	if got := ids(t, dir, audit.Filter{After: 2}); len(got) != 29 || got[0] != "call-3" {
		t.Errorf("after record 2 there are %v", got)
	}
}
