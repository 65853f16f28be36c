package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ahead is what stands behind a line that does not fit: it tells a change from
// a removal, an insertion or a move.
type ahead struct {
	continues bool // the next line is what belonged here
	adopts    bool // the next line continues the one that does not fit
	expected  bool // the record that belonged here stands further on
	again     bool // the line that does not fit stands further on, too
}

// explainBroken names what happened to a line that is broken in itself.
func (c *chain) explainBroken(ctx context.Context, why error, at place) error {
	a, err := c.lookAhead(ctx, at, nil)
	if err != nil {
		return err
	}
	if a.continues {
		return c.fault(FaultInserted, at, "this line is not of this log, the next one continues it")
	}
	return c.fault(FaultChanged, at, why.Error())
}

// explainLink names what happened when a whole line follows one that it does
// not belong behind.
func (c *chain) explainLink(ctx context.Context, l line, at place) error {
	a, err := c.lookAhead(ctx, at, &l)
	if err != nil {
		return err
	}
	switch {
	case l.seq == at.seq && a.adopts && c.last.line > 0:
		return c.fault(FaultChanged, c.last, "it was replaced, hash and all: the next record continues another one")
	case l.seq == at.seq:
		return c.fault(FaultChanged, at, "it does not continue the record before it: one of the two was replaced, hash and all")
	case l.seq < at.seq:
		return c.fault(FaultInserted, at, fmt.Sprintf("record %d stands here once more", l.seq))
	case a.continues && a.again:
		return c.fault(FaultInserted, at, fmt.Sprintf("record %d stands here and in its own place", l.seq))
	case a.expected:
		return c.fault(FaultReordered, at, fmt.Sprintf("record %d stands here", l.seq))
	case at.line == 1 && c.segments[at.segment].first == l.seq:
		return c.fault(FaultMissing, at, fmt.Sprintf("records %d to %d are missing between the segment before and this one", at.seq, l.seq-1))
	}
	return c.fault(FaultRemoved, at, fmt.Sprintf("records %d to %d are missing", at.seq, l.seq-1))
}

// lookAhead reads on behind the line at the given place to the end of the log.
func (c *chain) lookAhead(ctx context.Context, at place, odd *line) (ahead, error) {
	s := scout{want: at.seq, prev: c.prev, first: true}
	if odd != nil {
		s.odd, s.hash = odd.seq, link(odd.hash)
	}
	for i := at.segment; i < len(c.segments); i++ {
		skip := 0
		if i == at.segment {
			skip = at.line
		}
		if err := s.read(ctx, filepath.Join(c.dir, c.segments[i].name), skip); err != nil {
			return s.ahead, err
		}
	}
	return s.ahead, nil
}

// scout gathers what lies ahead.
type scout struct {
	ahead
	want  uint64 // the record that belongs to the place
	prev  link   // what it would continue
	odd   uint64 // the record that stands there; 0 for none
	hash  link   // its hash
	first bool   // no line was seen yet
}

func (s *scout) read(ctx context.Context, path string, skip int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := newLines(f, 0)
	for n := 1; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		raw, err := in.next()
		if errors.Is(err, io.EOF) || errors.Is(err, errLong) {
			return nil
		}
		if err != nil {
			return err
		}
		if n > skip {
			s.see(raw)
		}
	}
}

func (s *scout) see(raw []byte) {
	l, err := parseLine(raw)
	whole := err == nil && l.checkSeal() == nil
	if whole {
		fits := l.seq == s.want && bytes.Equal(l.prev, s.prev[:])
		s.expected = s.expected || fits
		s.again = s.again || l.seq == s.odd && bytes.Equal(l.hash, s.hash[:])
		s.continues = s.continues || s.first && fits
		s.adopts = s.adopts || s.first && bytes.Equal(l.prev, s.hash[:])
	}
	s.first = false
}
