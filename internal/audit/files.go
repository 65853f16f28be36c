package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// files is all that the writer asks of a disk; tests put a failing one here.
type files interface {
	Create(path string) (file, error) // for writing; refuses a file that exists
	Open(path string) (file, error)   // for writing, at the given offsets
	Remove(path string) error
	SyncDir(path string) error
}

type file interface {
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
	// InPlace says with an error that path no longer leads to this file.
	InPlace(path string) error
	Close() error
}

type disk struct{}

func (disk) Create(path string) (file, error) {
	return openDisk(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

func (disk) Open(path string) (file, error) { return openDisk(path, os.O_WRONLY) }

func (disk) Remove(path string) error { return os.Remove(path) }

func (disk) SyncDir(path string) error { return syncDir(path) }

func openDisk(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

type diskFile struct{ *os.File }

// Sync makes content and length durable, without the times that fsync adds
// where the system can tell them apart.
func (f diskFile) Sync() error { return syncData(f.File) }

func (f diskFile) InPlace(path string) error {
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	theirs, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s was removed or renamed while the gateway wrote it", filepath.Base(path))
	}
	if err != nil {
		return err
	}
	if !os.SameFile(ours, theirs) {
		return fmt.Errorf("%s was replaced by another file while the gateway wrote it", filepath.Base(path))
	}
	return nil
}

// segment is one file of the log.
type segment struct {
	name  string
	first uint64 // by its name
}

// listSegments returns the segments in dir in their order. One that holds
// nothing and is not the last was left by a rotation that failed: the segment
// before it was written on.
func listSegments(dir string) ([]segment, error) {
	seen, err := segmentNames(dir)
	if err != nil || len(seen) == 0 {
		return seen, err
	}
	// A folder that grows while it is read may give the newest file and not the
	// one before it. What was there by now, a second reading gives whole.
	all, err := segmentNames(dir)
	if err != nil {
		return nil, err
	}
	newest := seen[len(seen)-1].name
	all = slices.DeleteFunc(all, func(s segment) bool { return s.name > newest })
	held := all[:0]
	for i, seg := range all {
		if i < len(all)-1 {
			if info, err := os.Lstat(filepath.Join(dir, seg.name)); err == nil && info.Size() == 0 {
				continue
			}
		}
		held = append(held, seg)
	}
	return held, nil
}

// segmentNames reads the folder once.
func segmentNames(dir string) (all []segment, _ error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if first, ok := segmentFirst(e.Name()); ok && e.Type().IsRegular() {
			all = append(all, segment{e.Name(), first})
		}
	}
	slices.SortFunc(all, func(a, b segment) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

func segmentFirst(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != len(segmentName(0))-len(segmentSuffix) {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0 && segmentName(first) == name
}
