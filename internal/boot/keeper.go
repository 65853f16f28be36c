package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
	"time"

	"durward"
	"durward/internal/admin"
	"durward/internal/audit"
	"durward/internal/audit/publish"
	"durward/internal/audit/ship"
	"durward/internal/audit/vault"
	"durward/internal/config"
)

// recordKeeper is all that is done with the record beside writing it: it is
// sealed, published, exported and aged.
type recordKeeper struct {
	dir   string
	log   *audit.Log
	seal  *audit.Sealer
	vault *vault.Vault
	slog  *slog.Logger

	mu   sync.Mutex // guards what follows
	cfg  config.Audit
	pub  *publish.Publisher
	ship *ship.Shipper
}

// KeyPath is where the key lies that signs the record of a data folder; not
// with the record, which others may be given.
func KeyPath(data string) string { return filepath.Join(data, "audit.key") }

// VaultDir is where the keys lie of what the record keeps in full.
func VaultDir(data string) string { return filepath.Join(data, "subjects") }

func openKeeper(cfg *config.Config, log *slog.Logger) (*recordKeeper, error) {
	k := &recordKeeper{dir: RecordDir(cfg.Data), slog: log, vault: vault.Open(VaultDir(cfg.Data)), cfg: cfg.Audit}
	var err error
	if k.log, err = audit.Open(k.dir, audit.Options{Log: log}); err != nil {
		return nil, fmt.Errorf("open the record: %w", err)
	}
	k.seal, err = audit.Seal(k.log, k.dir, audit.SealOptions{
		Log: log, Key: KeyPath(cfg.Data), Origin: cfg.Audit.Origin, Every: cfg.Audit.Every, Records: uint64(cfg.Audit.Records), Signed: k.offer,
	})
	if err != nil {
		return nil, errors.Join(err, k.log.Close(context.Background()))
	}
	return k, nil
}

// close closes the log, then signs what it holds, then publishes that.
func (k *recordKeeper) close(ctx context.Context) error {
	err := errors.Join(k.log.Close(ctx), k.seal.Close(ctx))
	k.mu.Lock()
	pub, exports := k.pub, k.ship
	k.pub, k.ship = nil, nil
	k.mu.Unlock()
	if exports != nil {
		exports.Stop(ctx)
	}
	if pub != nil {
		pub.Stop(ctx)
	}
	return err
}

// apply puts a configuration in force. What has changed is begun anew.
func (k *recordKeeper) apply(cfg config.Audit) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pub == nil || !reflect.DeepEqual(k.cfg.Publish, cfg.Publish) || !reflect.DeepEqual(k.cfg.Witnesses, cfg.Witnesses) {
		if err := k.publish(cfg); err != nil {
			return err
		}
	}
	if k.ship == nil || !reflect.DeepEqual(k.cfg.Export, cfg.Export) {
		if err := k.export(cfg); err != nil {
			return err
		}
	}
	k.cfg = cfg
	return nil
}

// export begins to deliver records; the caller holds mu.
func (k *recordKeeper) export(cfg config.Audit) error {
	if k.ship != nil { // before the next begins: both have the same cursors
		k.ship.Stop(expired())
		k.ship = nil
	}
	var targets []ship.Target
	for _, e := range cfg.Export {
		targets = append(targets, ship.Target{Name: e.Name, URL: e.URL, Format: e.Format, Headers: e.Headers, CA: e.CA, Batch: e.Batch, Every: e.Every})
	}
	next, err := ship.Start(k.dir, k.slog, func() uint64 { return k.log.Safe().Seq }, targets)
	k.ship = next
	return err
}

// publish begins to deliver checkpoints; the caller holds mu.
func (k *recordKeeper) publish(cfg config.Audit) error {
	var targets []publish.Target
	for _, p := range append(cfg.Publish[:len(cfg.Publish):len(cfg.Publish)], cfg.Witnesses...) {
		targets = append(targets, publish.Target{File: p.File, URL: p.URL, Key: p.Key, Headers: p.Headers})
	}
	next, err := publish.Start(k.dir, k.slog, targets)
	if err != nil {
		return err
	}
	if k.pub != nil {
		k.pub.Stop(expired())
	}
	k.pub = next
	if signed, err := audit.Checkpoint(k.dir); err == nil {
		next.Offer(signed)
	}
	return nil
}

