package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The index of a segment says of each block of lines from when to when it
// goes, and by a Bloom filter which fields and which groups of three letters
// are not in it. It is made from the segment alone and only ever spares reading.
const (
	indexFolder = "index"
	indexSuffix = ".idx"
	indexMagic  = "durward index 1\n"
	indexBlock  = 1 << 20 // bytes of lines
	bloomBytes  = 8 << 10
	bloomBits   = bloomBytes * 8
)

// segmentIndex is the index of one segment.
type segmentIndex struct {
	Bytes  int64  `json:"bytes"` // of the segment
	Head   string `json:"head"`  // hash of its last line
	Blocks []span `json:"blocks"`
}

// span is one block of lines.
type span struct {
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	First  uint64 `json:"first"`
	Lines  int    `json:"lines"`
	Before int    `json:"before"` // lines before it
	From   string `json:"from"`
	To     string `json:"to"`
	bloom  []byte
}

// fields that a block can be asked for.
func indexedKeys() [][]byte {
	var keys [][]byte
	for _, k := range []string{"id", "agent", "key", "user", "session", "method", "upstream", "tool", "verdict", "reason", "rule", "outcome"} {
		keys = append(keys, []byte(`,"`+k+`":"`))
	}
	return keys
}

func indexPath(dir string, seg segment) string {
	return filepath.Join(dir, indexFolder, strings.TrimSuffix(seg.name, segmentSuffix)+indexSuffix)
}

// Index makes the indexes that are missing, or all of them anew, of segments
// that are no longer written. It returns how many it made.
func Index(ctx context.Context, dir string, rebuild bool) (int, error) {
	segments, err := listSegments(dir)
	if err != nil || len(segments) == 0 {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Join(dir, indexFolder), 0o700); err != nil {
		return 0, err
	}
	n := 0
	for _, seg := range segments[:len(segments)-1] {
		if !rebuild {
			if _, err := loadIndex(dir, seg); err == nil {
				continue
			}
		}
		if err := buildIndex(ctx, dir, seg); err != nil {
			return n, fmt.Errorf("%s: %w", seg.name, err)
		}
		n++
	}
	return n, nil
}

func buildIndex(ctx context.Context, dir string, seg segment) error {
	c, err := openCursor(dir, seg, mark{})
	if err != nil {
		return err
	}
	defer c.close()
	var (
		x     segmentIndex
		b     = newBlock(mark{})
		keys  = indexedKeys()
		lower []byte
	)
	for {
		if c.n%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l, err := c.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err // a segment that is not whole gets no index and is read instead
		}
		b.add(&l)
		b.tokens(&l, keys, &lower)
		x.Head = string(l.hash)
		if b.Bytes = c.in.offset - b.Offset; b.Bytes >= indexBlock {
			x.Blocks = append(x.Blocks, b)
			b = newBlock(c.mark())
		}
	}
	if b.Lines > 0 {
		x.Blocks = append(x.Blocks, b)
	}
	x.Bytes = c.in.offset
	return x.write(indexPath(dir, seg))
}

func newBlock(at mark) span {
	return span{Offset: at.offset, Before: at.lines, bloom: make([]byte, bloomBytes)}
}

func (b *span) add(l *line) {
	when := string(l.time)
	if b.Lines == 0 {
		b.First, b.From, b.To = l.seq, when, when
	}
	b.From, b.To = min(b.From, when), max(b.To, when)
	b.Lines++
}

// tokens notes what a line may be asked for.
func (b *span) tokens(l *line, keys [][]byte, lower *[]byte) {
	for _, k := range keys {
		for rest := l.raw; ; {
			i := bytes.Index(rest, k)
			if i < 0 {
				break
			}
			rest = rest[i+len(k):]
			end := endOfText(rest, -1) // the quote before rest began it
			b.note(hashOfToken(k, rest[:end]))
			rest = rest[end:]
		}
	}
	*lower = lowered((*lower)[:0], searchable(l.raw))
	for i := 0; i+3 <= len(*lower); i++ {
		b.note(hashOfToken(nil, (*lower)[i:i+3]))
	}
}

func (b *span) note(h uint64) {
	for _, i := range places(h) {
		b.bloom[i/8] |= 1 << (i % 8)
	}
}

func (b *span) may(h uint64) bool {
	for _, i := range places(h) {
		if b.bloom[i/8]&(1<<(i%8)) == 0 {
			return false
		}
	}
	return true
}

func places(h uint64) [2]uint32 {
	return [2]uint32{uint32(h) % bloomBits, uint32(h>>32) % bloomBits}
}

// hashOfToken is FNV-1a with its bits mixed.
func hashOfToken(a, b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range a {
		h = (h ^ uint64(c)) * 1099511628211
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// searchable is the part of a line in which texts are looked for: all but its
// place, its id and its hashes.
func searchable(raw []byte) []byte {
	from := max(bytes.Index(raw, []byte(`,"lane":`)), 0)
	to := bytes.LastIndex(raw, []byte(prevKey))
	return raw[from:max(to, from)]
}

func lowered(dst, b []byte) []byte {
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func (x *segmentIndex) write(path string) error {
	meta, err := json.Marshal(x)
	if err != nil {
		return err
	}
	out := append([]byte(indexMagic), meta...)
	out = append(out, '\n')
	for i := range x.Blocks {
		out = append(out, x.Blocks[i].bloom...)
	}
	sum := sha256.Sum256(out)
	return replace(path, append(out, sum[:]...))
}

var errIndex = errors.New("it is no index of this segment")

// loadIndex reads the index of a segment, if it is the one of the segment as
// it is now.
func loadIndex(dir string, seg segment) (*segmentIndex, error) {
	b, err := os.ReadFile(indexPath(dir, seg))
	if err != nil {
		return nil, err
	}
	n := len(b) - sha256.Size
	if n < len(indexMagic) || string(b[:len(indexMagic)]) != indexMagic || sha256.Sum256(b[:n]) != [sha256.Size]byte(b[n:]) {
		return nil, errIndex
	}
	meta, blooms, ok := bytes.Cut(b[len(indexMagic):n], []byte("\n"))
	var x segmentIndex
	if err := json.Unmarshal(meta, &x); err != nil || !ok || len(blooms) != len(x.Blocks)*bloomBytes {
		return nil, errIndex
	}
	for i := range x.Blocks {
		x.Blocks[i].bloom = blooms[i*bloomBytes : (i+1)*bloomBytes]
	}
	info, err := os.Stat(filepath.Join(dir, seg.name))
	if err != nil {
		return nil, err
	}
	if info.Size() != x.Bytes {
		return nil, errIndex
	}
	return &x, nil
}

// may tells whether a block can hold what a sieve takes.
func (s *sieve) may(b *span) bool {
	switch {
	case s.after >= b.First+uint64(b.Lines)-1 && b.Lines > 0:
		return false
	case s.since != nil && b.To < string(s.since):
		return false
	case s.until != nil && b.From >= string(s.until):
		return false
	}
	for i := range s.texts {
		t := &s.texts[i]
		if !b.may(hashOfToken([]byte(string(t.key)+`"`), t.value[1:])) {
			return false
		}
	}
	if s.text == nil || s.text.id != nil && b.may(hashOfToken([]byte(`,"id":"`), s.text.id)) {
		return true
	}
	return !slices.ContainsFunc(s.text.grams, func(h uint64) bool { return !b.may(h) })
}
