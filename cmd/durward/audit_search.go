package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"durward/internal/boot"
)

func auditSearchCommand(a *app) *cobra.Command {
	var (
		r     recordFlags
		limit int
	)
	c := &cobra.Command{
		Use: "search [TEXT]", Short: "Find calls in the record", Args: args(0, 1),
		Long: "Finds calls, the newest last, with an index beside the record; what the index does not have yet is read.\n" +
			"TEXT is looked for anywhere in a record, in either case. -o json prints one record a line.",
		Example: "  durward audit search --agent support-bot --verdict deny --since 24h\n  durward audit search 'customer 4711' --limit 5",
		RunE: func(c *cobra.Command, words []string) error {
			if limit < 0 {
				return usagef("--limit %d: how many calls cannot be less than none", limit)
			}
			f, err := r.filter(time.Now())
			if err != nil {
				return err
			}
			if len(words) == 1 {
				f.Text = words[0]
			}
			return a.searchRecord(c.Context(), f, limit)
		},
	}
	r.add(c, a)
	c.Flags().IntVar(&limit, "limit", 100, "how many calls at most, the newest; 0 for all")
	return c
}

func (a *app) searchRecord(ctx context.Context, f boot.RecordFilter, limit int) error {
	dir, err := a.recordDir()
	if err != nil {
		return err
	}
	return a.printRecords(dir, boot.SearchRecord(ctx, dir, f, limit))
}

func auditIndexCommand(a *app) *cobra.Command {
	var rebuild bool
	c := &cobra.Command{
		Use: "index", Short: "Bring the index of the record up to date", Args: args(0, 0),
		Example: "  durward audit index --rebuild",
		Long: "The gateway makes the index of each segment that is full; this makes those that are missing. With --rebuild all are\n" +
			"made anew from the record. The index is no evidence: it may be removed at any time.",
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := a.recordDir()
			if err != nil {
				return err
			}
			n, err := boot.IndexRecord(c.Context(), dir, rebuild)
			if err != nil {
				return fmt.Errorf("index the record: %w", err)
			}
			if a.json() {
				return printJSON(a.out, map[string]int{"indexed": n})
			}
			a.out.line("%s indexed", count(n, "segment"))
			return nil
		},
	}
	c.Flags().BoolVar(&rebuild, "rebuild", false, "make the index of all segments anew")
	return c
}
