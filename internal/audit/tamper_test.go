package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"durward/internal/audit"
)

// linesOf returns the lines of a one-segment log, each with its line break.
func linesOf(t testing.TB, dir string) [][]byte {
	t.Helper()
	all := segments(t, dir)
	if len(all) != 1 {
		t.Fatalf("%d segments, want one", len(all))
	}
	lines := bytes.SplitAfter(read(t, all[0]), []byte("\n"))
	return lines[:len(lines)-1]
}

func join(parts ...[][]byte) []byte { return bytes.Join(slices.Concat(parts...), nil) }

// reforged is a line whose content was changed and whose hash fits again.
func reforged(raw []byte, from, to string) []byte {
	covered, _, _ := strings.Cut(string(raw), `,"hash":`)
	covered = strings.Replace(covered, from, to, 1)
	return []byte(covered + `,"hash":"` + hashOf(covered) + "\"}\n")
}

// TestEveryFlippedByteIsFoundAndLocated flips each byte of a small log to
// several others.
func TestEveryFlippedByteIsFoundAndLocated(t *testing.T) {
	dir := logOf(t, 4, audit.Options{})
	lines := linesOf(t, dir)
	path := segments(t, dir)[0]
	whole := join(lines)
	line, start := 1, 0
	for i := range whole {
		for _, flip := range []byte{0x01, 0x20, whole[i], whole[i] ^ '\n'} { // another letter, other case, zero, a line break
			if flip == 0 {
				continue
			}
			changed := bytes.Clone(whole)
			changed[i] ^= flip
			write(t, path, changed)
			f := fault(t, dir, audit.VerifyOptions{})
			if f.Kind != audit.FaultChanged || f.Line != line || f.Offset != int64(start) || f.Seq != uint64(line) || f.Segment != filepath.Base(path) {
				t.Fatalf("byte %d of line %d flipped by %#x: %v", i-start, line, flip, f)
			}
		}
		if whole[i] == '\n' {
			line, start = line+1, i+1
		}
	}
}

