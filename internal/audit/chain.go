package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// place is where a line stands.
type place struct {
	segment int // index in chain.segments
	line    int
	offset  int64
	seq     uint64
}

// chain follows the lines of a log from a known state and stops at the first
// that does not continue it.
type chain struct {
	dir      string
	segments []segment
	strict   bool // also check that each line is JSON
	visit    func(line)
	leaves   bool                          // also hash the lines as leaves of the tree
	leaf     func(*inspected, place) error // hears of each line that fits

	seq  uint64 // of the last line that is good
	prev link   // its hash
	last place  // where it stands
	torn *Torn

	// For the writer: it may continue a log whose older segments were put
	// elsewhere, and wants to know when the segment was begun.
	headless bool
	began    time.Time
}

// Torn is the half-written end that a crash or a write under way left. It is
// not part of the log.
type Torn struct {
	Segment string `json:"segment"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
}

// checkEvery is how many lines pass between two looks at the context.
const checkEvery = 1024

func (c *chain) followAll(ctx context.Context) error {
	for i := range c.segments {
		if err := c.follow(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// follow checks segment i from its first line to its end. The lines are
// inspected ahead, by as many as there are processors.
func (c *chain) follow(ctx context.Context, i int) error {
	f, err := os.Open(filepath.Join(c.dir, c.segments[i].name))
	if err != nil {
		return err
	}
	defer f.Close()
	in := readAhead(f, c.strict, c.leaves)
	defer in.close()
	for n := 1; ; {
		b, err := in.next()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return c.end(in.rest, place{segment: i, line: n, offset: in.offset, seq: c.seq + 1})
		case errors.Is(err, errLong):
			return c.fault(FaultChanged, place{segment: i, line: n, offset: in.offset, seq: c.seq + 1}, errLong.Error())
		case err != nil:
			return fmt.Errorf("read %s: %w", c.segments[i].name, err)
		}
		for j := range b.lines {
			l := &b.lines[j]
			if err := c.line(ctx, l, place{segment: i, line: n, offset: b.offset + int64(l.start), seq: c.seq + 1}); err != nil {
				return err
			}
			n++
		}
		in.done(b)
	}
}

// line checks that a line that was inspected continues the chain.
func (c *chain) line(ctx context.Context, in *inspected, at place) error {
	if in.err != nil {
		return c.explainBroken(ctx, in.err, at)
	}
	l := in.line
	if c.headless && c.seq == 0 && at.line == 1 && l.seq == c.segments[at.segment].first {
		c.seq, c.prev = l.seq-1, link(l.prev)
	}
	if l.seq != c.seq+1 || !bytes.Equal(l.prev, c.prev[:]) {
		return c.explainLink(ctx, l, at)
	}
	if seg := c.segments[at.segment]; at.line == 1 && seg.first != l.seq {
		return c.fault(FaultReordered, at, fmt.Sprintf("the segment was renamed: it begins with record %d", l.seq))
	}
	at.seq = l.seq
	c.seq, c.prev, c.last = l.seq, link(l.hash), at
	if c.visit != nil {
		c.visit(l)
	}
	if c.leaf != nil {
		return c.leaf(in, at)
	}
	return nil
}

// inspect takes a line apart and checks all that it says of itself.
func inspect(raw []byte, strict bool) (line, error) {
	l, err := parseLine(raw)
	if err != nil {
		return l, err
	}
	if err := l.checkSeal(); err != nil {
		return l, err
	}
	if strict && !json.Valid(raw) {
		return l, errShape
	}
	return l, nil
}

// end judges what follows the last line break of a segment.
func (c *chain) end(rest []byte, at place) error {
	switch {
	case len(rest) == 0:
		return nil
	case at.segment != len(c.segments)-1:
		return c.fault(FaultChanged, at, "the segment ends within a line")
	case c.holdsLine(rest):
		return c.fault(FaultChanged, at, "the line break after the last record is another byte")
	}
	c.torn = &Torn{Segment: c.segments[at.segment].name, Offset: at.offset, Bytes: int64(len(rest))}
	return nil
}

// holdsLine reports whether rest begins with a whole line and goes on after
// it, which no torn write looks like.
func (c *chain) holdsLine(rest []byte) bool {
	for from := 0; ; {
		i := bytes.Index(rest[from:], []byte(hashKey))
		if i < 0 {
			return false
		}
		end := from + i + len(hashKey) + len(link{}) + len(lineEnd)
		if end >= len(rest) {
			return false
		}
		if _, err := inspect(rest[:end], c.strict); err == nil {
			return true
		}
		from += i + 1
	}
}

func (c *chain) fault(kind FaultKind, at place, detail string) error {
	return &Fault{Kind: kind, Segment: c.segments[at.segment].name, Line: at.line, Offset: at.offset, Seq: at.seq, Detail: detail}
}
