package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"durward"
)

// maxValue bounds one stored value; a larger one is a mistake or an attack.
const maxValue = 256 << 10

// State reads everything at one revision, each list in order of names. The
// lists are the caller's; what their elements refer to is not to be changed.
func (d *DB) State(ctx context.Context) (*durward.State, error) {
	var s *durward.State
	err := d.view(ctx, func(tx *bbolt.Tx) (err error) {
		if s = d.newest.Load(); s != nil && s.Revision == revision(tx) {
			return nil
		}
		s, err = d.readState(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	d.newest.Store(s)
	return copyOf(s), nil
}

func (d *DB) readState(tx *bbolt.Tx) (*durward.State, error) {
	s := &durward.State{Revision: revision(tx)}
	var err error
	if s.Agents, err = all[durward.Agent](tx, inAgents); err != nil {
		return nil, err
	}
	if s.Keys, err = all[durward.Key](tx, inKeys); err != nil {
		return nil, err
	}
	if s.Roles, err = all[durward.Role](tx, inRoles); err != nil {
		return nil, err
	}
	if s.Upstreams, err = allOf[durward.Upstream](tx, inUpstreams, d.seal); err != nil {
		return nil, err
	}
	if s.Pins, err = d.readPins(tx); err != nil {
		return nil, err
	}
	if s.Halts, err = all[durward.Halt](tx, inHalts); err != nil {
		return nil, err
	}
	return s, get(tx, inMeta, "file", &s.File)
}

// copyOf keeps callers that sort or append apart from each other.
func copyOf(s *durward.State) *durward.State {
	out := *s
	out.Agents, out.Keys = slices.Clone(s.Agents), slices.Clone(s.Keys)
	out.Roles, out.Upstreams = slices.Clone(s.Roles), slices.Clone(s.Upstreams)
	out.Pins = slices.Clone(s.Pins)
	out.Halts = slices.Clone(s.Halts)
	return &out
}

// Apply makes all changes or none, and returns the revision they made. The
// change is durable when it returns; by and the changes go to the journal in
// the same transaction. A base that is not the newest revision is
// [durward.ErrStale].
func (d *DB) Apply(ctx context.Context, base durward.Revision, by string, changes []durward.Change) (durward.Revision, error) {
	if len(changes) == 0 {
		return base, errors.New("apply: no changes")
	}
	if err := ctx.Err(); err != nil {
		return base, err
	}
	next := base + 1
	err := d.bolt.Update(func(tx *bbolt.Tx) error {
		if at := revision(tx); at != base {
			return fmt.Errorf("the state is at revision %d, not %d: %w", at, base, durward.ErrStale)
		}
		for i := range changes {
			if err := d.apply(tx, &changes[i]); err != nil {
				return fmt.Errorf("change %d: %w", i, err)
			}
		}
		if err := d.record(tx, Entry{Revision: next, Time: d.now().UTC(), By: by, Changes: changes}); err != nil {
			return err
		}
		return putNumber(tx.Bucket([]byte(inMeta)), "revision", uint64(next))
	})
	if err != nil {
		return base, fmt.Errorf("apply: %w", err)
	}
	d.wake()
	return next, nil
}

func (d *DB) apply(tx *bbolt.Tx, c *durward.Change) error {
	steps := d.stepsOf(c)
	if len(steps) != 1 {
		return fmt.Errorf("has %d edits, want exactly 1", len(steps))
	}
	return steps[0](tx)
}

type step func(*bbolt.Tx) error

func (d *DB) stepsOf(c *durward.Change) (steps []step) {
	add := func(wanted bool, s step) {
		if wanted {
			steps = append(steps, s)
		}
	}
	add(c.PutAgent != nil, func(tx *bbolt.Tx) error { return put(tx, inAgents, c.PutAgent.Name, c.PutAgent) })
	add(c.DeleteAgent != "", func(tx *bbolt.Tx) error { return deleteAgent(tx, c.DeleteAgent) })
	add(c.PutKey != nil, func(tx *bbolt.Tx) error { return put(tx, inKeys, c.PutKey.ID, c.PutKey) })
	add(c.DeleteKey != "", func(tx *bbolt.Tx) error { return remove(tx, inKeys, c.DeleteKey) })
	add(c.PutUpstream != nil, func(tx *bbolt.Tx) error { return putSealed(tx, inUpstreams, c.PutUpstream.Name, c.PutUpstream, d.seal) })
	add(c.DeleteUpstream != "", func(tx *bbolt.Tx) error { return deleteUpstream(tx, c.DeleteUpstream) })
	add(c.PutPin != nil, func(tx *bbolt.Tx) error { return putPin(tx, c.PutPin) })
	add(c.PutRole != nil, func(tx *bbolt.Tx) error { return put(tx, inRoles, c.PutRole.Name, c.PutRole) })
	add(c.DeleteRole != "", func(tx *bbolt.Tx) error { return remove(tx, inRoles, c.DeleteRole) })
	add(c.PutHalt != nil, func(tx *bbolt.Tx) error { return put(tx, inHalts, c.PutHalt.ID(), c.PutHalt) })
	add(c.DeleteHalt != "", func(tx *bbolt.Tx) error { return remove(tx, inHalts, c.DeleteHalt) })
	add(c.PutFile != nil, func(tx *bbolt.Tx) error { return put(tx, inMeta, "file", c.PutFile) })
	return steps
}

// deleteAgent removes an agent with its keys.
func deleteAgent(tx *bbolt.Tx, name string) error {
	keys, err := all[durward.Key](tx, inKeys)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Agent != name {
			continue
		}
		if err := remove(tx, inKeys, k.ID); err != nil {
			return err
		}
	}
	return remove(tx, inAgents, name)
}

func all[T any](tx *bbolt.Tx, bucket string) ([]T, error) { return allOf[T](tx, bucket, nil) }

// allOf reads a bucket whose values are sealed, unless s is nil.
func allOf[T any](tx *bbolt.Tx, bucket string, s *sealer) ([]T, error) {
	var out []T
	err := tx.Bucket([]byte(bucket)).ForEach(func(k, v []byte) (err error) {
		var one T
		if s != nil {
			if v, err = s.open(bucket, k, v); err != nil {
				return err
			}
		}
		if err := json.Unmarshal(v, &one); err != nil {
			return fmt.Errorf("%s %q: %w", bucket, k, err)
		}
		out = append(out, one)
		return nil
	})
	return out, err
}

func get(tx *bbolt.Tx, bucket, key string, into any) error {
	v := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(v, into); err != nil {
		return fmt.Errorf("%s %q: %w", bucket, key, err)
	}
	return nil
}

func put(tx *bbolt.Tx, bucket, key string, value any) error {
	return putSealed(tx, bucket, key, value, nil)
}

// putSealed seals the value, unless s is nil.
func putSealed(tx *bbolt.Tx, bucket, key string, value any, s *sealer) error {
	if key == "" || len(key) > 256 {
		return fmt.Errorf("%s: a name has 1 to 256 bytes", bucket)
	}
	v, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s %q: %w", bucket, key, err)
	}
	if len(v) > maxValue {
		return fmt.Errorf("%s %q: larger than %d bytes", bucket, key, maxValue)
	}
	if s != nil {
		v = s.seal(bucket, []byte(key), v)
	}
	return tx.Bucket([]byte(bucket)).Put([]byte(key), v)
}

func remove(tx *bbolt.Tx, bucket, key string) error {
	return tx.Bucket([]byte(bucket)).Delete([]byte(key))
}
