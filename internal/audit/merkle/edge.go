package merkle

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Leaf is the hash of an entry. buf is memory to work in; it comes back grown.
func Leaf(buf, entry []byte) (tlog.Hash, []byte) {
	buf = append(append(buf[:0], 0), entry...)
	return sha256.Sum256(buf), buf
}

// Edge is a tree of which only the right edge is kept: the roots of its
// complete subtrees, the largest first. Its zero value is the empty tree.
type Edge struct {
	n     int64
	roots []tlog.Hash
}

// Append adds a leaf. done, when it is not nil, hears of every node that
// stands in a tile: the leaf at level 0, the root of 256 leaves at level 1.
func (e *Edge) Append(leaf tlog.Hash, done func(level int, h tlog.Hash)) {
	h := leaf
	if done != nil {
		done(0, h)
	}
	for k := 0; e.n>>k&1 == 1; k++ {
		h = tlog.NodeHash(e.roots[len(e.roots)-1], h)
		e.roots = e.roots[:len(e.roots)-1]
		if (k+1)%height == 0 && done != nil {
			done((k+1)/height, h)
		}
	}
	e.roots = append(e.roots, h)
	e.n++
}

// Size is how many leaves there are.
func (e *Edge) Size() int64 { return e.n }

// Tree is the tree as it is now.
func (e *Edge) Tree() tlog.Tree {
	if e.n == 0 {
		return tlog.Tree{Hash: sha256.Sum256(nil)}
	}
	h := e.roots[len(e.roots)-1]
	for i := len(e.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.roots[i], h)
	}
	return tlog.Tree{N: e.n, Hash: h}
}

// edgeOf makes the edge of a tree of n leaves from the hashes in the last
// tile of each level.
func edgeOf(n int64, last func(level int) ([]tlog.Hash, error)) (Edge, error) {
	e := Edge{n: n}
	for level := levels(n) - 1; level >= 0; level-- {
		hashes, err := last(level)
		if err != nil {
			return e, err
		}
		for len(hashes) > 0 {
			part := 1 << (bits.Len(uint(len(hashes))) - 1)
			e.roots = append(e.roots, fold(hashes[:part]))
			hashes = hashes[part:]
		}
	}
	return e, nil
}

// fold is the root over 2^k hashes.
func fold(h []tlog.Hash) tlog.Hash {
	if len(h) == 1 {
		return h[0]
	}
	half := len(h) / 2
	return tlog.NodeHash(fold(h[:half]), fold(h[half:]))
}

// levels is how many levels of tiles a tree of n leaves has.
func levels(n int64) (l int) {
	for ; n > 0; n >>= height {
		l++
	}
	return l
}
