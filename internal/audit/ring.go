package audit

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"durward/internal/audit/merkle"
)

// Names of what lies beside the segments.
const (
	keysName       = "keys.log"        // public keys, JSON lines
	historyName    = "checkpoints.log" // all checkpoints, JSON lines
	checkpointName = "checkpoint"      // the last one (C2SP tlog-tiles)
)

// ring is the signing key and the list of public keys.
type ring struct {
	key  merkle.Key
	list []merkle.KeyEntry
}

// openRing reads the key at path, and makes one for a log that has none yet.
func openRing(dir, path, origin string) (ring, error) {
	list, err := ReadKeys(dir)
	if err != nil {
		return ring{}, err
	}
	key, err := readKey(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(list) == 0:
		return firstRing(dir, path, origin)
	case errors.Is(err, fs.ErrNotExist):
		if key, err = readKey(path + ".new"); err != nil {
			return ring{}, fmt.Errorf("the record was signed with a key that is gone (%s): put it back, or move the folder %s away as evidence and a new log begins", path, dir)
		}
	case err != nil:
		return ring{}, err
	}
	if len(list) == 0 {
		return ring{}, fmt.Errorf("%s is gone, although there is a key: put it back", filepath.Join(dir, keysName))
	}
	last := list[len(list)-1].Key
	if key.Public == last {
		return ring{key, list}, nil
	}
	// A rotation that was cut off: the list names the next key already.
	next, err := readKey(path + ".new")
	if err != nil || next.Public != last {
		return ring{}, fmt.Errorf("the key in %s is not the last one of %s", path, keysName)
	}
	return ring{next, list}, os.Rename(path+".new", path)
}

func firstRing(dir, path, origin string) (ring, error) {
	if origin == "" {
		id := make([]byte, 8)
		_, _ = rand.Read(id) // never fails
		origin = "durward.local/" + hex.EncodeToString(id)
	}
	key, err := merkle.NewKey(origin)
	if err != nil {
		return ring{}, err
	}
	e, err := merkle.First(key, time.Now())
	if err != nil {
		return ring{}, err
	}
	r := ring{key, []merkle.KeyEntry{e}}
	return r, r.keep(dir, path)
}

// rotated is the ring with a new key, for checkpoints greater than from.
func (r ring) rotated(from int64) (ring, error) {
	key, err := merkle.NewKey(r.key.Name())
	if err != nil {
		return r, err
	}
	e, err := merkle.Succeed(r.key, key, from, time.Now())
	if err != nil {
		return r, err
	}
	return ring{key, append(r.list[:len(r.list):len(r.list)], e)}, nil
}

// keep writes the secret key, then the last entry of the list, then puts the
// key into its place: from any step a start finds its way.
func (r ring) keep(dir, path string) error {
	if err := writeSafe(path+".new", []byte(r.key.Secret+"\n"+r.key.Public+"\n")); err != nil {
		return err
	}
	if err := appendSafe(filepath.Join(dir, keysName), r.list[len(r.list)-1]); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func readKey(path string) (merkle.Key, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return merkle.Key{}, err
	}
	secret, public, ok := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if !ok {
		return merkle.Key{}, fmt.Errorf("%s holds no key", path)
	}
	k, err := merkle.ReadKey(secret, public)
	if err != nil {
		return k, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// ReadKeys is the list of public keys of the log in dir, the oldest first.
func ReadKeys(dir string) ([]merkle.KeyEntry, error) {
	var list []merkle.KeyEntry
	_, err := eachLine(filepath.Join(dir, keysName), func(_ int, e merkle.KeyEntry) error { list = append(list, e); return nil })
	return list, err
}

// HistoryEntry is one checkpoint that was signed.
type HistoryEntry struct {
	Time time.Time `json:"time"` // by the gateway's clock; not signed
	Size int64     `json:"size"`
	Note string    `json:"note"` // the signed checkpoint
}

// lastCheckpoint returns the newest entry of the history, nil when there is
// none, and takes a half-written last line away.
func lastCheckpoint(dir string) (*HistoryEntry, error) {
	path := filepath.Join(dir, historyName)
	var last *HistoryEntry
	whole, err := eachLine(path, func(_ int, e HistoryEntry) error { last = &e; return nil })
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == whole {
		return last, nil
	}
	if err != nil {
		return nil, err
	}
	return last, os.Truncate(path, whole)
}

// keepCheckpoint puts a checkpoint into the history, and in front.
func keepCheckpoint(dir string, e HistoryEntry) error {
	if err := appendSafe(filepath.Join(dir, historyName), e); err != nil {
		return err
	}
	return replace(filepath.Join(dir, checkpointName), []byte(e.Note))
}

// eachLine gives the lines of a file of JSON lines. A half-written last line is
// left out; whole is where it begins.
func eachLine[T any](path string, each func(n int, v T) error) (whole int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := newLines(f, 0)
	for n := 1; ; n++ {
		raw, err := in.next()
		if err != nil {
			return in.offset, ignoreEOF(err)
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return in.offset, &Fault{Kind: FaultChanged, Segment: filepath.Base(path), Line: n, Detail: "it is no line of this file"}
		}
		if err := each(n, v); err != nil {
			return in.offset, err
		}
	}
}

// appendSafe adds a line to a file and makes it durable.
func appendSafe(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, 2)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Truncate(size), f.Close())
	}
	if size == 0 {
		err = syncDir(filepath.Dir(path))
	}
	return errors.Join(err, syncData(f), f.Close())
}

// writeSafe writes a file that only this user may read, and makes it durable.
func writeSafe(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// replace puts a file into its place whole.
func replace(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
