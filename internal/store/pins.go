package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"go.etcd.io/bbolt"

	"durward"
)

// maxDefinition bounds the text that is kept of an approved definition; of a
// larger one the digests have to do.
const maxDefinition = 128 << 10

// pinKey begins with the upstream, so that its pins lie together. Names are
// the upstream's to choose, of any length.
func pinKey(p *durward.Pin) string {
	sum := sha256.Sum256([]byte(p.Name))
	return p.Upstream + "/" + p.Kind + "/" + hex.EncodeToString(sum[:16])
}

func putPin(tx *bbolt.Tx, p *durward.Pin) error {
	kept := *p
	if len(kept.Definition) > maxDefinition {
		kept.Definition = nil
	}
	if err := pinsChanged(tx); err != nil {
		return err
	}
	return put(tx, inPins, pinKey(p), &kept)
}

// pinCache are the pins as of one change of them: there may be thousands, and
// most changes of the state are of something else.
type pinCache struct {
	change uint64
	pins   []durward.Pin
}

// readPins reads all pins, by upstream, kind and name.
func (d *DB) readPins(tx *bbolt.Tx) ([]durward.Pin, error) {
	change := number(tx.Bucket([]byte(inMeta)), "pins")
	if c := d.pins.Load(); c != nil && c.change == change {
		return c.pins, nil
	}
	out, err := all[durward.Pin](tx, inPins)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b durward.Pin) int {
		return cmp.Or(cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	d.pins.Store(&pinCache{change, out})
	return out, nil
}

// pinsChanged notes that pins read before are old.
func pinsChanged(tx *bbolt.Tx) error {
	meta := tx.Bucket([]byte(inMeta))
	return putNumber(meta, "pins", number(meta, "pins")+1)
}

// deleteUpstream removes an upstream with its pins: another one of that name
// is another server.
func deleteUpstream(tx *bbolt.Tx, name string) error {
	c := tx.Bucket([]byte(inPins)).Cursor()
	prefix := []byte(name + "/")
	var keys []string
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, string(k))
	}
	for _, k := range keys {
		if err := remove(tx, inPins, k); err != nil {
			return err
		}
	}
	if err := pinsChanged(tx); err != nil {
		return err
	}
	return remove(tx, inUpstreams, name)
}
