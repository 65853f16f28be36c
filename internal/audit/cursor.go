package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// mark is a place between two lines of a segment.
type mark struct {
	offset int64
	lines  int    // that stand before it
	seq    uint64 // of the record before it, as far as known
}

// cursor reads one segment, which may still grow.
type cursor struct {
	seg  segment
	f    *os.File
	in   *lines
	n    int    // lines read
	last uint64 // sequence number of the last whole line; 0 when not known
	lost bool   // what follows cannot be divided into lines

	until int64 // offset at which to stop; 0 for none
}

func openCursor(dir string, seg segment, from mark) (*cursor, error) {
	f, err := os.Open(filepath.Join(dir, seg.name))
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(from.offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &cursor{seg: seg, f: f, in: newLines(f, from.offset), n: from.lines, last: from.seq}, nil
}

func (c *cursor) close() { _ = c.f.Close() } // it was only read

func (c *cursor) mark() mark { return mark{c.in.offset, c.n, c.last} }

// next returns the next line; io.EOF when there is none yet, a *Fault for a
// line that is none of ours.
func (c *cursor) next() (line, error) {
	if c.lost || c.until > 0 && c.in.offset >= c.until {
		return line{}, io.EOF
	}
	at := c.in.offset
	raw, err := c.in.next()
	if errors.Is(err, io.EOF) {
		return line{}, io.EOF
	}
	c.n++
	if errors.Is(err, errLong) {
		c.lost = true
		return line{}, c.fault(at, err)
	}
	if err != nil {
		return line{}, fmt.Errorf("read %s: %w", c.seg.name, err)
	}
	l, err := parseLine(raw)
	if err != nil {
		return l, c.fault(at, err)
	}
	c.last = l.seq
	return l, nil
}

func (c *cursor) fault(offset int64, err error) error {
	return &Fault{Kind: FaultChanged, Segment: c.seg.name, Line: c.n, Offset: offset, Seq: c.last + 1, Detail: err.Error()}
}

// errStop says that whoever asked has heard enough.
var errStop = errors.New("stopped")

// drain gives the records up to the present end of the segment.
func (c *cursor) drain(ctx context.Context, s *sieve, yield func(Entry, error) bool) error {
	for n := 0; ; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l, err := c.next()
		var bad *Fault
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			if !yield(Entry{}, err) {
				return errStop
			}
		case err != nil:
			return err
		case s.takes(&l):
			if !yield(Entry{l.seq, l.raw}, nil) {
				return errStop
			}
		}
	}
}

// lastMarks returns the places before the last n records that s takes, and the
// place behind the last line.
func (c *cursor) lastMarks(ctx context.Context, s *sieve, n int) ([]mark, mark, error) {
	var marks []mark
	for at := c.mark(); ; at = c.mark() {
		if c.n%checkEvery == 0 && ctx.Err() != nil {
			return nil, at, context.Cause(ctx)
		}
		l, err := c.next()
		var bad *Fault
		switch {
		case errors.Is(err, io.EOF):
			return marks[max(0, len(marks)-n):], at, nil
		case errors.As(err, &bad):
		case err != nil:
			return nil, at, err
		case s.takes(&l):
			if len(marks) > 2*n {
				marks = append(marks[:0], marks[len(marks)-n:]...)
			}
			marks = append(marks, at)
		}
	}
}
