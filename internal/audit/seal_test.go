package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"durward/internal/audit"
	"durward/internal/audit/merkle"
)

// sealed opens a log in dir and its seal; the key lies beside the folder.
func sealed(t testing.TB, dir string, o audit.Options, so audit.SealOptions) (*audit.Log, *audit.Sealer) {
	t.Helper()
	l := open(t, dir, o)
	so.Key = dir + ".key"
	s, err := audit.Seal(l, dir, so)
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return l, s
}

func shutSealed(t testing.TB, l *audit.Log, s *audit.Sealer) {
	t.Helper()
	shut(t, l)
	if err := s.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// sealedLog writes a sealed log of n records in segments of some size.
func sealedLog(t testing.TB, n int, segment int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	l, s := sealed(t, dir, audit.Options{SegmentBytes: segment}, audit.SealOptions{Every: time.Hour, Records: 1 << 40})
	for i := range n {
		put(t, l, numbered(i+1), audit.Written)
		if i == n/3 {
			checkpoint(t, l, s)
		}
	}
	shutSealed(t, l, s)
	return dir
}

// checkpoint signs all that there is.
func checkpoint(t testing.TB, l *audit.Log, s *audit.Sealer) merkle.Checkpoint {
	t.Helper()
	put(t, l, numbered(9999), audit.Durable)
	c, err := s.Checkpoint(t.Context())
	if err != nil || uint64(c.N) != l.Head().Seq {
		t.Fatalf("Checkpoint = %d, %v, want %d", c.N, err, l.Head().Seq)
	}
	return c
}

func publicKey(t testing.TB, dir string) string {
	t.Helper()
	keys, err := audit.ReadKeys(dir)
	if err != nil || len(keys) == 0 {
		t.Fatalf("ReadKeys = %v, %v", keys, err)
	}
	return keys[0].Key
}

func verifyBy(t testing.TB, dir, key string) audit.Report {
	t.Helper()
	rep, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{Keys: []string{key}})
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return rep
}

func TestSealedLogIsCoveredToItsEnd(t *testing.T) {
	for _, n := range []int{0, 1, 2, 255, 256, 257, 700, 3000} {
		dir := sealedLog(t, n, 64<<10)
		rep := verifyBy(t, dir, publicKey(t, dir))
		if n == 0 {
			continue
		}
		if rep.Tree == nil || rep.Tree.Uncovered != 0 || uint64(rep.Tree.Size) != rep.Records || !rep.Tree.Trusted {
			t.Errorf("%d records: %+v, tree %+v", n, rep, rep.Tree)
		}
	}
}

func TestSealingGoesOnAfterEveryRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		l, s := sealed(t, dir, audit.Options{SegmentBytes: 32 << 10}, audit.SealOptions{Records: 100})
		for i := range rnd.IntN(400) {
			put(t, l, numbered(i), audit.Written)
		}
		shutSealed(t, l, s)
		verifyBy(t, dir, publicKey(t, dir))
	}
	history, err := audit.History(dir)
	if err != nil || len(history) < 5 {
		t.Fatalf("History = %d, %v", len(history), err)
	}
	for i := 1; i < len(history); i++ {
		p, err := audit.ProveConsistency(dir, []byte(history[i-1].Note), []byte(history[i].Note))
		if err != nil {
			t.Fatalf("ProveConsistency(%d, %d): %v", history[i-1].Size, history[i].Size, err)
		}
		if _, err := p.Check(publicKey(t, dir)); err != nil {
			t.Errorf("Check: %v", err)
		}
	}
}

// TestTilesAreMadeAnewFromTheLines takes tiles away, as a loss of power may.
func TestTilesAreMadeAnewFromTheLines(t *testing.T) {
	dir := sealedLog(t, 700, 64<<10)
	for _, harm := range []func(){
		func() { _ = os.RemoveAll(filepath.Join(dir, "tile")) },
		func() { write(t, filepath.Join(dir, "tile/0/002.p/189"), make([]byte, 189*32)) },
	} {
		harm()
		l, s := sealed(t, dir, audit.Options{}, audit.SealOptions{Every: time.Hour})
		put(t, l, numbered(1), audit.Durable)
		shutSealed(t, l, s)
		verifyBy(t, dir, publicKey(t, dir))
	}
}