func TestTamperedLinesAreFoundAndLocated(t *testing.T) {
	dir := logOf(t, 8, audit.Options{})
	l := linesOf(t, dir)
	junk := [][]byte{[]byte("{}\n")}
	for name, c := range map[string]struct {
		log  []byte
		kind audit.FaultKind
		line int

		sealed bool
	}{
		"first line removed":             {join(l[1:]), audit.FaultRemoved, 1, false},
		"one removed":                    {join(l[:3], l[4:]), audit.FaultRemoved, 4, false},
		"three removed":                  {join(l[:3], l[6:]), audit.FaultRemoved, 4, false},
		"neighbours swapped":             {join(l[:3], l[4:5], l[3:4], l[5:]), audit.FaultReordered, 4, false},
		"moved to the end":               {join(l[:3], l[4:], l[3:4]), audit.FaultReordered, 4, false},
		"moved forward":                  {join(l[:2], l[6:7], l[2:6], l[7:]), audit.FaultReordered, 3, false},
		"first and last swapped":         {join(l[7:], l[1:7], l[:1]), audit.FaultReordered, 1, false},
		"doubled":                        {join(l[:3], l[2:]), audit.FaultInserted, 4, false},
		"an old one again":               {join(l[:6], l[1:2], l[6:]), audit.FaultInserted, 7, false},
		"a later one early":              {join(l[:2], l[6:7], l[2:]), audit.FaultInserted, 3, false},
		"junk between":                   {join(l[:3], junk, l[3:]), audit.FaultInserted, 4, false},
		"empty line":                     {join(l[:3], [][]byte{[]byte("\n")}, l[3:]), audit.FaultInserted, 4, false},
		"junk before":                    {join(junk, l), audit.FaultInserted, 1, false},
		"junk behind":                    {join(l, junk), audit.FaultChanged, 9, false},
		"junk in place of one":           {join(l[:3], junk, l[4:]), audit.FaultChanged, 4, false},
		"replaced, hash and all":         {join(l[:3], [][]byte{reforged(l[3], "call-4", "call-5")}, l[4:]), audit.FaultChanged, 4, false},
		"first replaced, hash and all":   {join([][]byte{reforged(l[0], "call-1", "call-5")}, l[1:]), audit.FaultChanged, 1, false},
		"link replaced, hash and all":    {join(l[:3], [][]byte{reforged(l[3], `"prev":"`, `"prev":"0`)}, l[4:]), audit.FaultChanged, 4, false},
		"no JSON, hash and all":          {join(l[:7], [][]byte{reforged(l[7], `"id":`, `"id"`)}), audit.FaultChanged, 8, true},
		"seq replaced, hash and all":     {join(l[:3], [][]byte{reforged(l[3], `"seq":4`, `"seq":5`)}, l[4:]), audit.FaultRemoved, 4, false},
		"line break removed":             {join(l[:3], [][]byte{l[3][:len(l[3])-1]}, l[4:]), audit.FaultChanged, 4, false},
		"carriage return added":          {join(l[:3], [][]byte{append(bytes.Clone(l[3][:len(l[3])-1]), "\r\n"...)}, l[4:]), audit.FaultChanged, 4, false},
		"megabytes without a line break": {join(l[:3], [][]byte{bytes.Repeat([]byte("x"), 3<<20)}), audit.FaultChanged, 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			bad := t.TempDir()
			write(t, filepath.Join(bad, "00000000000000000001.jsonl"), c.log)
			f := fault(t, bad, audit.VerifyOptions{})
			if f.Kind != c.kind || f.Line != c.line {
				t.Errorf("Verify = %v, want line %d %s", f, c.line, c.kind)
			}
			if lines := bytes.SplitAfter(c.log, []byte("\n")); f.Offset != int64(len(join(lines[:f.Line-1]))) {
				t.Errorf("Verify locates it at byte %d", f.Offset)
			}
			if c.sealed {
				return // Open checks hashes, not what they cover
			}
			if _, err := audit.Open(bad, audit.Options{}); err == nil {
				t.Error("Open continued it")
			}
		})
	}
}

// TestTheForgerNeedsTheWholeRest shows what the chain alone can and cannot do:
// who writes all lines anew from some point on passes, unless the head is known.
func TestTheForgerNeedsTheWholeRest(t *testing.T) {
	dir := logOf(t, 5, audit.Options{})
	head := verify(t, dir).Head
	l := linesOf(t, dir)
	write(t, segments(t, dir)[0], join(l[:4], [][]byte{reforged(l[4], "call-5", "call-6")}))
	verify(t, dir)
	if f := fault(t, dir, audit.VerifyOptions{Head: head}); f.Kind != audit.FaultTruncated {
		t.Errorf("Verify with the head = %v", f)
	}
}

func TestTruncationIsFoundByTheHead(t *testing.T) {
	dir := logOf(t, 6, audit.Options{})
	rep := verify(t, dir)
	l := linesOf(t, dir)
	for n := range 7 {
		write(t, segments(t, dir)[0], join(l[:n]))
		_, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{Head: strings.ToUpper(rep.Head)})
		var f *audit.Fault
		if found := errors.As(err, &f) && f.Kind == audit.FaultTruncated && f.Seq == uint64(n+1); found != (n < 6) {
			t.Errorf("%d of 6 lines left: Verify = %v", n, err)
		}
	}
	write(t, segments(t, dir)[0], join(l))
	l4 := verify(t, logOf(t, 4, audit.Options{})).Head // the same records have the same hashes
	if got, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{Head: l4}); err != nil || got.HeadSeq != 4 {
		t.Errorf("Verify with an older head = %+v, %v", got, err)
	}
	for _, o := range []audit.VerifyOptions{{Head: "12"}, {Head: strings.Repeat("x", 64)}, {After: audit.Head{Seq: 1}}} {
		if _, err := audit.Verify(t.Context(), dir, o); err == nil || errors.As(err, new(*audit.Fault)) {
			t.Errorf("Verify(%+v) = %v, want a complaint about the option", o, err)
		}
	}
}