// expired is a context for those who shall not wait.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// offer hands a new checkpoint on.
func (k *recordKeeper) offer(signed []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pub != nil {
		k.pub.Offer(signed)
	}
}

// checks are the conditions of the record beside being writable.
func (k *recordKeeper) checks() []admin.Check {
	seal := admin.Check{Name: "seal", State: admin.CheckOK}
	if err := k.seal.Ready(); err != nil {
		seal.State, seal.Text = admin.CheckWarn, "the record is not sealed any more: durward audit verify tells more"
	}
	out := []admin.Check{seal}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pub == nil {
		return out
	}
	for _, s := range k.pub.Status() {
		if s.Error != "" {
			out = append(out, admin.Check{Name: "publication", State: admin.CheckWarn, Text: "checkpoints do not reach " + s.Target + ": " + s.Error})
		}
	}
	if k.ship == nil {
		return out
	}
	for _, s := range k.ship.Status() {
		if s.Error != "" {
			out = append(out, admin.Check{Name: "export", State: admin.CheckWarn, Text: fmt.Sprintf("records from %d on do not reach %s: %s", s.Seq+1, s.Name, s.Error)})
		}
	}
	return out
}

// reasonOf says in a few words, without paths, why the record cannot be written.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk of the record is full"
	case errors.Is(err, syscall.EROFS):
		return "the disk of the record is read-only"
	case errors.Is(err, syscall.EFBIG):
		return "the file of the record may not grow"
	case errors.Is(err, syscall.EIO):
		return "the disk of the record fails"
	case errors.Is(err, fs.ErrPermission):
		return "the folder of the record does not let us write"
	}
	return "the record cannot be written"
}

// The verbs that are done to the record.
const (
	VerbRotate     = "rotate"
	VerbCheckpoint = "checkpoint"
	VerbErase      = "erase"
	VerbHold       = "hold"
	VerbRelease    = "release"
	VerbAge        = "age"
)

// do is the door for operators.
func (k *recordKeeper) do(ctx context.Context, by durward.Actor, verb string, in json.RawMessage) (any, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	switch verb {
	case VerbRotate:
		return k.rotate(ctx, by)
	case VerbErase:
		return within(in, func(e Erasure) (Erasure, error) { return k.erase(ctx, by, e) })
	case VerbHold:
		return within(in, func(h RecordHold) (RecordHold, error) { return k.hold(ctx, by, h) })
	case VerbRelease:
		return within(in, func(h RecordHold) (RecordHold, error) { return k.release(ctx, by, h) })
	case VerbAge:
		return k.age(ctx, by.Name)
	case VerbCheckpoint:
		_, err := k.seal.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		signed, err := audit.Checkpoint(k.dir)
		return Signed{string(signed)}, err
	}
	return nil, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonNotFound, Message: "The record knows no verb " + verb + "."}
}

// Signed is a signed checkpoint.
type Signed struct {
	Checkpoint string `json:"checkpoint"`
}

// RecordKey is the key that signs the record.
type RecordKey struct {
	Key string `json:"key"`
}

func (k *recordKeeper) rotate(ctx context.Context, by durward.Actor) (RecordKey, error) {
	key, err := k.seal.Rotate(ctx, func(old, public string) error {
		return k.log.Note(ctx, by.Name, audit.MethodRotate, map[string]string{"old": old, "new": public})
	})
	return RecordKey{key}, err
}

// OfflineAudit has the verbs of the record while no gateway runs. The returned
// function closes it.
func OfflineAudit(cfg *config.Config) (admin.AuditVerb, func() error, error) {
	k, err := openKeeper(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return k.do, func() error { return k.close(context.Background()) }, nil
}
