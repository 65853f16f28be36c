package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// follower reads a log line by line, never beyond a record that is known to be
// safe, and checks that each continues the one before.
type follower struct {
	seg  segment
	mark mark
	seq  uint64 // of the last line; 0 before the first
	prev link
}

// begin places the follower so that it will come by the record seq.
func (f *follower) begin(segments []segment, seq uint64) {
	f.seg = segments[0]
	for _, s := range segments {
		if s.first <= seq {
			f.seg = s
		}
	}
	f.mark, f.seq, f.prev = mark{}, f.seg.first-1, genesis()
}

// follow gives the lines up to the record until to each. It opens the file
// anew every time: what stood behind the last safe record may have been
// written anew since.
func (f *follower) follow(dir string, until uint64, each func(line) error) error {
	c, err := openCursor(dir, f.seg, f.mark)
	if err != nil {
		return err
	}
	defer func() { c.close() }()
	for f.seq < until {
		l, err := c.next()
		if errors.Is(err, io.EOF) {
			next, err := f.nextSegment(dir)
			if err != nil {
				return err
			}
			c.close()
			c = next
			continue
		}
		if err != nil {
			return err
		}
		if err := f.check(&l, c); err != nil {
			return err
		}
		if err := each(l); err != nil {
			return err
		}
		f.seq, f.prev, f.mark = l.seq, link(l.hash), c.mark()
	}
	return nil
}

func (f *follower) nextSegment(dir string) (*cursor, error) {
	name := segmentName(f.seq + 1)
	if name == f.seg.name {
		return nil, &Fault{Kind: FaultRemoved, Segment: name, Seq: f.seq + 1, Detail: "the segment lost its lines"}
	}
	seg := segment{name, f.seq + 1}
	c, err := openCursor(dir, seg, mark{})
	if err != nil {
		return nil, fmt.Errorf("read on after record %d: %w", f.seq, err)
	}
	f.seg, f.mark = seg, mark{}
	return c, nil
}

func (f *follower) check(l *line, c *cursor) error {
	fault := func(detail string) error {
		return &Fault{Kind: FaultChanged, Segment: c.seg.name, Line: c.n, Seq: f.seq + 1, Detail: detail}
	}
	switch {
	case l.seq != f.seq+1:
		return fault(fmt.Sprintf("record %d stands here", l.seq))
	case l.checkSeal() != nil:
		return fault(errSeal.Error())
	case f.mark.lines == 0 && f.prev == genesis() && f.seq > 0: // the first that is read; the tree covers what it names
		return nil
	case !bytes.Equal(l.prev, f.prev[:]):
		return fault("it does not continue the record before it")
	}
	return nil
}
