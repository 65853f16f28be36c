package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"durward/internal/audit/merkle"
)

// TreeReport is what was seen of the tree over the record.
type TreeReport struct {
	Origin string   `json:"origin"`
	Keys   []string `json:"keys"` // that signed, the oldest first
	// Trusted says that the keys hang on one that was given, and not only on
	// what lies beside the log.
	Trusted     bool   `json:"trusted"`
	Checkpoints int    `json:"checkpoints"`
	Size        int64  `json:"size"` // records that the newest checkpoint covers
	Root        string `json:"root"`
	// Uncovered are the records behind it, which only the chain holds together.
	Uncovered uint64 `json:"uncovered"`
	// Dropped are the records whose time was over: of them the hashes are left.
	Dropped uint64 `json:"dropped,omitempty"`
}

// point is a tree that the lines must pass through.
type point struct {
	tlog.Tree
	file string
	line int
}

// treeCheck holds lines against tiles and checkpoints.
type treeCheck struct {
	TreeReport
	tiles  merkle.Tiles
	points []point // in the order of their size
	passed int64   // size of the last point that was right
	edge   merkle.Edge
	levels []tileCheck
	size   int64 // of the newest point: so far tiles reach

	at      place  // of the line that is looked at
	differs *Fault // the first line that is not the one in its tile
	tile    *Fault // the first tile that is not of the tree
	said    bool   // a record says that what is missing was dropped
	fault   func(FaultKind, place, string) error
}

// tileCheck is the tile of a level that nodes are held against.
type tileCheck struct {
	n      int64 // nodes seen
	hashes []tlog.Hash
}

// openTree reads what was signed. It returns nil when nothing was and nobody
// expects it.
func openTree(dir string, o VerifyOptions) (*treeCheck, error) {
	list, err := ReadKeys(dir)
	if err != nil {
		return nil, err
	}
	trust, err := merkle.NewTrust(list, o.Keys...)
	if err != nil {
		return nil, &Fault{Kind: FaultUnsigned, Segment: keysName, Detail: err.Error()}
	}
	t := &treeCheck{tiles: merkle.Tiles{Dir: dir}}
	t.Keys, t.Trusted = trust.Keys(), len(o.Keys) > 0
	if err := t.readPoints(dir, trust); err != nil {
		return nil, err
	}
	for i, signed := range o.Checkpoints {
		if err := t.expect(trust, signed, fmt.Sprintf("the checkpoint that was given (%d)", i+1), 0); err != nil {
			return nil, err
		}
	}
	if len(t.points) == 0 && len(o.Keys) == 0 && len(list) == 0 {
		return nil, nil
	}
	if len(t.points) == 0 && len(o.Keys) > 0 {
		return nil, &Fault{Kind: FaultUnsigned, Segment: historyName, Detail: "nothing of this log is signed by the key that was given"}
	}
	t.sort()
	return t, nil
}

