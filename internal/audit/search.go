package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Query is a search.
type Query struct {
	Filter
	Limit int // of records, the newest; 0 for all
}

// Search gives the records that a query takes, oldest first; with a limit the
// newest of them. It reads only the blocks that the index does not rule out,
// and what has no index yet. A gateway may be writing meanwhile.
func Search(ctx context.Context, dir string, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := search(ctx, dir, q, yield)
		if err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, fmt.Errorf("search the record: %w", err))
		}
	}
}

func search(ctx context.Context, dir string, q Query, yield func(Entry, error) bool) error {
	segments, err := listSegments(dir)
	if err != nil {
		return err
	}
	s := newSieve(q.Filter)
	if q.Limit <= 0 {
		for i, seg := range segments {
			last := i == len(segments)-1
			if !last && segments[i+1].first <= q.After+1 {
				continue
			}
			if err := searchSegment(ctx, dir, seg, last, s, yield); err != nil {
				return err
			}
		}
		return nil
	}
	found, err := newest(ctx, dir, segments, s, min(q.Limit, maxTail))
	for _, e := range found {
		if !yield(e, nil) {
			return errStop
		}
	}
	return err
}

// newest gathers the last n entries, from the end to the front.
func newest(ctx context.Context, dir string, segments []segment, s *sieve, n int) ([]Entry, error) {
	var found []Entry
	for i := len(segments) - 1; i >= 0 && len(found) < n; i-- {
		var here []Entry
		err := searchSegment(ctx, dir, segments[i], i == len(segments)-1, s, func(e Entry, err error) bool {
			if err != nil {
				return true // verify tells of it
			}
			here = append(here, Entry{e.Seq, bytes.Clone(e.JSON)})
			if len(here) > 2*n {
				here = append(here[:0], here[len(here)-n:]...)
			}
			return true
		})
		if err != nil {
			return found, err
		}
		here = here[max(0, len(here)-(n-len(found))):]
		found = slices.Concat(here, found)
	}
	return found, nil
}

// searchSegment reads what the index of a segment leaves of it.
func searchSegment(ctx context.Context, dir string, seg segment, grows bool, s *sieve, yield func(Entry, error) bool) error {
	var x *segmentIndex
	if !grows {
		x, _ = loadIndex(dir, seg) // without one it is read whole
	}
	if x == nil {
		return readSegment(ctx, dir, seg, s, yield)
	}
	for i := range x.Blocks {
		b := &x.Blocks[i]
		if !s.may(b) {
			continue
		}
		if err := readBlock(ctx, dir, seg, b, s, yield); err != nil {
			return err
		}
	}
	return nil
}

func readBlock(ctx context.Context, dir string, seg segment, b *span, s *sieve, yield func(Entry, error) bool) error {
	c, err := openCursor(dir, seg, mark{offset: b.Offset, lines: b.Before, seq: b.First - 1})
	if err != nil {
		return err
	}
	defer c.close()
	c.until = b.Offset + b.Bytes
	return c.drain(ctx, s, yield)
}
