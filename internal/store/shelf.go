package store

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

const inShelf = "shelf:" // prefix of the buckets

// maxShelved bounds one value on a shelf.
const maxShelved = 8 << 20

// Shelf is a named place for values that a part keeps over restarts. What is
// put is durable when Put returns; puts of several callers share a sync.
type Shelf struct {
	bolt *bbolt.DB
	name []byte
}

// Shelf returns the shelf of that name.
func (d *DB) Shelf(name string) *Shelf { return &Shelf{bolt: d.bolt, name: []byte(inShelf + name)} }

// Each calls fn for all that is on the shelf, in order of keys. The value is
// good until fn returns.
func (s *Shelf) Each(ctx context.Context, fn func(key string, value []byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.bolt.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(s.name)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error { return fn(string(k), v) })
	})
}

// Put keeps a value, in place of the one before.
func (s *Shelf) Put(ctx context.Context, key string, value []byte) error {
	if key == "" || len(key) > 256 || len(value) > maxShelved {
		return fmt.Errorf("%s: a key has 1 to 256 bytes, a value at most %d", s.name, maxShelved)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.bolt.Batch(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(s.name)
		if err != nil {
			return err
		}
		return b.Put([]byte(key), value)
	})
}

// Delete forgets keys; those that are not there are no error.
func (s *Shelf) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.bolt.Batch(func(tx *bbolt.Tx) error {
		b := tx.Bucket(s.name)
		if b == nil {
			return nil
		}
		for _, k := range keys {
			if err := b.Delete([]byte(k)); err != nil {
				return err
			}
		}
		return nil
	})
}
