package merkle_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"durward/internal/audit/merkle"
)

// memory is a tree as tlog itself keeps it.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = m[x]
	}
	return out, nil
}

// TestTreeIsThatOfTheReference grows a tree beside tlog's own, in steps of all
// sizes and with restarts, and compares roots and proofs.
func TestTreeIsThatOfTheReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		dir := t.TempDir()
		a := merkle.NewAppender(dir)
		var ref memory
		for a.Size() < 1500 {
			for range 1 + rnd.IntN(300) {
				entry := fmt.Appendf(nil, "entry %d", a.Size())
				hashes, err := tlog.StoredHashes(a.Size(), entry, ref)
				if err != nil {
					t.Fatal(err)
				}
				ref = append(ref, hashes...)
				leaf, _ := merkle.Leaf(nil, entry)
				if err := a.Append(leaf); err != nil {
					t.Fatal(err)
				}
			}
			root, err := tlog.TreeHash(a.Size(), ref)
			if err != nil || a.Tree().Hash != root {
				t.Fatalf("root over %d = %v, want %v (%v)", a.Size(), a.Tree().Hash, root, err)
			}
			if err := a.Flush(); err != nil {
				t.Fatal(err)
			}
			tree, tiles := a.Tree(), merkle.Tiles{Dir: dir}
			n := rnd.Int64N(tree.N)
			p, err := tlog.ProveRecord(tree.N, n, tiles.Reader(tree))
			if err != nil {
				t.Fatalf("ProveRecord(%d, %d): %v", tree.N, n, err)
			}
			if err := tlog.CheckRecord(p, tree.N, tree.Hash, n, tlog.RecordHash(fmt.Appendf(nil, "entry %d", n))); err != nil {
				t.Fatal(err)
			}
			old, err := tiles.TreeAt(n, tree)
			if want, err2 := tlog.TreeHash(max(n, 1), ref); err != nil || err2 != nil || n > 0 && old.Hash != want {
				t.Fatalf("TreeAt(%d) = %v, want %v (%v)", n, old.Hash, want, err)
			}
			if a, err = merkle.Resume(dir, tree); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestTilesLieWhereTheSpecificationSays: C2SP tlog-tiles is tlog's path without the height.
func TestTilesLieWhereTheSpecificationSays(t *testing.T) {
	for _, n := range []int64{0, 7, 999, 1000, 1234067, 999999999} {
		for level := range 3 {
			want := strings.Replace(tlog.Tile{H: 8, L: level, N: n, W: 256}.Path(), "tile/8/", "tile/", 1)
			if got := merkle.TileName(level, n); got != want {
				t.Errorf("tile %d of level %d is %s, want %s", n, level, got, want)
			}
		}
	}
}

func TestKeysThatAreNotLinkedAreNotTrusted(t *testing.T) {
	a, _ := merkle.NewKey("log.example")
	b, _ := merkle.NewKey("log.example")
	evil, _ := merkle.NewKey("log.example")
	first, err := merkle.First(a, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := merkle.Succeed(a, b, 10, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := merkle.First(evil, time.Time{}) // signed by nobody before it
	if err != nil {
		t.Fatal(err)
	}
	stolen := second
	stolen.Key = evil.Public
	for what, list := range map[string][]merkle.KeyEntry{
		"a key of its own": {first, alone}, "a statement about another key": {first, stolen}, "the second alone": {second},
	} {
		if _, err := merkle.NewTrust(list, a.Public); err == nil {
			t.Errorf("%s: trusted", what)
		}
	}
	trust, err := merkle.NewTrust([]merkle.KeyEntry{first, second}, b.Public)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(n int64, k merkle.Key) []byte {
		s, err := merkle.Checkpoint{Origin: "log.example", Tree: tlog.Tree{N: n}}.Sign(k.Signer())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		n    int64
		k    merkle.Key
		want bool
	}{{0, a, true}, {10, a, true}, {11, a, false}, {10, b, false}, {11, b, true}, {11, evil, false}} {
		if _, err := trust.Open(sign(c.n, c.k)); (err == nil) != c.want {
			t.Errorf("a checkpoint over %d by key %s: %v", c.n, c.k.Public[12:20], err)
		}
	}
}
