package publish_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"durward/internal/audit/merkle"
	"durward/internal/audit/publish"
	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

// grower is a log that grows and signs.
type grower struct {
	t   *testing.T
	dir string
	a   *merkle.Appender
	key merkle.Key
}

func newGrower(t *testing.T) *grower {
	key, err := merkle.NewKey("log.example/1")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &grower{t, dir, merkle.NewAppender(dir), key}
}

func (g *grower) grow(n int) []byte {
	g.t.Helper()
	for range n {
		if err := g.a.Append(tlog.RecordHash(fmt.Appendf(nil, "entry %d", g.a.Size()))); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := g.a.Flush(); err != nil {
		g.t.Fatal(err)
	}
	signed, err := merkle.Checkpoint{Origin: "log.example/1", Tree: g.a.Tree()}.Sign(g.key.Signer())
	if err != nil {
		g.t.Fatal(err)
	}
	return signed
}

// witness is a witness as C2SP tlog-witness describes it.
type witness struct {
	t    *testing.T
	log  note.Verifier
	key  ed25519.PrivateKey
	mu   sync.Mutex
	tree tlog.Tree
	sick bool
}

func (w *witness) vkey() string {
	_, v := merkle.Cosign("witness.example", w.key, 1, nil)
	return v
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sick || r.URL.Path != "/w/add-checkpoint" {
		http.Error(rw, "no", http.StatusServiceUnavailable)
		return
	}
	raw, _ := io.ReadAll(r.Body)
	head, signed, _ := strings.Cut(string(raw), "\n\n")
	lines := strings.Split(head, "\n")
	var old int64
	if _, err := fmt.Sscanf(lines[0], "old %d", &old); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	n, err := note.Open([]byte(signed), note.VerifierList(w.log))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	}
	c, _ := merkle.Read([]byte(signed))
	if old != w.tree.N {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(rw, "%d\n", w.tree.N)
		return
	}
	var proof tlog.TreeProof
	for _, l := range lines[1:] {
		h, err := tlog.ParseHash(l)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		proof = append(proof, h)
	}
	if old > 0 && old < c.N && tlog.CheckTree(proof, c.N, c.Hash, old, w.tree.Hash) != nil {
		http.Error(rw, "history was changed", http.StatusUnprocessableEntity)
		return
	}
	w.tree = c.Tree
	line, _ := merkle.Cosign("witness.example", w.key, uint64(time.Now().Unix()), []byte(n.Text))
	_, _ = io.WriteString(rw, line)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not come about", what)
}

func TestCheckpointsReachEveryPlace(t *testing.T) {
	g := newGrower(t)
	verifier, err := note.NewVerifier(g.key.Public)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{t: t, log: verifier, key: secret}
	ws := httptest.NewServer(w)
	defer ws.Close()
	var mu sync.Mutex
	var got string
	board := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = r.Header.Get("X-Board") + " " + string(b)
	}))
	defer board.Close()
	file := filepath.Join(t.TempDir(), "checkpoint")
	p, err := publish.Start(g.dir, slog.New(slog.DiscardHandler), []publish.Target{
		{File: file}, {URL: board.URL, Headers: map[string]string{"X-Board": "b"}}, {URL: ws.URL + "/w/", Key: w.vkey()},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{3, 300, 1} {
		signed := g.grow(n)
		p.Offer(signed)
		eventually(t, "publication", func() bool {
			b, _ := os.ReadFile(file)
			c, _ := os.ReadFile(filepath.Join(g.dir, publish.CosignedName))
			mu.Lock()
			defer mu.Unlock()
			return string(b) == string(signed) && got == "b "+string(signed) && strings.HasPrefix(string(c), string(signed))
		})
	}
	// A witness that was away, and one that has seen more than we remember.
	w.mu.Lock()
	w.sick = true
	w.mu.Unlock()
	p.Offer(g.grow(5))
	eventually(t, "complaint", func() bool { return p.Status()[2].Error != "" })
	w.mu.Lock()
	w.sick = false
	w.mu.Unlock()
	if err := os.Remove(filepath.Join(g.dir, "witnesses.json")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "recovery", func() bool { s := p.Status()[2]; return s.Error == "" && s.Size == g.a.Size() })
	cosigned, err := os.ReadFile(filepath.Join(g.dir, publish.CosignedName))
	if err != nil {
		t.Fatal(err)
	}
	key, err := merkle.NewWitness(w.vkey())
	if err != nil || key.Signed(cosigned) != nil {
		t.Errorf("the cosigned checkpoint: %v, %v", err, key.Signed(cosigned))
	}
	p.Stop(context.Background())
}

// TestWitnessRefusesAnotherHistory rewrites the log behind the witness's back.
func TestWitnessRefusesAnotherHistory(t *testing.T) {
	g := newGrower(t)
	verifier, _ := note.NewVerifier(g.key.Public)
	_, secret, _ := ed25519.GenerateKey(nil)
	w := &witness{t: t, log: verifier, key: secret, tree: tlog.Tree{N: 2, Hash: tlog.RecordHash([]byte("another"))}}
	ws := httptest.NewServer(w)
	defer ws.Close()
	p, err := publish.Start(g.dir, slog.New(slog.DiscardHandler), []publish.Target{{URL: ws.URL + "/w", Key: w.vkey()}})
	if err != nil {
		t.Fatal(err)
	}
	p.Offer(g.grow(7))
	eventually(t, "refusal", func() bool { return strings.Contains(p.Status()[0].Error, "422") })
	p.Stop(context.Background())
}

func TestFileKeepsTheGreaterCheckpoint(t *testing.T) {
	g := newGrower(t)
	small, big := g.grow(2), g.grow(3)
	file := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(file, big, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := publish.Start(g.dir, slog.New(slog.DiscardHandler), []publish.Target{{File: file}})
	if err != nil {
		t.Fatal(err)
	}
	p.Offer(small)
	eventually(t, "complaint", func() bool { return strings.Contains(p.Status()[0].Error, "cut") })
	p.Stop(context.Background())
	if b, _ := os.ReadFile(file); string(b) != string(big) {
		t.Error("the greater checkpoint was replaced")
	}
}
