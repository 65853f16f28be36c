package audit_test

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"durward/internal/audit"
)

// badDisk is a disk that fills up, fails, is slow and loses power. Its zero
// value is a good one.
type badDisk struct {
	mu       sync.Mutex
	full     bool          // takes half of a write and no more
	fullFor  string        // full for files with this extension
	failing  error         // of every sync
	readOnly bool          // refuses everything
	slow     time.Duration // of every sync
	chaos    *rand.Rand    // fails at random when set
	unsafe   bool          // syncs nothing, which is fast
	off      bool          // the power went off

	durable map[string][]byte // what a loss of power leaves, by path
	dirty   map[string][]span // what the next sync would make durable
	named   map[string]bool   // files whose names are durable
	syncs   int
}

type span struct{ from, to int64 }

func (d *badDisk) set(change func(*badDisk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *badDisk) roll(oneIn int) bool { return d.chaos != nil && d.chaos.IntN(oneIn) == 0 }

func (d *badDisk) refusal() error {
	switch {
	case d.off:
		return errors.New("no power")
	case d.readOnly:
		return syscall.EROFS
	case d.roll(60):
		return syscall.EIO
	}
	return nil
}

func (d *badDisk) Create(path string) (audit.File, error) {
	return d.wrap(path, audit.Disk().Create)
}

func (d *badDisk) Open(path string) (audit.File, error) { return d.wrap(path, audit.Disk().Open) }

func (d *badDisk) wrap(path string, open func(string) (audit.File, error)) (audit.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refusal(); err != nil {
		return nil, err
	}
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &badFile{f, d, path}, nil
}

func (d *badDisk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refusal(); err != nil {
		return err
	}
	return audit.Disk().Remove(path)
}

func (d *badDisk) SyncDir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refusal(); err != nil {
		return err
	}
	d.named = map[string]bool{}
	all, err := filepath.Glob(filepath.Join(path, "*"))
	for _, name := range all {
		d.named[name] = true
	}
	return err
}

// powerOff stops the disk and writes into dir what may be left of the log:
// of each file what was durable, and by chance some or all of what was not.
func (d *badDisk) powerOff(t *testing.T, rnd *rand.Rand, dir string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	for path, durable := range maps.Clone(d.durable) {
		now, err := os.ReadFile(path)
		gone := errors.Is(err, os.ErrNotExist)
		if err != nil && !gone {
			t.Fatal(err)
		}
		if gone || filepath.Ext(path) != ".jsonl" || (!d.named[path] && rnd.IntN(2) == 0) {
			continue
		}
		left := durable
		if bytes.HasPrefix(now, durable) && len(now) > len(durable) {
			left = now[:len(durable)+rnd.IntN(len(now)-len(durable)+1)]
		}
		write(t, filepath.Join(dir, filepath.Base(path)), left)
	}
}

type badFile struct {
	audit.File
	d    *badDisk
	path string
}

func (f *badFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.full || (f.d.fullFor != "" && f.d.fullFor == filepath.Ext(f.path)) || f.d.roll(40) {
		n, err := f.put(p[:len(p)/2], off)
		return n, errors.Join(err, syscall.ENOSPC)
	}
	if err := f.d.refusal(); err != nil {
		return 0, err
	}
	return f.put(p, off)
}

func (f *badFile) put(p []byte, off int64) (int, error) {
	if f.d.dirty == nil {
		f.d.dirty = map[string][]span{}
	}
	f.d.dirty[f.path] = append(f.d.dirty[f.path], span{off, off + int64(len(p))})
	return f.File.WriteAt(p, off)
}

func (f *badFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.refusal(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *badFile) Sync() error {
	f.d.mu.Lock()
	slow, unsafe := f.d.slow, f.d.unsafe
	f.d.mu.Unlock()
	if unsafe {
		return nil
	}
	time.Sleep(slow)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.syncs++
	if f.d.roll(20) && f.d.roll(2) { // it fails, and yet the data are there
		return errors.Join(syscall.EIO, f.settle())
	}
	err := errors.Join(f.d.refusal(), f.d.failing)
	if f.d.roll(30) {
		err = syscall.EIO
	}
	if err != nil {
		delete(f.d.dirty, f.path) // the system forgets what it could not write
		return err
	}
	return f.settle()
}

// settle makes durable what was written since the last sync.
func (f *badFile) settle() error {
	now, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if f.d.durable == nil {
		f.d.durable = map[string][]byte{}
	}
	left := make([]byte, len(now)) // what was forgotten reads as zeros
	copy(left, f.d.durable[f.path])
	for _, s := range f.d.dirty[f.path] {
		if s.from < int64(len(now)) {
			copy(left[s.from:], now[s.from:min(s.to, int64(len(now)))])
		}
	}
	delete(f.d.dirty, f.path)
	f.d.durable[f.path] = left
	return err
}
