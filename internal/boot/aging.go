package boot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/audit/merkle"
	"durward/internal/audit/vault"
)

// RecordHold keeps records from being dropped and erased.
type RecordHold = audit.Hold

// RecordHolds lists the holds.
func RecordHolds(dir string) ([]RecordHold, error) { return audit.Holds(dir) }

// Erasure is a subject whose values are made unreadable.
type Erasure struct {
	Subject string `json:"subject"`
	Reason  string `json:"reason,omitempty"`
	Keys    int    `json:"keys,omitempty"` // that were destroyed
}

// Aged is what age did to the record.
type Aged struct {
	audit.Drop
	Expired map[string]int `json:"expired,omitempty"` // keys of sealed values, by class
}

// within reads what a verb is told, strictly enough for our own client.
func within[T any](in json.RawMessage, do func(T) (T, error)) (any, error) {
	var v T
	if err := json.Unmarshal(in, &v); err != nil {
		return nil, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The body cannot be used: " + err.Error() + ".", Err: err}
	}
	return do(v)
}

func refused(reason durward.Reason, message string) error {
	return &durward.Error{Code: durward.BadRequest, Reason: reason, Message: message}
}

// erase destroys the keys of a subject, unless it is held, and leaves a record
// that names it by digest.
func (k *recordKeeper) erase(ctx context.Context, by durward.Actor, e Erasure) (Erasure, error) {
	if kind, name, ok := strings.Cut(e.Subject, ":"); !ok || name == "" || kind != "user" && kind != "agent" {
		return e, refused(durward.ReasonRequestInvalid, "A subject is user:NAME or agent:NAME.")
	}
	holds, err := audit.Holds(k.dir)
	if err != nil {
		return e, err
	}
	if i := slices.IndexFunc(holds, func(h audit.Hold) bool { return h.On(e.Subject) }); i >= 0 {
		return e, refused(durward.ReasonHeld, "The legal hold "+holds[i].Name+" keeps what is known of this subject; release it first.")
	}
	if err := k.log.Ready(); err != nil { // what cannot be recorded is not done
		return e, err
	}
	if e.Keys, err = k.vault.Erase(e.Subject); err != nil {
		return e, err
	}
	sum := sha256.Sum256([]byte(e.Subject))
	return e, k.log.Note(ctx, by.Name, audit.MethodErase, map[string]any{"subject_sha256": hex.EncodeToString(sum[:]), "keys": e.Keys, "reason": e.Reason})
}

func (k *recordKeeper) hold(ctx context.Context, by durward.Actor, h RecordHold) (RecordHold, error) {
	if durward.CheckRoleName(h.Name) != nil {
		return h, refused(durward.ReasonRequestInvalid, "A hold needs a name of letters, digits and . _ -")
	}
	h.By, h.Added = by.Name, time.Now().UTC()
	k.mu.Lock()
	defer k.mu.Unlock()
	all, err := audit.Holds(k.dir)
	if err != nil {
		return h, err
	}
	if slices.ContainsFunc(all, func(o audit.Hold) bool { return o.Name == h.Name }) {
		return h, refused(durward.ReasonRequestInvalid, "There is a hold "+h.Name+" already.")
	}
	if err := audit.PutHolds(k.dir, append(all, h)); err != nil {
		return h, err
	}
	return h, k.log.Note(ctx, by.Name, audit.MethodHoldAdd, h)
}

func (k *recordKeeper) release(ctx context.Context, by durward.Actor, h RecordHold) (RecordHold, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all, err := audit.Holds(k.dir)
	if err != nil {
		return h, err
	}
	i := slices.IndexFunc(all, func(o audit.Hold) bool { return o.Name == h.Name })
	if i < 0 {
		return h, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonNotFound, Message: "There is no hold " + h.Name + "."}
	}
	was := all[i]
	if err := k.log.Note(ctx, by.Name, audit.MethodHoldRelease, map[string]string{"name": h.Name, "reason": h.Reason}); err != nil {
		return h, err
	}
	return was, audit.PutHolds(k.dir, slices.Delete(all, i, i+1))
}

// age drops the segments whose time is over and destroys the keys of sealed
// values whose time is; each leaves a record before it is done.
func (k *recordKeeper) age(ctx context.Context, by string) (Aged, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := Aged{Expired: map[string]int{}}
	now := time.Now()
	covered := k.seal.Last().N
	drop, err := audit.Expired(ctx, k.dir, uint64(covered), k.cfg.Retention, now)
	if err != nil {
		return out, err
	}
	if len(drop.Segments) > 0 {
		if err := k.log.Note(ctx, by, audit.MethodDrop, drop); err != nil {
			return out, err
		}
		if err := drop.Remove(k.dir, merkle.Tiles{Dir: k.dir}); err != nil {
			return out, err
		}
		out.Drop = drop
	}
	return out, k.expire(ctx, by, now, out.Expired)
}

// expire destroys keys by class. While anything is held nothing is: a key is
// of a month, and a hold of what is in it.
func (k *recordKeeper) expire(ctx context.Context, by string, now time.Time, done map[string]int) error {
	holds, err := audit.Holds(k.dir)
	if err != nil || len(holds) > 0 {
		return err
	}
	for _, class := range slices.Sorted(maps.Keys(k.cfg.Retention)) {
		n, err := k.vault.Expire(class, now.Add(-k.cfg.Retention[class]))
		if n > 0 {
			done[class] = n
			if err := k.log.Note(ctx, by, audit.MethodExpire, map[string]any{"class": class, "keys": n}); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepUp makes indexes and lets the record age until ctx ends.
func (k *recordKeeper) keepUp(ctx context.Context) error {
	const pace = time.Minute
	const aging = 60 // of pace
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pace):
		}
		if _, err := audit.Index(ctx, k.dir, false); err != nil && ctx.Err() == nil {
			k.slog.Warn("index of the record could not be made", slog.Any("err", err))
		}
		if n%aging != 0 {
			continue
		}
		if _, err := k.age(ctx, "retention"); err != nil && ctx.Err() == nil {
			k.slog.Error("record could not be aged", slog.Any("err", err))
		}
	}
}

// Unsealed opens what the record of a data folder keeps in full, line by line.
func Unsealed(data string) func(raw []byte) []byte { return vault.Open(VaultDir(data)).Unseal }
