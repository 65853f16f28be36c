package merkle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// Appender adds leaves to a tree and writes its tiles. It is used by one
// goroutine. Tiles are not synced: until then they can be made again from the
// entries.
type Appender struct {
	tiles Tiles
	edge  Edge
	last  []tileEnd // of each level
	err   error     // of a full tile that could not be written
}

// tileEnd is the tile at the right edge of a level.
type tileEnd struct {
	n       int64 // its number
	hashes  []byte
	written int // hashes in its file; 0 for none
}

// NewAppender begins an empty tree.
func NewAppender(dir string) *Appender { return &Appender{tiles: Tiles{dir}} }

// Resume goes on with the tree that lies in dir. That its tiles are not what
// the tree says is an error that is [ErrTiles].
func Resume(dir string, tree tlog.Tree) (*Appender, error) {
	a := NewAppender(dir)
	if tree.N == 0 {
		return a, nil
	}
	a.last = make([]tileEnd, levels(tree.N))
	var err error
	a.edge, err = edgeOf(tree.N, func(level int) ([]tlog.Hash, error) {
		n := tree.N >> (height * level)
		w := int(n % width)
		end := &a.last[level]
		end.n = n / width
		if w == 0 {
			return nil, nil
		}
		b, err := a.tiles.read(level, end.n, w)
		if err != nil {
			return nil, err
		}
		end.hashes, end.written = append([]byte{}, b...), w
		return a.tiles.Hashes(level, end.n, w)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTiles, err)
	}
	if got := a.edge.Tree(); got != tree {
		return nil, fmt.Errorf("%w: they give the root %v of %d entries, not %v", ErrTiles, got.Hash, tree.N, tree.Hash)
	}
	return a, nil
}

// ErrTiles says that tiles are missing or are not those of the tree.
var ErrTiles = errors.New("the tiles are not those of the checkpoint")

// Size is how many leaves there are.
func (a *Appender) Size() int64 { return a.edge.n }

// Tree is the tree as it is now.
func (a *Appender) Tree() tlog.Tree { return a.edge.Tree() }

// Append adds a leaf; tiles that are full are written.
func (a *Appender) Append(leaf tlog.Hash) error {
	a.edge.Append(leaf, a.node)
	return a.err
}

func (a *Appender) node(level int, h tlog.Hash) {
	if level == len(a.last) {
		a.last = append(a.last, tileEnd{})
	}
	end := &a.last[level]
	end.hashes = append(end.hashes, h[:]...)
	if len(end.hashes) < width*tlog.HashSize {
		return
	}
	a.err = errors.Join(a.err, a.full(level, end))
	*end = tileEnd{n: end.n + 1, hashes: end.hashes[:0]}
}

func (a *Appender) full(level int, end *tileEnd) error {
	path := a.tiles.path(level, end.n, width)
	if err := writeFile(path, end.hashes); err != nil {
		return err
	}
	return os.RemoveAll(path + ".p")
}

// Flush writes the tiles at the edge, which are not full, and removes those
// that they replace.
func (a *Appender) Flush() error {
	if a.err != nil {
		return a.err
	}
	for level := range a.last {
		end := &a.last[level]
		w := len(end.hashes) / tlog.HashSize
		if w == end.written {
			continue
		}
		if err := writeFile(a.tiles.path(level, end.n, w), end.hashes); err != nil {
			return err
		}
		if end.written > 0 {
			if err := os.Remove(a.tiles.path(level, end.n, end.written)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		end.written = w
	}
	return nil
}

// writeFile puts a file into its place whole.
func writeFile(path string, b []byte) error {
	tmp := path + ".new"
	err := os.WriteFile(tmp, b, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(tmp, b, 0o600)
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
