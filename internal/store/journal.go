package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"durward"
)

// keptEntries bounds the journal; the oldest entries go first.
const keptEntries = 10_000

// Entry is one accepted set of changes.
type Entry struct {
	Revision durward.Revision `json:"revision"`
	Time     time.Time        `json:"time"`
	By       string           `json:"by"`
	// Changes are as applied, but without the values of headers and
	// environment variables: a journal outlives the secrets in it.
	Changes []durward.Change `json:"changes"`
}

// Journal returns up to limit entries after a revision, oldest first.
func (d *DB) Journal(ctx context.Context, after durward.Revision, limit int) ([]Entry, error) {
	var out []Entry
	err := d.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(inJournal)).Cursor()
		for k, v := c.Seek(revisionKey(after + 1)); k != nil && len(out) < limit; k, v = c.Next() {
			var e Entry
			v, err := d.seal.open(inJournal, k, v)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(v, &e); err != nil {
				return fmt.Errorf("entry %x: %w", k, err)
			}
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return out, nil
}

func (d *DB) record(tx *bbolt.Tx, e Entry) error {
	e.Changes = withoutSecrets(e.Changes)
	v, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	b := tx.Bucket([]byte(inJournal))
	key := revisionKey(e.Revision)
	if err := b.Put(key, d.seal.seal(inJournal, key, v)); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if e.Revision <= keptEntries {
		return nil
	}
	return b.Delete(revisionKey(e.Revision - keptEntries))
}

func revisionKey(r durward.Revision) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(r))
}

func withoutSecrets(changes []durward.Change) []durward.Change {
	out := append([]durward.Change(nil), changes...)
	for i := range out {
		if p := out[i].PutPin; p != nil { // the digest says it all
			short := *p
			short.Definition, short.Groups = nil, nil
			out[i].PutPin = &short
		}
		if out[i].PutUpstream == nil {
			continue
		}
		u := out[i].PutUpstream.WithoutSecrets()
		out[i].PutUpstream = &u
	}
	return out
}
