package audit_test

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"durward"
	"durward/internal/audit"
)

// whole is a second opinion on a log, as naive as can be: it returns how many
// lines from the first on are good.
func whole(log []byte) (n int) {
	prev := strings.Repeat("0", 64)
	for raw := range strings.Lines(string(log)) {
		raw, complete := strings.CutSuffix(raw, "\n")
		i := strings.LastIndex(raw, `,"hash":"`)
		var r durward.Record
		if !complete || i < 0 || json.Unmarshal([]byte(raw), &r) != nil ||
			r.Seq != uint64(n+1) || r.Prev != prev || r.Hash != hashOf(raw[:i]) {
			return n
		}
		n, prev = n+1, r.Hash
	}
	return n
}

func FuzzVerify(f *testing.F) {
	good := join(linesOf(f, logOf(f, 3, audit.Options{})))
	f.Add(good)
	f.Add(good[:len(good)-5])
	f.Add([]byte("{}\n"))
	f.Add([]byte{})
	f.Add([]byte(`{"seq":1,"time":"` + strings.Repeat("0", 200) + `"}`))
	f.Fuzz(func(t *testing.T, log []byte) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "00000000000000000001.jsonl"), log)
		rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{})
		n := whole(log)
		lines := bytes.Count(log, []byte("\n"))
		if err == nil && (rep.Records != uint64(lines) || n != lines || (rep.Torn != nil) != (len(log) > 0 && log[len(log)-1] != '\n')) {
			t.Fatalf("Verify = %+v of a log with %d lines, of which %d are good", rep, lines, n)
		}
		if err != nil && rep.Records > uint64(n) {
			t.Fatalf("Verify = %+v, %v of a log with %d good lines", rep, err, n)
		}
		_ = audit.Export(t.Context(), dir, audit.Filter{Agent: "x", Outcome: "ok"}, io.Discard) // must not panic
		for range audit.Tail(t.Context(), dir, audit.TailOptions{N: 2}) {
		}
		if l, err := audit.Open(dir, audit.Options{}); err == nil {
			put(t, l, numbered(1), audit.Written)
			shut(t, l)
		}
	})
}

// FuzzTamper changes a good log in one place: whatever it is, a log that still
// contains the old head has the old lines untouched.
func FuzzTamper(f *testing.F) {
	dir := logOf(f, 5, audit.Options{})
	head := verify(f, dir).Head
	good := join(linesOf(f, dir))
	f.Add(100, 10, []byte("x"))
	f.Add(0, 0, []byte("{}\n"))
	f.Add(len(good)-1, 1, []byte{})
	f.Add(700, 700, []byte{})
	f.Fuzz(func(t *testing.T, at, cut int, put []byte) {
		if at < 0 || at > len(good) || cut < 0 || cut > len(good)-at {
			return
		}
		bad := append(append(bytes.Clone(good[:at]), put...), good[at+cut:]...)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "00000000000000000001.jsonl"), bad)
		rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{Head: head})
		if err == nil && !bytes.HasPrefix(bad, good) {
			t.Fatalf("Verify = %+v of a log that was changed at %d (-%d +%q)", rep, at, cut, put)
		}
	})
}
