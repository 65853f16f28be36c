package store

import (
	"fmt"

	"go.etcd.io/bbolt"
)

const (
	maxGrants = 2000     // more than there can be upstreams
	maxGrant  = 64 << 10 // bytes of one
)

// Grant returns what an upstream granted when the gateway signed in there.
// Only a digest of the key is kept.
func (d *DB) Grant(key string) (grant []byte, ok bool) {
	_ = d.bolt.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte(inGrants)); b != nil {
			k := []byte(digest(key))
			if v := b.Get(k); v != nil {
				grant, _ = d.seal.open(inGrants, k, v) // what cannot be opened is granted anew
			}
		}
		return nil
	})
	return grant, grant != nil
}

// SetGrant keeps what was granted; nil forgets it.
func (d *DB) SetGrant(key string, grant []byte) error {
	if len(grant) > maxGrant {
		return fmt.Errorf("a grant of %d bytes is longer than %d", len(grant), maxGrant)
	}
	return d.bolt.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(inGrants))
		if err != nil {
			return err
		}
		k := []byte(digest(key))
		if grant == nil {
			return b.Delete(k)
		}
		if b.Get(k) == nil && b.Stats().KeyN >= maxGrants {
			return fmt.Errorf("there are %d grants already", maxGrants)
		}
		return b.Put(k, d.seal.seal(inGrants, k, grant))
	})
}
