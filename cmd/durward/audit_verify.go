package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward/internal/boot"
)

// verifyFlags are what a record or a proof is held against.
type verifyFlags struct {
	head, proof string
	keys        []string
	checkpoints []string
	witnesses   []string
}

func auditVerifyCommand(a *app) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use: "verify [FOLDER]", Short: "Check that no call was changed or removed", Args: args(0, 1),
		Long: "Recomputes the chain of hashes and the tree over the whole record, and checks every checkpoint. It needs nothing but\n" +
			"the files (a data folder, or a copy of its audit folder) and the public key: --key. Without a key the keys beside\n" +
			"the record are believed, which shows damage, but not somebody who signed everything anew.\n" +
			"Exit code 3 says that the record is not what was written, and where. That somebody cut off its end shows only\n" +
			"against something newer that lies elsewhere: --checkpoint with a published checkpoint, or --head.",
		Example: "  durward audit verify --key gateway.example/audit+8a3f...+AX...\n  durward audit verify /mnt/copy/audit --key audit.pub --checkpoint published.txt\n" +
			"  durward audit verify --proof proof.json --key audit.pub",
		RunE: func(c *cobra.Command, words []string) error {
			if sum, err := hex.DecodeString(f.head); c.Flags().Changed("head") && (err != nil || len(sum) != 32) {
				return usagef("--head %q is no hash of a record: it has 64 hexadecimal digits", f.head)
			}
			if f.proof != "" {
				return a.verifyProof(f)
			}
			dir, err := a.verifiedDir(words)
			if err != nil {
				return err
			}
			return a.verifyRecord(c.Context(), dir, f)
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.head, "head", "", "hash of a record that must be in it, from an earlier verify")
	fs.StringArrayVar(&f.keys, "key", nil, "public key that you trust, or a file with it (see durward audit key)")
	fs.StringArrayVar(&f.checkpoints, "checkpoint", nil, "file with a signed checkpoint that was published: the record must hold all that it covers")
	fs.StringVar(&f.proof, "proof", "", "check a proof of durward audit prove instead; - is standard input")
	fs.StringArrayVar(&f.witnesses, "witness", nil, "key of a witness that must have signed the proof, or a file with it")
	return c
}

// verifiedDir is the folder of the record: the one that is named, which may be
// a data folder, else that of the gateway.
func (a *app) verifiedDir(words []string) (string, error) {
	if len(words) == 0 {
		return a.recordDir()
	}
	dir := words[0]
	if inner := boot.RecordDir(dir); isFolder(inner) {
		return inner, nil
	}
	if !isFolder(dir) {
		return "", fmt.Errorf("%s is no folder of a record", dir)
	}
	return dir, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// trustedKeys are keys that were given, or stand in files that were given.
func trustedKeys(flag string, given []string, check func(string) error) ([]string, error) {
	keys, err := keysIn(flag, given)
	for _, k := range keys {
		if wrong := check(k); wrong != nil {
			return nil, usagef("--%s %s is no key: %v", flag, k, wrong)
		}
	}
	return keys, err
}

func keysIn(flag string, given []string) ([]string, error) {
	var keys []string
	for _, k := range given {
		if boot.IsRecordKey(k) {
			keys = append(keys, k)
			continue
		}
		b, err := os.ReadFile(k)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("--%s %s is neither a key nor a file with one", flag, k)
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); boot.IsRecordKey(line) {
				keys = append(keys, line)
			}
		}
		if len(keys) == 0 {
			return nil, usagef("--%s %s: there is no key in the file", flag, k)
		}
	}
	return keys, nil
}

// verified is what verification saw, for scripts.
type verified struct {
	boot.RecordReport
	Warnings []string `json:"warnings,omitempty"`
}

func (a *app) verifyRecord(ctx context.Context, dir string, f verifyFlags) error {
	expect := boot.RecordExpectation{Head: f.head}
	var err error
	if expect.Keys, err = trustedKeys("key", f.keys, boot.CheckRecordKey); err != nil {
		return err
	}
	for _, path := range f.checkpoints {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		signed, err := boot.ReadCheckpoints(b)
		if err != nil {
			return fmt.Errorf("--checkpoint %s: %w", path, err)
		}
		expect.Checkpoints = append(expect.Checkpoints, signed...)
	}
	report, err := boot.VerifyRecord(ctx, dir, expect)
	var fault *boot.RecordFault
	if err != nil && !errors.As(err, &fault) {
		return err
	}
	v := verified{report, doubts(report, filepath.Dir(dir))}
	if a.json() {
		if err := printJSON(a.out, v); err != nil {
			return err
		}
		return verdict(fault)
	}
	a.printVerified(v, fault)
	return verdict(fault)
}