func TestVerifyBehindAKnownRecord(t *testing.T) {
	dir := logOf(t, 40, audit.Options{SegmentBytes: 4 << 10})
	all := segments(t, dir)
	var before audit.Head
	for e, err := range audit.Read(t.Context(), dir, audit.Filter{}) {
		r, decodeErr := e.Record()
		if err != nil || decodeErr != nil {
			t.Fatal(err, decodeErr)
		}
		if filepath.Base(all[1]) == fmt.Sprintf("%020d.jsonl", r.Seq+1) {
			before = audit.Head{Seq: r.Seq, Hash: r.Hash}
		}
	}
	if err := os.Remove(all[0]); err != nil {
		t.Fatal(err)
	}
	rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{After: before})
	if err != nil || rep.FirstSeq != before.Seq+1 || rep.LastSeq != 40 {
		t.Errorf("Verify = %+v, %v", rep, err)
	}
}

func TestTamperedSegmentsAreFound(t *testing.T) {
	pristine := logOf(t, 40, audit.Options{SegmentBytes: 4 << 10})
	n := len(segments(t, pristine))
	for name, c := range map[string]struct {
		tamper func(t *testing.T, s []string)
		kind   audit.FaultKind
	}{
		"first removed":  {func(t *testing.T, s []string) { remove(t, s[0]) }, audit.FaultMissing},
		"middle removed": {func(t *testing.T, s []string) { remove(t, s[2]) }, audit.FaultMissing},
		"two removed":    {func(t *testing.T, s []string) { remove(t, s[1]); remove(t, s[2]) }, audit.FaultMissing},
		"middle emptied": {func(t *testing.T, s []string) { write(t, s[2], nil) }, audit.FaultMissing},
		"swapped": {func(t *testing.T, s []string) {
			a, b := read(t, s[1]), read(t, s[2])
			write(t, s[1], b)
			write(t, s[2], a)
		}, audit.FaultReordered},
		"renamed to the end": {func(t *testing.T, s []string) { move(t, s[1], s[0][:len(s[0])-8]+"99.jsonl") }, audit.FaultReordered},
		"renamed a little":   {func(t *testing.T, s []string) { move(t, s[1], s[1][:len(s[1])-7]+"9.jsonl") }, audit.FaultReordered},
		"copied":             {func(t *testing.T, s []string) { write(t, s[0][:len(s[0])-8]+"99.jsonl", read(t, s[1])) }, audit.FaultInserted},
		"end cut off":        {func(t *testing.T, s []string) { b := read(t, s[1]); write(t, s[1], b[:len(b)-700]) }, audit.FaultChanged},
		"last line cut off": {func(t *testing.T, s []string) {
			b := read(t, s[1])
			write(t, s[1], b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1])
		}, audit.FaultMissing},
		"first line cut off": {func(t *testing.T, s []string) {
			b := read(t, s[1])
			write(t, s[1], b[bytes.IndexByte(b, '\n')+1:])
		}, audit.FaultRemoved},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyLog(t, pristine)
			if verify(t, dir).Segments != n {
				t.Fatal("the copy is incomplete")
			}
			c.tamper(t, segments(t, dir))
			if f := fault(t, dir, audit.VerifyOptions{}); f.Kind != c.kind {
				t.Errorf("Verify = %v, want %s", f, c.kind)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyWithoutALog(t *testing.T) {
	if _, err := audit.Verify(t.Context(), filepath.Join(t.TempDir(), "none"), audit.VerifyOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Verify = %v, want to hear that there is none", err)
	}
	if rep := verify(t, t.TempDir()); rep.Records != 0 || rep.Head != strings.Repeat("0", 64) {
		t.Errorf("Verify of an empty folder = %+v", rep)
	}
}
