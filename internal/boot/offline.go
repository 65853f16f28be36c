package boot

import (
	"context"
	"errors"
	"fmt"
	"os"

	"durward"
	"durward/internal/admin"
	"durward/internal/config"
	"durward/internal/control"
	"durward/internal/guard"
	"durward/internal/identity"
	"durward/internal/oauth"
	"durward/internal/pipeline"
	"durward/internal/store"
)

// Offline opens the state of a configuration that no gateway uses at the
// moment, for the command line. The returned function closes it.
func Offline(cfg *config.Config) (*admin.Direct, func() error, error) {
	if _, err := os.Stat(cfg.Data); errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no data folder %s; `durward up` or `durward serve` makes one", cfg.Data)
	}
	db, err := store.Open(cfg.Data, store.Options{Seal: sealKey(cfg)})
	if err != nil {
		return nil, nil, err
	}
	pepper := db.Pepper()
	file := cfg.Declared(func(secret string) [32]byte { return identity.Hash(pepper, secret) })
	c := control.New(control.Options{
		Store: db, Pepper: pepper, Own: func() []string { return ownAddresses(cfg) },
		File:    func() (*durward.Snapshot, string) { return file, cfg.Path },
		Note:    noteOffline(cfg.Data),
		SignOut: func(up *durward.Upstream) error { return oauth.Forget(db, up) },
		Check:   func(s *durward.Snapshot) error { _, err := pipeline.Compile(pepper, s); return err },
	})
	return admin.NewDirect(c, operator()), db.Close, nil
}

// sealKey is the secret of the store; nil for the one in the data folder.
func sealKey(cfg *config.Config) []byte {
	if cfg.SealKey.IsZero() {
		return nil
	}
	return []byte(cfg.SealKey.Reveal())
}

// LocalOperator is the person at this machine, whom the file permissions of
// the data folder let in.
func LocalOperator() durward.Actor { return operator() }

// operator is the person at this machine, whom the file permissions of the
// data folder let in.
func operator() durward.Actor { return durward.Actor{Name: "local", Operator: true} }

// ConfigOptions completes how a configuration is read: keys that cannot be
// one, such as a mistyped virtual key, are refused with their place, and so
// are rules that the guard does not have.
func ConfigOptions(o config.Options) config.Options {
	o.CheckKey, o.CheckWitness = identity.Check, CheckWitnessKey
	o.Rules, o.Vectors = guard.Names()
	o.ReadLock = readLock
	return o
}

// Check compiles what a configuration declares, and looks at the folder that
// it would use, as a start would.
func Check(_ context.Context, cfg *config.Config) error {
	if err := checkFolder(cfg.Data); err != nil {
		return err
	}
	_, err := pipeline.Compile(make([]byte, 32), cfg.Declared(func(s string) [32]byte { return identity.Hash(nil, s) }))
	return err
}

// checkFolder refuses a data folder that is there and into which others could
// put something; one that is not there yet is made closed.
func checkFolder(data string) error {
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return onlyOurs(data)
}