// reforge writes the log anew from some line on: a change, and hashes that fit.
func reforge(t *testing.T, dir string, from, to string) (line int) {
	t.Helper()
	path := segments(t, dir)[0]
	var out [][]byte
	prev := ""
	for i, raw := range bytes.SplitAfter(read(t, path), []byte("\n")) {
		if len(raw) == 0 {
			break
		}
		covered, _, _ := strings.Cut(string(raw), `,"hash":`)
		if line == 0 && strings.Contains(covered, from) {
			covered, line = strings.Replace(covered, from, to, 1), i+1
		}
		if line > 0 && prev != "" {
			at := strings.LastIndex(covered, `"prev":"`)
			covered = covered[:at] + `"prev":"` + prev + `"`
		}
		prev = hashOf(covered)
		out = append(out, []byte(covered+`,"hash":"`+prev+"\"}\n"))
	}
	if line == 0 {
		t.Fatalf("%q is nowhere", from)
	}
	write(t, path, bytes.Join(out, nil))
	return line
}

// TestForgedChainIsFoundByTheTree meets somebody who can write the folder and
// makes the whole chain fit.
func TestForgedChainIsFoundByTheTree(t *testing.T) {
	dir := sealedLog(t, 40, 1<<20)
	key := publicKey(t, dir)
	line := reforge(t, dir, `"id":"call-17","lane":"mcp","agent":"support-bot"`, `"id":"call-17","lane":"mcp","agent":"somebody-1"`)
	f := fault(t, dir, audit.VerifyOptions{Keys: []string{key}})
	if f.Kind != audit.FaultChanged || f.Line != line || f.Seq != uint64(line) {
		t.Errorf("Verify = %v, want a change in line %d", f, line)
	}
	// With the tiles gone it is still found, if not to the line.
	if err := os.RemoveAll(filepath.Join(dir, "tile")); err != nil {
		t.Fatal(err)
	}
	f = fault(t, dir, audit.VerifyOptions{Keys: []string{key}})
	if f.Kind != audit.FaultChanged || f.Seq == 0 || f.Seq > uint64(line) {
		t.Errorf("Verify without tiles = %v", f)
	}
	// A gateway makes the tree anew from the lines, and will not sign it.
	l, s := sealed(t, dir, audit.Options{}, audit.SealOptions{Every: time.Hour})
	put(t, l, numbered(1), audit.Durable)
	if _, err := s.Checkpoint(t.Context()); err == nil || s.Ready() == nil {
		t.Errorf("Checkpoint over a forged log = %v, Ready = %v", err, s.Ready())
	}
	shutSealed(t, l, s)
}

