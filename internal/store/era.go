package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"go.etcd.io/bbolt"
)

const (
	maxEras = 4096 // remembered; when full, all are forgotten and probed again
	maxEra  = 32   // bytes of one
)

// Era returns what was remembered about the upstream that key describes. Only
// a digest of the key is kept, for it may hold a secret.
func (d *DB) Era(key string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	era, ok := d.eras[digest(key)]
	return era, ok
}

// SetEra remembers what was found out about an upstream; "" forgets it. It is
// a cache: a failure to write costs another probe and nothing else.
func (d *DB) SetEra(key, era string) {
	if len(era) > maxEra {
		return
	}
	k := digest(key)
	if !d.setEra(k, era) {
		return
	}
	_ = d.bolt.Update(func(tx *bbolt.Tx) error { return writeEra(tx, k, era) })
}

// setEra reports whether anything changed.
func (d *DB) setEra(k, era string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.eras[k] == era {
		return false
	}
	if era == "" {
		delete(d.eras, k)
		return true
	}
	if len(d.eras) >= maxEras {
		clear(d.eras)
	}
	d.eras[k] = era
	return true
}

func writeEra(tx *bbolt.Tx, k, era string) error {
	b := tx.Bucket([]byte(inEras))
	if era == "" {
		return b.Delete([]byte(k))
	}
	if b.Get([]byte(k)) == nil && b.Stats().KeyN >= maxEras {
		if err := tx.DeleteBucket([]byte(inEras)); err != nil {
			return err
		}
		var err error
		if b, err = tx.CreateBucket([]byte(inEras)); err != nil {
			return err
		}
	}
	return b.Put([]byte(k), []byte(era))
}

func readEras(b *bbolt.Bucket) (map[string]string, error) {
	eras := map[string]string{}
	err := b.ForEach(func(k, v []byte) error {
		if len(v) > maxEra {
			return fmt.Errorf("era of %s is longer than %d bytes", k, maxEra)
		}
		eras[string(k)] = string(v)
		return nil
	})
	return eras, err
}

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}
