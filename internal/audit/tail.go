package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// TailOptions say how much of the end is wanted.
type TailOptions struct {
	N      int  // how many of the records that are there; at most 100,000
	Follow bool // and every further one
	Filter Filter
}

const (
	maxTail  = 100_000
	pollTail = 100 * time.Millisecond
)

// Tail gives the last records in dir that the filter takes, in the order of
// the log; with Follow also every further one, until ctx ends, which is then
// no error. Besides that it is like [Read].
func Tail(ctx context.Context, dir string, o TailOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		t := tail{dir: dir, sieve: newSieve(o.Filter), yield: yield}
		defer t.close()
		err := t.start(ctx, min(max(o.N, 0), maxTail))
		for err == nil {
			err = t.advance(ctx)
			if err == nil && !o.Follow {
				return
			}
			if err == nil {
				err = pause(ctx)
			}
		}
		if errors.Is(err, errStop) || (o.Follow && ctx.Err() != nil) {
			return
		}
		yield(Entry{}, fmt.Errorf("tail the record: %w", err))
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(pollTail):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tail reads on from one segment to the next.
type tail struct {
	dir   string
	sieve *sieve
	yield func(Entry, error) bool
	cur   *cursor // nil while the log has no segment
}

func (t *tail) close() {
	if t.cur != nil {
		t.cur.close()
	}
}

// start places the cursor before the last n records.
func (t *tail) start(ctx context.Context, n int) error {
	segments, err := listSegments(t.dir)
	if err != nil {
		return err
	}
	for i := len(segments) - 1; i >= 0; i-- {
		t.close()
		if t.cur, err = openCursor(t.dir, segments[i], mark{}); err != nil {
			return err
		}
		marks, end, err := t.cur.lastMarks(ctx, t.sieve, n)
		if err != nil {
			return err
		}
		if n == 0 {
			return t.move(segments[i], end)
		}
		if len(marks) == n {
			return t.move(segments[i], marks[0])
		}
		if i == 0 {
			return t.move(segments[0], mark{})
		}
		n -= len(marks)
	}
	return nil
}

// move puts the cursor to another place.
func (t *tail) move(seg segment, to mark) error {
	c, err := openCursor(t.dir, seg, to)
	if err != nil {
		return err
	}
	t.close()
	t.cur = c
	return nil
}

// advance gives all that there is by now.
func (t *tail) advance(ctx context.Context) error {
	for {
		if t.cur != nil {
			if err := t.cur.drain(ctx, t.sieve, t.yield); err != nil {
				return err
			}
		}
		next, found, err := t.next()
		if err != nil || !found {
			return err
		}
		if t.cur != nil { // what was written before the next segment began
			if err := t.cur.drain(ctx, t.sieve, t.yield); err != nil {
				return err
			}
		}
		if err := t.move(next, mark{}); err != nil {
			return err
		}
	}
}

// next returns the segment that follows when there is one with records.
func (t *tail) next() (segment, bool, error) {
	candidates, err := t.candidates()
	if err != nil {
		return segment{}, false, err
	}
	for _, seg := range candidates {
		info, err := os.Lstat(filepath.Join(t.dir, seg.name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return segment{}, false, err
		}
		if err == nil && info.Size() > 0 {
			return seg, true, nil
		}
	}
	return segment{}, false, nil
}

// candidates are the segments that may follow. Mostly the name of the next one
// is known, which saves looking through the folder.
func (t *tail) candidates() ([]segment, error) {
	if t.cur == nil {
		return listSegments(t.dir)
	}
	if err := t.rewind(); err != nil {
		return nil, err
	}
	if last := t.cur.last; last > 0 {
		return []segment{{segmentName(last + 1), last + 1}}, nil
	}
	all, err := listSegments(t.dir)
	return slices.DeleteFunc(all, func(s segment) bool { return s.first <= t.cur.seg.first }), err
}

// rewind sees to it that the cursor is not behind the end: a gateway whose
// disk failed takes back what it has not acknowledged.
func (t *tail) rewind() error {
	info, err := t.cur.f.Stat()
	if err != nil || info.Size() >= t.cur.in.offset {
		return err
	}
	return t.move(t.cur.seg, mark{offset: info.Size(), lines: t.cur.n})
}
