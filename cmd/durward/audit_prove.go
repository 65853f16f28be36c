package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward/internal/admin"
	"durward/internal/boot"
)

func auditProveCommand(a *app) *cobra.Command {
	var consistency bool
	c := &cobra.Command{
		Use: "prove (ID | NUMBER) | --consistency OLD NEW", Short: "Prove to others that a call is in the record", Args: args(1, 2),
		Long: "Prints a proof as JSON that holds on any machine: the record, its place in the tree, and a signed checkpoint.\n" +
			"`durward audit verify --proof FILE --key KEY` checks it. With --consistency it proves that the record of one\n" +
			"checkpoint begins with all that an older one covers; OLD and NEW are numbers of records or files with a checkpoint.",
		Example: "  durward audit prove 01KB7C3X9V > proof.json\n  durward audit prove --consistency 1000 published.txt",
		RunE: func(c *cobra.Command, words []string) error {
			dir, err := a.recordDir()
			if err != nil {
				return err
			}
			if consistency != (len(words) == 2) {
				return usagef("name one record, or with --consistency two checkpoints")
			}
			var p *boot.Proof
			if consistency {
				p, err = proveBetween(dir, words[0], words[1])
			} else {
				p, err = a.proveRecord(c.Context(), dir, words[0])
			}
			if err != nil {
				return err
			}
			return printJSON(a.out, p)
		},
	}
	c.Flags().BoolVar(&consistency, "consistency", false, "prove that one checkpoint's record continues another's")
	return c
}

// proveRecord proves a record; one that is too young for the last checkpoint
// gets one signed.
func (a *app) proveRecord(ctx context.Context, dir, which string) (*boot.Proof, error) {
	p, err := boot.ProveRecord(ctx, dir, which)
	if !errors.Is(err, boot.ErrNotCovered) {
		return p, err
	}
	var signed boot.Signed
	if err := a.onRecord(ctx, boot.VerbCheckpoint, nil, &signed); err != nil {
		return nil, err
	}
	return boot.ProveRecord(ctx, dir, which)
}

func proveBetween(dir, old, signed string) (*boot.Proof, error) {
	o, err := checkpointOf(dir, old)
	if err != nil {
		return nil, err
	}
	n, err := checkpointOf(dir, signed)
	if err != nil {
		return nil, err
	}
	return boot.ProveConsistency(dir, o, n)
}

// checkpointOf is a checkpoint of the record by its size, else what a file holds.
func checkpointOf(dir, which string) ([]byte, error) {
	if size, err := strconv.ParseInt(which, 10, 64); err == nil {
		return boot.CheckpointAt(dir, size)
	}
	b, err := os.ReadFile(which)
	if err != nil {
		return nil, err
	}
	all, err := boot.ReadCheckpoints(b)
	if err != nil {
		return nil, err
	}
	return all[len(all)-1], nil
}

func auditCheckpointsCommand(a *app) *cobra.Command {
	var now bool
	c := &cobra.Command{
		Use: "checkpoints", Short: "List the signed checkpoints, or sign one", Args: args(0, 0),
		Example: "  durward audit checkpoints --now > published.txt",
		Long:    "Lists the checkpoints. With --now it signs one over all that there is and prints it as it is published.",
		RunE: func(c *cobra.Command, _ []string) error {
			if now {
				var signed boot.Signed
				if err := a.onRecord(c.Context(), boot.VerbCheckpoint, nil, &signed); err != nil {
					return err
				}
				if a.json() {
					return printJSON(a.out, signed)
				}
				a.out.line("%s", strings.TrimSuffix(signed.Checkpoint, "\n"))
				return nil
			}
			dir, err := a.recordDir()
			if err != nil {
				return err
			}
			all, err := boot.RecordCheckpoints(dir)
			if err != nil {
				return err
			}
			return list(a, all, []string{"RECORDS", "SIGNED", "ROOT"}, func(e boot.SignedCheckpoint) []string {
				return []string{strconv.FormatInt(e.Size, 10), e.Time.Local().Format(time.DateTime), strings.SplitN(e.Note, "\n", 4)[2]}
			})
		},
	}
	c.Flags().BoolVar(&now, "now", false, "sign one now and print it")
	return c
}

func auditKeyCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Show the public key of the record", Args: unknownCommand,
		Long: "Prints the public key that signs the record: give it to whoever shall verify it, by another way than the record.\n" +
			"The secret key is audit.key in the data folder. -o json lists the keys before it, too.",
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.recordDir()
			if err != nil {
				return err
			}
			keys, err := boot.RecordKeys(dir)
			switch {
			case err != nil:
				return err
			case a.json():
				if keys == nil {
					keys = []boot.RecordKeyEntry{}
				}
				return printJSON(a.out, keys)
			case len(keys) == 0:
				return hint(errors.New("this record has no key yet"), "`durward serve` makes it.")
			}
			a.out.line("%s", keys[len(keys)-1].Key)
			return nil
		},
	}
	c.AddCommand(&cobra.Command{
		Use: "rotate", Short: "Put a new key in the place of the old one", Args: args(0, 0),
		Long: "Makes a new key, signs it with the old one, and destroys that. The record has who did it and when. Those who trust\n" +
			"the old key trust the new one by it; those who are given the new key can check what the old one signed.",
		RunE: func(c *cobra.Command, _ []string) error {
			var key boot.RecordKey
			if err := a.onRecord(c.Context(), boot.VerbRotate, nil, &key); err != nil {
				return err
			}
			if a.json() {
				return printJSON(a.out, key)
			}
			a.out.line("%s", key.Key)
			return nil
		},
	})
	return c
}

// onRecord does something to the record: the gateway that runs does it, else
// this process.
func (a *app) onRecord(ctx context.Context, verb string, in, out any) error {
	c, cfg, err := a.running(ctx)
	switch {
	case err == nil:
		defer c.Close()
		return plainly(c.Audit(ctx, verb, in, out))
	case !errors.Is(err, admin.ErrNotRunning):
		return err
	}
	if err := a.mayBeLocal(cfg.Data); err != nil {
		return err
	}
	if _, err := a.recordDir(); err != nil {
		return err
	}
	do, done, err := boot.OfflineAudit(cfg)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return errors.Join(err, done())
	}
	got, err := do(ctx, boot.LocalOperator(), verb, raw)
	if err := errors.Join(plainly(err), done()); err != nil {
		return err
	}
	raw, err = json.Marshal(got)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}
