// Package store keeps what must outlive the process: agents, keys, roles and
// upstreams that were not declared in a file, pins of definitions, the journal of their changes,
// the pepper of the key hashes, and small caches.
//
// It promises that a set of changes is applied whole and durably or not at
// all, that the revision grows by one with each, that a change based on an old
// revision is refused ([durward.ErrStale]), and that one process at a time has
// the database ([ErrLocked]). It stores what it is given: whether a change is
// allowed or sensible is control's question.
package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"durward"
)

// FileName is the database's name in the data directory.
const FileName = "durward.db"

const (
	format     = 1 // of the database; a newer one is refused
	pepperSize = 32
)

// ErrLocked says that another process has the database open.
var ErrLocked = errors.New("the database is in use by another process")

// Options tune [Open]; the zero value is good.
type Options struct {
	// Wait is how long to wait for a process that has the database; 1s when zero.
	Wait time.Duration
	// Now is the clock of the journal; time.Now when nil.
	Now func() time.Time
	// Seal is the secret under which upstreams, grants and journal are sealed;
	// when empty it lies beside the database, in [KeyName].
	Seal []byte
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	bolt    *bbolt.DB
	now     func() time.Time
	seal    *sealer
	pepper  [pepperSize]byte
	changed chan struct{}
	newest  atomic.Pointer[durward.State] // as last read; good while the revision is its own

	pins atomic.Pointer[pinCache] // as last read; good while none has changed

	mu   sync.Mutex // guards eras
	eras map[string]string
}

// The buckets of the database.
const (
	inMeta      = "meta"
	inAgents    = "agents"
	inKeys      = "keys"
	inRoles     = "roles"
	inUpstreams = "upstreams"
	inPins      = "pins"
	inJournal   = "journal"
	inEras      = "eras"
	inGrants    = "grants"
	inCounters  = "counters"
	inHalts     = "halts"
)

// Open opens or creates the database in dir, creating dir for the owner only.
func Open(dir string, o Options) (*DB, error) {
	if o.Wait <= 0 {
		o.Wait = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	path := filepath.Join(dir, FileName)
	if err := keepPrivate(path); err != nil {
		return nil, err
	}
	b, err := openFile(path, o.Wait)
	if err != nil {
		return nil, err
	}
	db := &DB{bolt: b, now: o.Now, changed: make(chan struct{}, 1)}
	if err := db.begin(dir, o); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.bolt.Close())
	}
	return db, nil
}

func openFile(path string, wait time.Duration) (*bbolt.DB, error) {
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	b.MaxBatchDelay = time.Millisecond // what shares a sync (Shelf) does not wait long for company
	return b, nil
}

// begin prepares the database, and seals what lies open in it.
func (d *DB) begin(dir string, o Options) error {
	fresh := true
	err := d.bolt.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(inMeta))
		fresh = meta == nil || meta.Get([]byte("seal")) == nil
		return nil
	})
	if err != nil {
		return err
	}
	keys, err := readSealers(dir, o.Seal, fresh)
	if err != nil {
		return err
	}
	opened := 0
	err = d.bolt.Update(func(tx *bbolt.Tx) (err error) {
		if err = d.prepare(tx); err == nil {
			opened, err = keys.adopt(tx)
		}
		return err
	})
	if err == nil && opened > 0 {
		path := d.bolt.Path()
		if err = compact(d.bolt, path); err == nil {
			var b *bbolt.DB
			if b, err = openFile(path, o.Wait); err == nil {
				d.bolt = b
			}
		}
	}
	if err != nil {
		return err
	}
	d.seal = keys.now
	return keys.retire()
}

// keepPrivate takes a database that others can read back to its owner.
func keepPrivate(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("make the database private: %w", err)
	}
	return nil
}

// prepare makes sure that a database has its buckets, format and pepper.
func (d *DB) prepare(tx *bbolt.Tx) error {
	for _, name := range []string{inMeta, inAgents, inKeys, inRoles, inUpstreams, inPins, inJournal, inEras, inCounters, inHalts} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	meta := tx.Bucket([]byte(inMeta))
	if v := number(meta, "format"); v > format {
		return fmt.Errorf("the database has format %d, this program knows %d: it was written by a newer release", v, format)
	}
	if err := putNumber(meta, "format", format); err != nil {
		return err
	}
	if err := preparePepper(meta); err != nil {
		return err
	}
	copy(d.pepper[:], meta.Get([]byte("pepper")))
	var err error
	d.eras, err = readEras(tx.Bucket([]byte(inEras)))
	return err
}

func preparePepper(meta *bbolt.Bucket) error {
	switch len(meta.Get([]byte("pepper"))) {
	case pepperSize:
		return nil
	case 0:
		fresh := make([]byte, pepperSize)
		rand.Read(fresh) // never fails (crypto/rand)
		return meta.Put([]byte("pepper"), fresh)
	}
	return errors.New("the pepper is damaged: without it no key can be recognised")
}

// Close closes the database after the transactions under way.
func (d *DB) Close() error { return d.bolt.Close() }

// Pepper is the secret under which keys are hashed; made once, kept for life.
func (d *DB) Pepper() []byte { return append([]byte(nil), d.pepper[:]...) }

// Changed wakes up after an Apply; wake-ups that nobody fetched are one.
func (d *DB) Changed() <-chan struct{} { return d.changed }

func (d *DB) wake() {
	select {
	case d.changed <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

// view runs fn in a read transaction unless ctx is already done.
func (d *DB) view(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.bolt.View(fn)
}

func number(b *bbolt.Bucket, key string) uint64 {
	v := b.Get([]byte(key))
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

func putNumber(b *bbolt.Bucket, key string, n uint64) error {
	return b.Put([]byte(key), binary.BigEndian.AppendUint64(nil, n))
}

func revision(tx *bbolt.Tx) durward.Revision {
	return durward.Revision(number(tx.Bucket([]byte(inMeta)), "revision"))
}