// TestForgerWithAKeyOfHisOwn signs everything anew.
func TestForgerWithAKeyOfHisOwn(t *testing.T) {
	dir := sealedLog(t, 40, 1<<20)
	key := publicKey(t, dir)
	for _, name := range []string{"tile", "checkpoint", "checkpoints.log", "keys.log"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	reforge(t, dir, "call-17", "call-99")
	l := open(t, dir, audit.Options{})
	s, err := audit.Seal(l, dir, audit.SealOptions{Key: filepath.Join(t.TempDir(), "own.key")})
	if err != nil {
		t.Fatal(err)
	}
	shutSealed(t, l, s)
	verify(t, dir) // nothing is wrong with it in itself
	if f := fault(t, dir, audit.VerifyOptions{Keys: []string{key}}); f.Kind != audit.FaultUnsigned {
		t.Errorf("Verify with the true key = %v, want unsigned", f)
	}
}

func TestCutLogIsFoundByAPublishedCheckpoint(t *testing.T) {
	dir := sealedLog(t, 40, 1<<20)
	published := read(t, filepath.Join(dir, "checkpoint"))
	history := bytes.SplitAfter(read(t, filepath.Join(dir, "checkpoints.log")), []byte("\n"))
	var old audit.HistoryEntry
	if err := json.Unmarshal(history[0], &old); err != nil {
		t.Fatal(err)
	}
	path := segments(t, dir)[0]
	lines := bytes.SplitAfter(read(t, path), []byte("\n"))
	// The lines alone are missed by the log's own checkpoint ...
	write(t, path, bytes.Join(lines[:old.Size], nil))
	if f := fault(t, dir, audit.VerifyOptions{}); f.Kind != audit.FaultTruncated {
		t.Errorf("Verify = %v, want truncated", f)
	}
	l := open(t, dir, audit.Options{})
	var cut *audit.Fault
	if _, err := audit.Seal(l, dir, audit.SealOptions{Key: dir + ".key"}); !errors.As(err, &cut) || cut.Kind != audit.FaultTruncated {
		t.Errorf("Seal = %v, want truncated", err)
	}
	shut(t, l)
	// ... and with the checkpoints cut as well, only by one that lies elsewhere.
	write(t, filepath.Join(dir, "checkpoints.log"), history[0])
	write(t, filepath.Join(dir, "checkpoint"), []byte(old.Note))
	if rep := verifyBy(t, dir, publicKey(t, dir)); rep.Records != uint64(old.Size) {
		t.Errorf("Verify = %+v", rep)
	}
	f := fault(t, dir, audit.VerifyOptions{Checkpoints: [][]byte{published}})
	if f.Kind != audit.FaultTruncated || f.Seq != uint64(old.Size)+1 {
		t.Errorf("Verify with the published checkpoint = %v, want truncated", f)
	}
}

// TestEveryByteOfTheSealIsChecked flips bytes of tiles, keys and checkpoints.
func TestEveryByteOfTheSealIsChecked(t *testing.T) {
	dir := sealedLog(t, 300, 1<<20)
	key := publicKey(t, dir)
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, ".jsonl") && d.Name() != "lock" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 5 {
		t.Fatalf("files %v, %v", files, err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, path := range files {
		whole := read(t, path)
		for range 25 {
			i := rnd.IntN(len(whole))
			changed := bytes.Clone(whole)
			changed[i] ^= byte(1 + rnd.IntN(255))
			if bytes.HasSuffix(whole, []byte("\n")) && i == len(whole)-1 {
				continue // a half-written last line is left out
			}
			write(t, path, changed)
			_, err := audit.Verify(t.Context(), dir, audit.VerifyOptions{Keys: []string{key}})
			if err == nil && !harmless(whole, changed, i) {
				t.Errorf("%s: byte %d changed from %q to %q and nobody noticed", path, i, whole[i], changed[i])
			}
		}
		write(t, path, whole)
	}
	verifyBy(t, dir, key)
}

// harmless are changes of what nobody signed: the time beside a checkpoint and a key.
func harmless(whole, changed []byte, i int) bool {
	line := whole[bytes.LastIndexByte(whole[:i], '\n')+1:]
	at := i - (len(whole) - len(line))
	return bytes.HasPrefix(line, []byte(`{"time":"`)) && at < len(`{"time":"2026-11-22T10:11:12.345678901Z","size":`)+8 ||
		bytes.EqualFold(whole, changed) // names of members in another case
}

func TestRotationHandsTrustOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l, s := sealed(t, dir, audit.Options{}, audit.SealOptions{Every: time.Hour})
	first := s.Public()
	note := func(old, public string) error {
		return l.Note(context.Background(), "operator", audit.MethodRotate, map[string]string{"old": old, "new": public})
	}
	var keys []string
	for i := range 3 {
		put(t, l, numbered(i), audit.Durable)
		key, err := s.Rotate(t.Context(), note)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		checkpoint(t, l, s)
	}
	shutSealed(t, l, s)
	for _, key := range append(keys, first) {
		if rep := verifyBy(t, dir, key); len(rep.Tree.Keys) != 4 || rep.Tree.Uncovered != 0 {
			t.Errorf("by %s: %+v", key, rep.Tree)
		}
		p, err := audit.Prove(t.Context(), dir, "1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Check(key); err != nil {
			t.Errorf("proof by %s: %v", key, err)
		}
	}
	if stranger, _ := merkle.NewKey("durward.local/x"); stranger.Public != "" {
		if f := fault(t, dir, audit.VerifyOptions{Keys: []string{stranger.Public}}); f.Kind != audit.FaultUnsigned {
			t.Errorf("Verify by a stranger's key = %v", f)
		}
	}
	l, s = sealed(t, dir, audit.Options{}, audit.SealOptions{})
	if s.Public() != keys[2] {
		t.Errorf("after a restart the key is %s, want %s", s.Public(), keys[2])
	}
	shutSealed(t, l, s)
}

// TestProofsHoldElsewhere proves records of trees of all sizes, and changes the proofs.
func TestProofsHoldElsewhere(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 256, 300, 777} {
		dir := sealedLog(t, n, 64<<10)
		key := publicKey(t, dir)
		for range 10 {
			seq := 1 + rnd.IntN(n)
			p, err := audit.Prove(t.Context(), dir, fmt.Sprint(seq))
			if err != nil {
				t.Fatalf("Prove(%d of %d): %v", seq, n, err)
			}
			c, err := p.Check(key)
			if err != nil || c.Record != int64(seq) {
				t.Errorf("Check = %+v, %v", c, err)
			}
			forged := *p
			forged.Entry = strings.Replace(p.Entry, "support-bot", "another-bot", 1)
			if _, err := forged.Check(key); err == nil {
				t.Error("a changed record is proved")
			}
			if forged = *p; n > 1 {
				forged.Hashes = append([]string{}, p.Hashes...)
				forged.Hashes[0], forged.Hashes[len(p.Hashes)-1] = forged.Hashes[len(p.Hashes)-1], encoded(rnd)
				if _, err := forged.Check(key); err == nil {
					t.Error("a changed hash is no harm")
				}
			}
			forged = *p
			forged.Index++
			if _, err := forged.Check(key); err == nil {
				t.Error("a record is proved in another place")
			}
		}
		if _, err := audit.Prove(t.Context(), dir, "call-1"); err != nil {
			t.Errorf("Prove by id: %v", err)
		}
		if _, err := audit.Prove(t.Context(), dir, "call-none"); !errors.Is(err, audit.ErrNoRecord) {
			t.Errorf("Prove of nothing: %v", err)
		}
	}
}

func encoded(rnd *rand.Rand) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 43)
	for i := range b {
		b[i] = digits[rnd.IntN(len(digits))]
	}
	return string(b[:42]) + "A="
}

// TestSealRefusesWhatTheGatewayDidNotWrite changes a line between its writing
// and its sealing.
func TestSealRefusesWhatTheGatewayDidNotWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l, s := sealed(t, dir, audit.Options{}, audit.SealOptions{Every: time.Hour})
	for i := range 5 {
		put(t, l, numbered(i), audit.Written)
	}
	path := segments(t, dir)[0]
	changed := bytes.Replace(read(t, path), []byte("call-3"), []byte("call-7"), 1)
	if err := os.WriteFile(path, changed, 0o600); err != nil { // in place
		t.Fatal(err)
	}
	put(t, l, numbered(6), audit.Durable)
	if c, err := s.Checkpoint(t.Context()); err == nil && c.N > 0 {
		t.Errorf("Checkpoint = %d, want a refusal", c.N)
	}
	if s.Ready() == nil {
		t.Error("Ready says nothing")
	}
	shut(t, l)
	_ = s.Close(t.Context())
}
