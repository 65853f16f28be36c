package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// openWriter finds the end of the log and makes it fit to be continued.
func openWriter(dir string, o Options, on files) (*writer, error) {
	w := &writer{dir: dir, opts: o, files: on, prev: genesis()}
	for {
		segments, err := listSegments(dir)
		if err != nil {
			return nil, err
		}
		if len(segments) == 0 {
			return w, w.begin()
		}
		if held := withoutEmptyEnd(dir, segments); len(held) < len(segments) {
			// A segment that was begun and could not be removed again; the one
			// before it was written on, and may end within a line.
			path := filepath.Join(dir, segments[len(segments)-1].name)
			if err := errors.Join(on.Remove(path), on.SyncDir(dir)); err != nil {
				return nil, err
			}
			continue
		}
		found, err := w.resume(segments)
		if err != nil || found {
			return w, err
		}
	}
}

// withoutEmptyEnd leaves out the segments at the end that hold nothing.
func withoutEmptyEnd(dir string, segments []segment) []segment {
	for n := len(segments); n > 1; n-- {
		info, err := os.Lstat(filepath.Join(dir, segments[n-1].name))
		if err != nil || info.Size() > 0 {
			return segments[:n]
		}
	}
	return segments[:min(1, len(segments))]
}

// resume continues the last segment. It returns false when the segment held no
// whole line and was taken away.
func (w *writer) resume(segments []segment) (bool, error) {
	w.seg = segments[len(segments)-1]
	c, err := lastSegment(w.dir, segments)
	if err != nil {
		return false, refuse(err)
	}
	if c.torn != nil {
		if err := w.cut(c); err != nil {
			return false, fmt.Errorf("cut the torn end of %s: %w", w.seg.name, err)
		}
	}
	info, err := os.Lstat(w.path())
	if err != nil {
		return false, err
	}
	if info.Size() == 0 {
		return false, errors.Join(w.files.Remove(w.path()), w.files.SyncDir(w.dir))
	}
	if w.f, err = w.files.Open(w.path()); err != nil {
		return false, err
	}
	w.seq, w.prev, w.size, w.since = c.seq, c.prev, info.Size(), c.began
	// What an earlier process wrote without a sync becomes durable now.
	return true, w.f.Sync()
}

// lastSegment checks the last segment, and that it continues the one before.
func lastSegment(dir string, segments []segment) (*chain, error) {
	c := &chain{dir: dir, segments: segments, prev: genesis()}
	c.visit = func(l line) {
		if c.began.IsZero() {
			c.began = earlier(when(l.time), time.Now())
		}
	}
	n := len(segments)
	for i := n - 2; i >= 0 && c.seq == 0; i-- {
		if err := c.skipTo(i); err != nil {
			return nil, err
		}
	}
	c.headless = c.seq == 0
	return c, c.follow(context.Background(), n-1)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// skipTo takes the state of the chain from the last line of segment i; an
// empty segment leaves it as it is.
func (c *chain) skipTo(i int) error {
	f, err := os.Open(filepath.Join(c.dir, c.segments[i].name))
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return err
	}
	from := max(0, size-maxLine-1)
	tail := make([]byte, size-from)
	if _, err := f.ReadAt(tail, from); err != nil {
		return err
	}
	at := place{segment: i, offset: from, seq: c.segments[i+1].first - 1}
	body, ok := cutBreak(tail)
	if !ok {
		return c.fault(FaultChanged, at, "the segment ends within a line")
	}
	l, err := inspect(body, c.strict)
	if err != nil {
		return c.fault(FaultChanged, at, "its last line: "+err.Error())
	}
	c.seq, c.prev = l.seq, link(l.hash)
	return nil
}

// cutBreak returns the last line of tail without its line break.
func cutBreak(tail []byte) ([]byte, bool) {
	n := len(tail) - 1
	if tail[n] != '\n' {
		return nil, false
	}
	for i := n - 1; i >= 0; i-- {
		if tail[i] == '\n' {
			return tail[i+1 : n], true
		}
	}
	return tail[:n], true
}

// cut takes the half-written end off the last segment and keeps it aside.
func (w *writer) cut(c *chain) error {
	aside, err := w.keepAside(c.torn, c.seq+1)
	if err != nil {
		return err
	}
	f, err := w.files.Open(w.path())
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(c.torn.Offset), f.Sync(), f.Close()); err != nil {
		return err
	}
	w.opts.Log.Warn("record ended within a line; the line was never acknowledged and is kept aside",
		slog.String("segment", w.seg.name), slog.Int64("offset", c.torn.Offset), slog.Int64("bytes", c.torn.Bytes), slog.String("aside", aside))
	return nil
}

// keepAside copies a torn end to a file of its own and returns its name.
func (w *writer) keepAside(t *Torn, next uint64) (string, error) {
	src, err := os.Open(w.path())
	if err != nil {
		return "", err
	}
	defer src.Close()
	end := make([]byte, t.Bytes) // which is no longer than a line
	if _, err := src.ReadAt(end, t.Offset); err != nil {
		return "", err
	}
	name, dst, err := w.createTorn(next)
	if err != nil {
		return "", err
	}
	_, err = dst.WriteAt(end, 0)
	if err := errors.Join(err, dst.Sync(), dst.Close(), w.files.SyncDir(w.dir)); err != nil {
		return "", errors.Join(err, w.files.Remove(filepath.Join(w.dir, name)))
	}
	return name, nil
}

// createTorn makes the file for a torn end: it is named after the record that
// was being written, which may happen more than once.
func (w *writer) createTorn(next uint64) (string, file, error) {
	const most = 1000
	name := numbered(next, tornSuffix)
	for i := 2; i < most; i++ {
		f, err := w.files.Create(filepath.Join(w.dir, name))
		if !errors.Is(err, fs.ErrExist) {
			return name, f, err
		}
		name = numbered(next, "-"+strconv.Itoa(i)+tornSuffix)
	}
	return "", nil, fmt.Errorf("%d torn ends of one record lie here already: look into the disk, then move them away", most)
}

// refuse tells the operator what to do with a log that cannot be continued.
func refuse(err error) error {
	var f *Fault
	if !errors.As(err, &f) {
		return err
	}
	return fmt.Errorf("the log is not what was written, and was left as it is: %w; look into it with `durward audit verify`, "+
		"then put back the right files, or move the folder away as evidence and a new log begins", f)
}
