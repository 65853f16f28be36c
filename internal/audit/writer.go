package audit

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"
)

// writer owns the file at the end of the log. It is used by one goroutine.
//
// seq, prev and size describe what was acknowledged; a write that fails
// changes none of them, so what it left behind is overwritten or cut off.
type writer struct {
	dir   string
	opts  Options
	files files

	seg   segment
	f     file
	since time.Time // when the segment was begun
	size  int64     // of the acknowledged part of the segment
	seq   uint64    // of the last acknowledged record
	prev  link      // its hash

	// young are the last bytes of the acknowledged part: written, but perhaps
	// not on the disk. They are kept because a failed fsync may lose what the
	// system holds of them.
	young []byte
	out   []byte // memory for the next write

	noRotation time.Time // until then: the last rotation failed
}

// youngBytes bounds what a loss of power may take from those who did not ask for Durable.
const youngBytes = 1 << 20

func (w *writer) unsynced() bool { return len(w.young) > 0 }

// commit writes a group, durably when it must be. When it returns nil, the
// group's records have the sequence numbers that follow the former seq.
func (w *writer) commit(g *group) error {
	w.rotateIfDue()
	seq, prev, out := w.seq, w.prev, w.out[:0]
	for i := range g.ends {
		seq++
		out, prev = appendLine(out, seq, g.body(i), &prev)
	}
	if cap(out) <= youngBytes {
		w.out = out
	}
	if err := w.put(out, g.must); err != nil {
		return errors.Join(err, w.f.Truncate(w.size))
	}
	w.seq, w.prev, w.size = seq, prev, w.size+int64(len(out))
	return nil
}

// put writes lines behind the acknowledged part, and makes all durable when it
// must or when too much is young.
func (w *writer) put(out []byte, must bool) error {
	if _, err := w.f.WriteAt(out, w.size); err != nil {
		return err
	}
	if must || len(w.young)+len(out) > youngBytes {
		return w.sync()
	}
	w.young = append(w.young, out...)
	return nil
}

// sync makes all that was written durable, and sees to it that it is where
// readers will look for it.
func (w *writer) sync() error {
	if err := w.f.InPlace(w.path()); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return err
	}
	w.young = w.young[:0]
	return nil
}

func (w *writer) path() string { return filepath.Join(w.dir, w.seg.name) }

// rotateIfDue begins a new segment when the present one is full or old. When
// it cannot, the present one serves on.
func (w *writer) rotateIfDue() {
	now := time.Now()
	if w.size == 0 || (w.size < w.opts.SegmentBytes && now.Sub(w.since) < w.opts.SegmentAge) || now.Before(w.noRotation) {
		return
	}
	if err := w.rotate(); err != nil {
		w.noRotation = now.Add(w.opts.RetryMax)
		w.opts.Log.Warn("record stays in a segment that should have ended", slog.String("segment", w.seg.name), slog.Any("err", err))
	}
}

// rotate ends the segment durably and begins the next one.
func (w *writer) rotate() error {
	if err := w.sync(); err != nil {
		return err
	}
	return w.begin()
}

// begin makes the segment for the record that comes next.
func (w *writer) begin() error {
	seg := segment{segmentName(w.seq + 1), w.seq + 1}
	path := filepath.Join(w.dir, seg.name)
	f, err := w.files.Create(path)
	if err != nil {
		return err
	}
	if err := w.files.SyncDir(w.dir); err != nil {
		return errors.Join(err, f.Close(), w.files.Remove(path))
	}
	if w.f != nil {
		_ = w.f.Close() // it was synced; nothing hangs on it any more
	}
	w.seg, w.f, w.size, w.since = seg, f, 0, time.Now()
	return nil
}

// probeBytes is what the disk must take before a sick log believes in it.
const probeBytes = 64 << 10

// repair brings the log back to what was acknowledged, and tries whether the
// disk takes anything. What is young is written once more to the place where
// it already is: after a failed fsync the system may have forgotten that it
// still has to be written. From any step of it a kill leaves a good log.
func (w *writer) repair() error {
	if err := w.probe(); err != nil {
		return err
	}
	if err := w.f.Truncate(w.size); err != nil {
		return err
	}
	if _, err := w.f.WriteAt(w.young, w.size-int64(len(w.young))); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return err
	}
	w.young = w.young[:0]
	moved := w.f.InPlace(w.path())
	if w.size == 0 && moved == nil {
		return nil
	}
	if err := w.begin(); err != nil && moved != nil {
		return errors.Join(moved, err)
	}
	return nil
}

// probe writes and removes a file of its own.
func (w *writer) probe() (err error) {
	path := filepath.Join(w.dir, "probe")
	if err := w.files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := w.files.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), w.files.Remove(path)) }()
	if _, err := f.WriteAt(make([]byte, probeBytes), 0); err != nil {
		return err
	}
	return f.Sync()
}

func (w *writer) close() error { return w.f.Close() }
