package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"durward/internal/audit/merkle"
	"durward/internal/audit/publish"
)

// Errors of proofs.
var (
	ErrNoRecord   = errors.New("there is no such record")
	ErrNotCovered = errors.New("no checkpoint covers it yet")
)

// Prove proves that the record with an id, or with a sequence number, is in
// the tree of the last checkpoint.
func Prove(ctx context.Context, dir, which string) (*merkle.Proof, error) {
	entry, err := find(ctx, dir, which)
	if err != nil {
		return nil, err
	}
	signed, err := covering(dir, int64(entry.Seq))
	if err != nil {
		return nil, err
	}
	keys, err := ReadKeys(dir)
	if err != nil {
		return nil, err
	}
	return merkle.Tiles{Dir: dir}.Include(entry.JSON, int64(entry.Seq)-1, signed, keys)
}

// covering is a checkpoint over the record seq: one that a witness signed, if
// that covers it, else the last one.
func covering(dir string, seq int64) ([]byte, error) {
	if signed, err := os.ReadFile(filepath.Join(dir, publish.CosignedName)); err == nil {
		if c, err := merkle.Read(signed); err == nil && seq <= c.N {
			return signed, nil
		}
	}
	signed, err := Checkpoint(dir)
	if err != nil {
		return nil, err
	}
	c, err := merkle.Read(signed)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", checkpointName, err)
	}
	if seq > c.N {
		return nil, fmt.Errorf("record %d: %w", seq, ErrNotCovered)
	}
	return signed, nil
}

// find looks for a record by its id, else by its sequence number.
func find(ctx context.Context, dir, which string) (Entry, error) {
	f, limit := Filter{ID: which}, 1
	if seq, err := strconv.ParseUint(which, 10, 64); err == nil && seq > 0 {
		f, limit = Filter{After: seq - 1, All: true}, 0
	}
	for e, err := range Search(ctx, dir, Query{Filter: f, Limit: limit}) {
		if err != nil {
			return Entry{}, err
		}
		if f.All && strconv.FormatUint(e.Seq, 10) != which {
			break
		}
		return Entry{e.Seq, bytes.Clone(e.JSON)}, nil
	}
	return Entry{}, fmt.Errorf("record %s: %w", which, ErrNoRecord)
}

// Checkpoint is the last signed checkpoint.
func Checkpoint(dir string) ([]byte, error) {
	signed, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotCovered
	}
	return signed, err
}

// CheckpointAt is the last checkpoint that was signed over so many records.
func CheckpointAt(dir string, size int64) ([]byte, error) {
	var found []byte
	_, err := eachLine(filepath.Join(dir, historyName), func(_ int, e HistoryEntry) error {
		if e.Size == size {
			found = []byte(e.Note)
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("no checkpoint was signed over %d records; `durward audit checkpoints` lists them", size)
	}
	return found, err
}

// History lists the checkpoints, the oldest first.
func History(dir string) ([]HistoryEntry, error) {
	var all []HistoryEntry
	_, err := eachLine(filepath.Join(dir, historyName), func(_ int, e HistoryEntry) error { all = append(all, e); return nil })
	return all, err
}

// ProveConsistency proves that the log of one checkpoint is that of another
// with records behind it.
func ProveConsistency(dir string, old, signed []byte) (*merkle.Proof, error) {
	keys, err := ReadKeys(dir)
	if err != nil {
		return nil, err
	}
	return merkle.Tiles{Dir: dir}.Extend(old, signed, keys)
}