func (t *treeCheck) readPoints(dir string, trust *merkle.Trust) error {
	_, err := eachLine(filepath.Join(dir, historyName), func(n int, e HistoryEntry) error {
		if err := t.expect(trust, []byte(e.Note), historyName, n); err != nil {
			return err
		}
		if last := len(t.points) - 1; last > 0 && t.points[last].N < t.points[last-1].N {
			return &Fault{Kind: FaultReordered, Segment: historyName, Line: n, Detail: "the checkpoint is older than the one before it"}
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.Checkpoints = len(t.points)
	signed, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.expect(trust, signed, checkpointName, 0)
}

// expect adds a checkpoint, which must be signed.
func (t *treeCheck) expect(trust *merkle.Trust, signed []byte, file string, line int) error {
	c, err := trust.Open(signed)
	if err != nil {
		return &Fault{Kind: FaultUnsigned, Segment: file, Line: line, Detail: "the checkpoint: " + err.Error()}
	}
	if t.Origin == "" {
		t.Origin = c.Origin
	}
	if c.Origin != t.Origin {
		return &Fault{Kind: FaultUnsigned, Segment: file, Line: line, Detail: fmt.Sprintf("the checkpoint is of the log %s, not of %s", c.Origin, t.Origin)}
	}
	t.points = append(t.points, point{c.Tree, file, line})
	return nil
}

// watch makes the check hear of each line. A log whose first records were
// dropped begins with what its tiles have.
func (t *treeCheck) watch(c *chain) error {
	c.leaves, c.leaf, t.fault = true, t.line, c.fault
	if c.seq > 0 { // the caller knows what went before
		t.said = true
		return t.begin(c.seq + 1)
	}
	if len(c.segments) == 0 || c.segments[0].first == 1 {
		return nil
	}
	c.headless = true
	return t.begin(c.segments[0].first)
}

// begin takes the leaves of records that were dropped from their tiles.
func (t *treeCheck) begin(first uint64) error {
	for uint64(t.edge.Size()) < first-1 {
		leaves, err := t.tiles.Leaves(t.edge.Size(), t.size)
		if err != nil {
			return &Fault{Kind: FaultMissing, Seq: uint64(t.edge.Size()) + 1, Detail: fmt.Sprintf("the records before %d are not here, and neither are their hashes: %v", first, err)}
		}
		for _, h := range leaves {
			if uint64(t.edge.Size()) == first-1 {
				break
			}
			if err := t.add(h); err != nil {
				return err
			}
		}
	}
	t.Dropped = first - 1
	return nil
}

// line holds one more line against the tree.
func (t *treeCheck) line(in *inspected, at place) error {
	t.at = at
	if t.Dropped > 0 && !t.said {
		t.said = saysDropped(in.raw, t.Dropped)
	}
	return t.add(in.leaf)
}

func (t *treeCheck) add(leaf tlog.Hash) error {
	t.edge.Append(leaf, t.node)
	for len(t.points) > 0 && t.points[0].N == t.edge.Size() {
		p := t.points[0]
		if t.edge.Tree() != p.Tree {
			return t.wrong(p)
		}
		t.points, t.passed = t.points[1:], p.N
		t.Size, t.Root = p.N, p.Hash.String()
	}
	return nil
}

// wrong names the line that makes a checkpoint not fit, as far as tiles tell.
func (t *treeCheck) wrong(p point) error {
	if t.differs != nil {
		return t.differs
	}
	return &Fault{Kind: FaultChanged, Seq: uint64(t.passed) + 1,
		Detail: fmt.Sprintf("one of the records %d to %d is not what was signed (%s), and neither is what lies in the tiles", t.passed+1, p.N, p.name())}
}

func (p point) name() string {
	if p.line > 0 {
		return fmt.Sprintf("%s line %d", p.file, p.line)
	}
	return p.file
}

// node holds a node against its tile.
func (t *treeCheck) node(level int, h tlog.Hash) {
	if level == len(t.levels) {
		t.levels = append(t.levels, tileCheck{})
	}
	c := &t.levels[level]
	i := c.n
	c.n++
	have := t.size >> (8 * level)
	if i >= have {
		return
	}
	if i%256 == 0 {
		c.hashes = t.load(level, i/256, int(min(256, have-i)))
	}
	if c.hashes == nil || c.hashes[i%256] == h {
		return
	}
	switch {
	case level > 0:
		t.badTile(level, i/256, "it is not what its leaves give")
	case t.differs == nil && t.fault != nil && t.at.line > 0:
		_ = errors.As(t.fault(FaultChanged, t.at, "the record is not the one that was signed, although the chain was made to fit"), &t.differs)
		t.badTile(0, i/256, fmt.Sprintf("its hash of record %d is another one", i+1))
	}
}

func (t *treeCheck) load(level int, n int64, w int) []tlog.Hash {
	var err error
	for range 3 { // a gateway may put a longer one in its place meanwhile
		var h []tlog.Hash
		if h, err = t.tiles.Hashes(level, n, w); err == nil {
			return h
		}
	}
	t.badTile(level, n, err.Error())
	return nil
}

func (t *treeCheck) badTile(level int, n int64, detail string) {
	if t.tile == nil {
		t.tile = &Fault{Kind: FaultTree, Segment: merkle.TileName(level, n), Detail: detail}
	}
}

// conclude says what remains to be said when the log is at its end.
func (t *treeCheck) conclude(seq uint64) error {
	switch {
	case len(t.points) > 0:
		p := t.points[len(t.points)-1]
		return &Fault{Kind: FaultTruncated, Seq: seq + 1, Detail: fmt.Sprintf("a checkpoint was signed over %d records (%s), the log ends with record %d", p.N, p.name(), seq)}
	case t.tile != nil:
		return t.tile
	case t.Dropped > 0 && !t.said:
		return &Fault{Kind: FaultMissing, Seq: 1, Detail: fmt.Sprintf("the records 1 to %d are not here, and no record says that their time was over", t.Dropped)}
	}
	t.Uncovered = seq - uint64(t.Size)
	return nil
}

// sort puts the points into the order of their sizes; those of the log's own
// files are in it already.
func (t *treeCheck) sort() {
	t.points = slices.DeleteFunc(t.points, func(p point) bool { return p.N == 0 }) // the empty tree is in every log
	slices.SortStableFunc(t.points, func(a, b point) int { return cmp.Compare(a.N, b.N) })
	if n := len(t.points); n > 0 {
		t.size = t.points[n-1].N
	}
}

// saysDropped tells whether a line is the record of a drop up to seq.
func saysDropped(raw []byte, seq uint64) bool {
	if !bytes.Contains(raw, []byte(`"method":"`+MethodDrop+`"`)) || !bytes.Contains(raw, []byte(`"lane":"control"`)) {
		return false
	}
	var r struct {
		Args struct {
			Last uint64 `json:"last"`
		} `json:"args"`
	}
	return json.Unmarshal(raw, &r) == nil && r.Args.Last >= seq
}

// ReadCheckpoints splits the content of a file into signed checkpoints: one or
// more notes, or JSON lines of a history.
func ReadCheckpoints(b []byte) ([][]byte, error) {
	if strings.HasPrefix(string(b), "{") {
		var all [][]byte
		for raw := range bytes.Lines(b) {
			var e HistoryEntry
			if err := json.Unmarshal(raw, &e); err != nil || e.Note == "" {
				return nil, errors.New("it holds no checkpoints")
			}
			all = append(all, []byte(e.Note))
		}
		return all, nil
	}
	if _, err := merkle.Read(b); err != nil {
		return nil, err
	}
	return [][]byte{b}, nil
}
