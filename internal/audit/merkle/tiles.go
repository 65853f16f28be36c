package merkle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8           // of a tile
	width  = 1 << height // hashes in a full tile
)

// Tiles are the tiles of a tree in a folder.
type Tiles struct{ Dir string }

// tilePath is where a tile lies (C2SP tlog-tiles): its number in groups of
// three digits, and how many hashes it holds unless it is full.
func tilePath(level int, n int64, w int) string {
	name := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	name = "tile/" + strconv.Itoa(level) + "/" + name
	if w < width {
		name += ".p/" + strconv.Itoa(w)
	}
	return name
}

func (t Tiles) path(level int, n int64, w int) string {
	return filepath.Join(t.Dir, filepath.FromSlash(tilePath(level, n, w)))
}

// read returns the first w hashes of a tile, from whichever of its files has them.
func (t Tiles) read(level int, n int64, w int) ([]byte, error) {
	for _, path := range t.candidates(level, n, w) {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(b) < w*tlog.HashSize || len(b) > width*tlog.HashSize || len(b)%tlog.HashSize != 0 {
			return nil, fmt.Errorf("tile %s holds %d bytes, not %d hashes", tilePath(level, n, w), len(b), w)
		}
		return b[:w*tlog.HashSize], nil
	}
	return nil, fmt.Errorf("tile %s: %w", tilePath(level, n, w), fs.ErrNotExist)
}

// candidates are the files that may hold the first w hashes of a tile.
func (t Tiles) candidates(level int, n int64, w int) []string {
	full := t.path(level, n, width)
	if w == width {
		return []string{full}
	}
	paths := []string{t.path(level, n, w), full}
	entries, err := os.ReadDir(full + ".p")
	if err != nil {
		return paths
	}
	for _, e := range entries {
		if has, err := strconv.Atoi(e.Name()); err == nil && has > w && has < width {
			paths = append(paths, filepath.Join(full+".p", e.Name()))
		}
	}
	return paths
}

// TileName is the path of a full tile in the folder.
func TileName(level int, n int64) string { return tilePath(level, n, width) }

// Hashes reads the first w hashes of a tile.
func (t Tiles) Hashes(level int, n int64, w int) ([]tlog.Hash, error) {
	b, err := t.read(level, n, w)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, w)
	for i := range out {
		copy(out[i][:], b[i*tlog.HashSize:])
	}
	return out, nil
}

// Leaves returns up to 256 leaf hashes from leaf first on, as far as its tile
// goes; none when it is not there.
func (t Tiles) Leaves(first, size int64) ([]tlog.Hash, error) {
	n := first / width
	w := int(min(width, size-n*width))
	h, err := t.Hashes(0, n, w)
	if err != nil {
		return nil, err
	}
	return h[first-n*width:], nil
}

// Height and the next two make Tiles a tlog.TileReader.
func (t Tiles) Height() int { return height }

// ReadTiles reads tiles as they are asked for by tlog.
func (t Tiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		b, err := t.read(tile.L, tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		out[i] = b
	}
	return out, nil
}

// SaveTiles keeps nothing: they are on the disk.
func (t Tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// Reader reads hashes of a tree, each proved to belong to it.
func (t Tiles) Reader(tree tlog.Tree) tlog.HashReader { return tlog.TileHashReader(tree, t) }

// TreeAt is the tree when it had n leaves, as part of a greater one.
func (t Tiles) TreeAt(n int64, of tlog.Tree) (tlog.Tree, error) {
	if n == 0 {
		return (&Edge{}).Tree(), nil
	}
	h, err := tlog.TreeHash(n, t.Reader(of))
	return tlog.Tree{N: n, Hash: h}, err
}

// Sync makes the full tiles of the leaves below n durable, so that the
// entries may go.
func (t Tiles) Sync(n int64) error {
	for level := 0; n > 0; level++ {
		n >>= height
		for i := range n {
			if err := syncFile(t.path(level, i, width)); err != nil {
				return err
			}
		}
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
