package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"durward/internal/boot"
)

func auditVerifyCommand(a *app) *cobra.Command {
	var head string
	c := &cobra.Command{
		Use: "verify", Short: "Check that no call was changed or removed", Args: args(0, 0),
		Long: "Recomputes the chain of hashes over the whole record. It needs nothing but the files.\n" +
			"Exit code 3 says that the record is not what was written. That somebody cut off its end\n" +
			"shows only against a head that you kept elsewhere: --head.",
		RunE: func(c *cobra.Command, _ []string) error {
			if sum, err := hex.DecodeString(head); c.Flags().Changed("head") && (err != nil || len(sum) != 32) {
				return usagef("--head %q is no hash of a record: it has 64 hexadecimal digits", head)
			}
			return a.verifyRecord(c.Context(), head)
		},
	}
	c.Flags().StringVar(&head, "head", "", "hash of a record that must be in it, from an earlier verify")
	return c
}

// verified is what verification saw, for scripts.
type verified struct {
	boot.RecordReport
	Warnings []string `json:"warnings,omitempty"`
}

func (a *app) verifyRecord(ctx context.Context, head string) error {
	dir, err := a.recordDir()
	if err != nil {
		return err
	}
	report, err := boot.VerifyRecord(ctx, dir, head)
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
	return all
}

func (a *app) printVerified(v verified, fault *boot.RecordFault) {
	if fault != nil {
		a.out.line("%s the record is not what was written: %s", a.out.red("✗"), clean(fault.Error()))
	} else {
		a.out.line("%s %s in %s, unbroken", a.out.green("✓"), count(int(v.Records), "record"), count(v.Segments, "segment"))
	}
	for _, w := range v.Warnings {
		a.out.line("%s %s", a.out.yellow("!"), clean(w))
	}
	if fault == nil && v.Records > 0 {
		a.out.line("  from %s to %s", v.FirstTime.Format(time.RFC3339), v.LastTime.Format(time.RFC3339))
		a.out.line("  head %s", v.Head)
		a.out.line("  %s", a.out.dim("Keep the head elsewhere: `durward audit verify --head HASH` then shows if the end was cut off."))
	}
}

func verdict(fault *boot.RecordFault) error {
	if fault != nil {
		return said{exitRefused}
	}
	return nil
}
