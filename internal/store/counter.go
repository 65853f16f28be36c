package store

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// Counters returns the values that were saved under their names.
func (d *DB) Counters(ctx context.Context) (map[string][]byte, error) {
	out := make(map[string][]byte)
	err := d.view(ctx, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(inCounters)).ForEach(func(k, v []byte) error {
			out[string(k)] = append([]byte(nil), v...)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the counters: %w", err)
	}
	return out, nil
}

// SaveCounters saves values under their names, all or none; nil forgets one.
// They are no part of the state: no revision changes, no journal tells.
func (d *DB) SaveCounters(ctx context.Context, values map[string][]byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := d.bolt.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(inCounters))
		for k, v := range values {
			var err error
			if v == nil {
				err = b.Delete([]byte(k))
			} else {
				err = b.Put([]byte(k), v)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save the counters: %w", err)
	}
	return nil
}
