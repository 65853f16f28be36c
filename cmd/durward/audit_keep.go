package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward/internal/boot"
)

func auditEraseCommand(a *app) *cobra.Command {
	var e boot.Erasure
	c := &cobra.Command{
		Use: "erase SUBJECT", Short: "Make what is kept in full of a person or agent unreadable", Args: args(1, 1),
		Long: "Destroys the keys with which arguments and results of a subject (user:NAME or agent:NAME) were sealed. The records\n" +
			"stay, and verify; the values in them are gone. Who did it, when and why is in the record. Backups of the data\n" +
			"folder that are older still have the keys. A legal hold on the subject refuses it. Exit code 1 when nothing was kept.",
		Example: "  durward audit erase user:alice@example.com --reason 'request 2026-117'",
		RunE: func(c *cobra.Command, words []string) error {
			if e.Subject = words[0]; !strings.HasPrefix(e.Subject, "user:") && !strings.HasPrefix(e.Subject, "agent:") {
				return usagef("%q is no subject: write user:NAME or agent:NAME", e.Subject)
			}
			var out boot.Erasure
			if err := a.onRecord(c.Context(), boot.VerbErase, e, &out); err != nil {
				return err
			}
			if a.json() {
				if err := printJSON(a.out, out); err != nil {
					return err
				}
			}
			switch {
			case out.Keys == 0 && a.json():
				return said{exitFailed}
			case out.Keys == 0:
				return hint(fmt.Errorf("nothing is kept in full of %s: no key was destroyed", e.Subject), "The record has the names: `durward audit search --%s`.", strings.Replace(e.Subject, ":", " ", 1))
			case !a.json():
				a.out.line("%s destroyed; what they sealed cannot be read any more", count(out.Keys, "key"))
			}
			return nil
		},
	}
	c.Flags().StringVar(&e.Reason, "reason", "", "why, for the record")
	return c
}

func auditHoldCommand(a *app) *cobra.Command {
	return parent("hold", "Keep records from being dropped and erased (legal hold)", "", holdAddCommand(a), holdListCommand(a), holdReleaseCommand(a))
}

func holdAddCommand(a *app) *cobra.Command {
	var (
		h            boot.RecordHold
		since, until string
		agent, user  string
	)
	c := &cobra.Command{
		Use: "add NAME", Short: "Add a hold", Args: args(1, 1),
		Example: "  durward audit hold add case-17 --user alice@example.com --since 2026-01-01 --reason 'litigation'",
		RunE: func(c *cobra.Command, words []string) (err error) {
			now := time.Now()
			if h.Since, err = moment(since, now); err != nil {
				return usagef("--since %v", err)
			}
			if h.Until, err = moment(until, now); err != nil {
				return usagef("--until %v", err)
			}
			switch h.Name = words[0]; {
			case agent != "" && user != "":
				return usagef("--agent and --user: name one of them")
			case agent != "":
				h.Subject = "agent:" + agent
			case user != "":
				h.Subject = "user:" + user
			}
			var out boot.RecordHold
			if err := a.onRecord(c.Context(), boot.VerbHold, h, &out); err != nil {
				return err
			}
			if a.json() {
				return printJSON(a.out, out)
			}
			a.out.line("%s holds %s", out.Name, firstOf(out.Subject, "everything"))
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&agent, "agent", "", "only records of this agent")
	f.StringVar(&user, "user", "", "only records of this user")
	f.StringVar(&since, "since", "", "only records from then on")
	f.StringVar(&until, "until", "", "only records before then")
	f.StringVar(&h.Reason, "reason", "", "why, for the record")
	return c
}

func holdListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the holds", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.recordDir()
			if err != nil {
				return err
			}
			all, err := boot.RecordHolds(dir)
			if err != nil {
				return err
			}
			return list(a, all, []string{"HOLD", "OF", "SINCE", "UNTIL", "BY", "REASON"}, func(h boot.RecordHold) []string {
				return []string{h.Name, firstOf(h.Subject, "everything"), day(h.Since), day(h.Until), h.By, h.Reason}
			})
		},
	}
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

func holdReleaseCommand(a *app) *cobra.Command {
	var h boot.RecordHold
	c := &cobra.Command{
		Use: "release NAME", Short: "End a hold", Args: args(1, 1),
		Example: "  durward audit hold release case-17 --reason settled",
		RunE: func(c *cobra.Command, words []string) error {
			h.Name = words[0]
			var out boot.RecordHold
			if err := a.onRecord(c.Context(), boot.VerbRelease, h, &out); err != nil {
				return err
			}
			if a.json() {
				return printJSON(a.out, out)
			}
			a.out.line("%s is released", out.Name)
			return nil
		},
	}
	c.Flags().StringVar(&h.Reason, "reason", "", "why, for the record")
	return c
}

func auditAgeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "age", Short: "Drop now what is past its time", Args: args(0, 0),
		Long: "Does at once what the gateway does every hour by audit: retention: drops the oldest segments of which every record is\n" +
			"past the time of its class and held by nobody, and destroys the keys of sealed values past theirs. Hashes of what\n" +
			"is dropped stay, so that the rest still verifies. Both leave a record.",
		RunE: func(c *cobra.Command, _ []string) error {
			var out boot.Aged
			if err := a.onRecord(c.Context(), boot.VerbAge, nil, &out); err != nil {
				return err
			}
			if a.json() {
				return printJSON(a.out, out)
			}
			a.out.line("%s dropped", count(len(out.Segments), "segment"))
			for class, n := range out.Expired {
				a.out.line("%s of class %s destroyed", count(n, "key"), class)
			}
			return nil
		},
	}
}
