package audit

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
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

	repeated func() [][]byte // intents that a new segment begins with
	first    uint64          // sequence number of the first record of the last group
}

const (
	// youngBytes bounds what a loss of power may take from those who did not ask for Durable.
	youngBytes = 1 << 20
	portion    = 64 << 10 // of one write
)

func (w *writer) unsynced() bool { return len(w.young) > 0 }

// commit writes a group, durably when it must be. When it returns nil, the
// group's records have the sequence numbers that follow the former seq.
func (w *writer) commit(g *group) error {
	if err := w.rotateIfDue(); err != nil {
		return err
	}
	t := take{seq: w.seq, prev: w.prev, size: w.size, young: len(w.young)}
	var err error
	if w.size == 0 && w.seq > 0 {
		err = w.repeat(&t)
	}
	first := t.seq + 1
	if err == nil {
		err = w.put(g, &t)
	}
	if err == nil && g.must {
		err = w.sync()
	}
	if err != nil {
		w.young = w.young[:min(t.young, len(w.young))]
		return errors.Join(err, w.f.Truncate(w.size))
	}
	w.seq, w.prev, w.size, w.first = t.seq, t.prev, t.size, first
	return nil
}

// repeat begins a segment with the intents that are open.
func (w *writer) repeat(t *take) error {
	open := newGroup(nil)
	for _, body := range w.repeated() {
		open.add(body, Durable, "")
	}
	if open.empty() {
		return nil
	}
	return w.put(open, t)
}

// take is a state of the log that is not acknowledged yet.
type take struct {
	seq   uint64
	prev  link
	size  int64
	young int // how many of the young bytes were there before
}

// put writes the lines of a group behind the acknowledged part, a portion at a time.
func (w *writer) put(g *group, t *take) error {
	if w.out == nil {
		w.out = make([]byte, 0, portion+portion/8)
	}
	out := w.out[:0]
	for i := range g.ends {
		t.seq++
		out, t.prev = appendLine(out, t.seq, g.body(i), &t.prev)
		if len(out) >= portion {
			if err := w.write(out, t); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	return w.write(out, t)
}

// write writes some lines and, when too much is young, makes all durable.
func (w *writer) write(out []byte, t *take) error {
	if _, err := w.f.WriteAt(out, t.size); err != nil {
		return err
	}
	t.size += int64(len(out))
	if len(w.young)+len(out) <= youngBytes {
		w.young = append(w.young, out...)
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	t.young = 0
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

// rotateIfDue ends a segment that is full or old and begins the next one. When
// that cannot be made, the present one serves on.
func (w *writer) rotateIfDue() error {
	now := time.Now()
	if w.size == 0 || (w.size < w.opts.SegmentBytes && now.Sub(w.since) < w.opts.SegmentAge) || now.Before(w.noRotation) {
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	if err := w.begin(); err != nil {
		w.noRotation = now.Add(w.opts.RetryMax)
		w.opts.Log.Warn("record stays in a segment that should have ended", slog.String("segment", w.seg.name), slog.Any("err", err))
	}
	return nil
}

// begin makes the segment for the record that comes next.
func (w *writer) begin() error {
	seg := segment{segmentName(w.seq + 1), w.seq + 1}
	path := filepath.Join(w.dir, seg.name)
	if info, err := os.Lstat(path); err == nil && info.Size() == 0 { // an attempt that failed
		if err := w.files.Remove(path); err != nil {
			return err
		}
	}
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

const probeName = "probe"

// probe writes and removes a file of its own.
func (w *writer) probe() (err error) {
	path := filepath.Join(w.dir, probeName)
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
