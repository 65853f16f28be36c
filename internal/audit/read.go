package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"durward"
)

// Entry is one line of the log. It is valid until the next one is read.
type Entry struct {
	Seq  uint64
	JSON []byte // as it stands in the file
}

// Record decodes the entry.
func (e Entry) Record() (durward.Record, error) {
	var r durward.Record
	if err := json.Unmarshal(e.JSON, &r); err != nil {
		return r, fmt.Errorf("decode record %d: %w", e.Seq, err)
	}
	return r, nil
}

// Read gives the records in dir in the order of the log, up to those that are
// there when it comes to the end; a gateway may be writing meanwhile. It does
// not check the chain ([Verify] does). A line that cannot be read is an error
// that is a [*Fault]; whoever goes on gets the lines after it.
func Read(ctx context.Context, dir string, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		segments, err := listSegments(dir)
		if err != nil {
			yield(Entry{}, fmt.Errorf("read the record: %w", err))
			return
		}
		s := newSieve(f)
		for i, seg := range segments {
			if i+1 < len(segments) && segments[i+1].first <= f.After+1 {
				continue // all of it is older than what is asked for
			}
			if err = readSegment(ctx, dir, seg, s, yield); err != nil {
				break
			}
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, fmt.Errorf("read the record: %w", err))
		}
	}
}

func readSegment(ctx context.Context, dir string, seg segment, s *sieve, yield func(Entry, error) bool) error {
	c, err := openCursor(dir, seg, mark{})
	if err != nil {
		return err
	}
	defer c.close()
	return c.drain(ctx, s, yield)
}

// Export writes the records in dir as JSON lines, oldest first, as they stand
// in the log. Lines that cannot be read are left out, and the error says which
// was the first of them.
func Export(ctx context.Context, dir string, f Filter, w io.Writer) error {
	return ExportAs(ctx, dir, f, w, nil)
}

// ExportAs is Export with each line as form appends it.
func ExportAs(ctx context.Context, dir string, f Filter, w io.Writer, form func(dst []byte, e Entry) ([]byte, error)) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var buf []byte
	var first *Fault
	skipped := 0
	for e, err := range Read(ctx, dir, f) {
		var bad *Fault
		switch {
		case errors.As(err, &bad):
			if skipped++; first == nil {
				first = bad
			}
			continue
		case err != nil:
			return errors.Join(err, out.Flush())
		}
		text := e.JSON
		if form != nil {
			if buf, err = form(buf[:0], e); err != nil {
				return errors.Join(fmt.Errorf("export the record: %w", err), out.Flush())
			}
			text = buf
		}
		_, err = out.Write(text)
		if err := errors.Join(err, out.WriteByte('\n')); err != nil {
			return fmt.Errorf("export the record: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export the record: %w", err)
	}
	if first != nil {
		return fmt.Errorf("export the record: %d lines were left out, the first is %w", skipped, first)
	}
	return nil
}