// doubts are what a person should know of a record although its chain holds.
func doubts(r boot.RecordReport, data string) []string {
	var all []string
	if r.Torn != nil {
		all = append(all, fmt.Sprintf("the last %s of %s are no record: a write that was cut off, or goes on at the moment, or something else that was added",
			count(int(r.Torn.Bytes), "byte"), r.Torn.Segment))
	}
	if _, err := os.Stat(filepath.Join(data, "durward.db")); err == nil && r.Records == 0 && r.Fault == nil {
		all = append(all, "there is no record at all, although the data folder is in use: unless no call was ever made, somebody removed them")
	}
	if r.Back > time.Minute {
		all = append(all, fmt.Sprintf("the clock was set back by %s at least once; the order of the records is that of their numbers", r.Back.Round(time.Second)))
	}
	if len(r.Missing) > 0 {
		all = append(all, fmt.Sprintf("%s: not here, although the record was sealed: a checkpoint that was published elsewhere (--checkpoint) shows whether something was cut", strings.Join(r.Missing, ", ")))
	}
	if len(r.Foreign) > 0 {
		all = append(all, fmt.Sprintf("not of the record, and not looked into: %s", strings.Join(few(r.Foreign), ", ")))
	}
	switch t := r.Tree; {
	case r.Fault != nil || r.Records == 0:
	case t == nil || t.Size == 0:
		all = append(all, "no checkpoint was signed: only the chain of hashes holds the records together")
	case t.Uncovered > 0:
		all = append(all, fmt.Sprintf("no checkpoint covers the last %s yet: only the chain of hashes holds them", count(int(t.Uncovered), "record")))
	}
	return all
}

// few are the first of many names.
func few(names []string) []string {
	const most = 5
	if len(names) <= most {
		return names
	}
	return append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
}

func (a *app) printVerified(v verified, fault *boot.RecordFault) {
	if fault != nil {
		a.out.line("%s the record is not what was written: %s", a.out.red("✗"), clean(fault.Error()))
	} else {
		a.out.line("%s %s in %s, unbroken", a.out.green("✓"), count(int(v.Records), "record"), count(v.Segments, "segment"))
	}
	if t := v.Tree; fault == nil && t != nil && t.Size > 0 {
		by := "a key that you trust"
		if !t.Trusted {
			by = "the key that lies beside it"
		}
		a.out.line("%s %s signed by %s, in %s", a.out.green("✓"), count(int(t.Size), "record"), by, count(t.Checkpoints, "checkpoint"))
		if t.Dropped > 0 {
			a.out.line("  of the first %s the hashes are left: their time was over", count(int(t.Dropped), "record"))
		}
	}
	for _, w := range v.Warnings {
		a.out.line("%s %s", a.out.yellow("!"), clean(w))
	}
	if fault != nil || v.Records == 0 {
		return
	}
	a.out.line("  from %s to %s", v.FirstTime.Format(time.RFC3339), v.LastTime.Format(time.RFC3339))
	a.out.line("  head %s", v.Head)
	if v.Tree != nil && v.Tree.Size > 0 {
		a.out.line("  root %s of %s", v.Tree.Root, v.Tree.Origin)
		if !v.Tree.Trusted {
			a.out.line("  key  %s", v.Tree.Keys[len(v.Tree.Keys)-1])
			a.out.line("  %s", a.out.dim("Keep the key elsewhere, and let checkpoints be published (audit: publish): `durward audit verify --key KEY --checkpoint FILE`."))
		}
		return
	}
	a.out.line("  %s", a.out.dim("Keep the head elsewhere: `durward audit verify --head HASH` then shows if the end was cut off."))
}

func verdict(fault *boot.RecordFault) error {
	if fault != nil {
		return said{exitRefused}
	}
	return nil
}

// provedProof is a proof that holds, for scripts.
type provedProof struct {
	boot.Proved
	Holds bool            `json:"holds"`
	Error string          `json:"error,omitempty"`
	Entry json.RawMessage `json:"entry,omitempty"`
}

func (a *app) verifyProof(f verifyFlags) error {
	keys, err := trustedKeys("key", f.keys, boot.CheckRecordKey)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return usagef("--proof needs --key: a proof is worth nothing without a key that you trust")
	}
	witnesses, err := trustedKeys("witness", f.witnesses, boot.CheckWitnessKey)
	if err != nil {
		return err
	}
	p, err := a.readProof(f.proof)
	if err != nil {
		return err
	}
	out := provedProof{Holds: true}
	out.Proved, err = p.Check(keys...)
	for _, w := range witnesses {
		err = errors.Join(err, p.Witnessed(w))
	}
	if err != nil {
		out.Holds, out.Error = false, err.Error()
	} else if p.Entry != "" {
		out.Entry = json.RawMessage(p.Entry)
	}
	return a.printProof(out)
}

func (a *app) readProof(path string) (boot.Proof, error) {
	var p boot.Proof
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return p, err
		}
		defer f.Close()
		in = f
	}
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return p, fmt.Errorf("%s holds no proof: %w", path, err)
	}
	return p, nil
}

func (a *app) printProof(out provedProof) error {
	switch {
	case a.json():
		if err := printJSON(a.out, out); err != nil {
			return err
		}
	case !out.Holds:
		a.out.line("%s the proof does not hold: %s", a.out.red("✗"), clean(out.Error))
	case out.Record > 0:
		a.out.line("%s record %d is in the log %s, among the first %d", a.out.green("✓"), out.Record, out.Origin, out.Size)
		a.out.line("%s", clean(string(out.Entry)))
	default:
		a.out.line("%s the log %s of %d records begins with all the %d that it had before", a.out.green("✓"), out.Origin, out.Size, out.Old)
	}
	if !out.Holds {
		return said{exitRefused}
	}
	return nil
}
