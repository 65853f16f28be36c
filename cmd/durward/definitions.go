package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
)

func diffCommand(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "diff [UPSTREAM]",
		Short: "Show which definitions differ from what was approved, and how",
		Long: "Shows the definitions of upstreams that are not in use as they were approved: tools, prompts, templates,\n" +
			"instructions and what the server is, and what the upstream shows to others in their place. Each change has a\n" +
			"class: notation, cosmetic, widening, risky. Hidden characters are written as escapes. The gateway that runs on the data\n" +
			"folder is asked, whether durward up or durward serve started it. Exit code 3 when something is withheld.",
		Example: "  durward diff crm\n  durward approve crm add",
		GroupID: groupGovern, Args: args(0, 1),
		ValidArgsFunction: first(a.completeUpstreams),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error { return a.diff(c.Context(), op, words, all) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "show what is in use as approved, too")
	return c
}

func (a *app) diff(ctx context.Context, op operator, words []string, all bool) error {
	names := words
	if len(names) == 0 {
		ups, err := op.Upstreams(ctx)
		if err != nil {
			return err
		}
		for _, u := range ups {
			if !u.Disabled {
				names = append(names, u.Name)
			}
		}
	}
	shown := []durward.Definition{}
	withheld, unread := false, false
	for _, name := range names {
		defs, err := op.Definitions(ctx, name)
		if err != nil && len(words) == 0 && !errors.Is(err, admin.ErrNotRunning) { // the others can be read
			a.err.line("%s", a.err.yellow(oneLine(plainly(err).Error())))
			unread = true
			continue
		}
		if err != nil {
			return err
		}
		some := slices.DeleteFunc(slices.Clone(defs), func(d durward.Definition) bool { return !all && d.State == durward.DefinitionApproved })
		withheld = withheld || slices.ContainsFunc(some, func(d durward.Definition) bool { return d.State == durward.DefinitionWithheld })
		shown = append(shown, some...)
		if !a.json() {
			a.showDefinitions(name, defs, some)
			a.showLeftOut(ctx, op, name)
		}
	}
	if a.json() {
		if err := printJSON(a.out, shown); err != nil {
			return err
		}
	}
	switch {
	case withheld:
		return said{exitRefused}
	case unread:
		return said{exitFailed}
	}
	return nil
}

// showDefinitions prints some of the definitions of an upstream.
func (a *app) showDefinitions(upstream string, all, some []durward.Definition) {
	counts := map[string]int{}
	for _, d := range all {
		counts[d.State]++
	}
	a.out.line("%s  %s", a.out.bold(upstream), a.out.dim(inWords(counts)))
	for i := range some {
		a.showDefinition(&some[i])
	}
	var names []string
	for _, d := range some {
		if d.State == durward.DefinitionWithheld && d.Digest != "" && d.Origin != durward.FromFile {
			names = append(names, wordFor(&d))
		}
	}
	if len(names) == 1 {
		a.out.line("  %s", a.out.dim("durward approve "+upstream+" "+names[0]+" puts it in use"))
	} else if len(names) > 1 {
		a.out.line("  %s", a.out.dim("durward approve "+upstream+" NAME ... puts them in use, --all all of them"))
	}
}

// showLeftOut tells of items that are in an upstream's lists and cannot be read.
func (a *app) showLeftOut(ctx context.Context, op operator, upstream string) {
	d, err := op.InspectUpstream(ctx, upstream)
	if err != nil {
		return // the definitions were told; these are beside them
	}
	for _, why := range d.Status.LeftOut {
		a.out.line("  ✗ %s", a.out.yellow("left out: "+oneLine(clean(why))))
	}
}

func inWords(counts map[string]int) string {
	var parts []string
	for _, s := range []string{durward.DefinitionWithheld, durward.DefinitionFlagged, durward.DefinitionApproved, durward.DefinitionGone} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return firstOf(strings.Join(parts, ", "), "defines nothing")
}

// wordFor is how approve takes a definition.
func wordFor(d *durward.Definition) string {
	word := d.Name
	switch {
	case word == "":
		word = d.Kind
	case d.Kind != durward.PinTool:
		word = d.Kind + ":" + word
	}
	digest := d.Digest
	if open := openVariants(d); d.Digest == d.Approved && len(open) == 1 {
		digest = open[0]
	} else if len(open) > 0 {
		return oneLine(word) // all that is shown
	}
	return oneLine(word) + "@" + short(digest)
}

func short(digest string) string { return digest[:min(len(digest), 12)] }

func (a *app) showDefinition(d *durward.Definition) {
	o := a.out
	sign, what := o.green("✓"), string(d.Reason)
	switch d.State {
	case durward.DefinitionWithheld:
		sign = o.red("✗")
	case durward.DefinitionFlagged:
		sign = o.yellow("!")
	case durward.DefinitionGone:
		sign, what = o.dim("-"), "gone"
	}
	if d.Class != "" {
		what += ", " + d.Class
	}
	digests := short(firstOf(d.Digest, d.Approved))
	if d.Approved != "" && d.Digest != "" && d.Approved != d.Digest {
		digests = "approved " + short(d.Approved) + ", now " + short(d.Digest)
	}
	if d.By != "" {
		digests += " by " + d.By
	}
	o.line("  %s %s  %s  %s", sign, strings.TrimSpace(d.Kind+" "+oneLine(d.Name)), what, o.dim(oneLine(digests)))
	a.showChanges("      ", d.Changes)
	for _, f := range d.Findings {
		if f.Rule == "redefinition.changed" && len(d.Changes) > 0 {
			continue // said above
		}
		o.line("      %s", o.yellow(oneLine(strings.TrimSpace(f.Rule+" "+f.Severity+" "+f.Where+"  "+f.Evidence))))
	}
	a.showVariants(d)
	if p := d.Proposal; p != nil && (p.Digest == d.Digest || p.Digest == d.Approved) {
		o.line("      %s", o.cyan("approved by "+oneLine(strings.Join(p.By, ", "))+" so far; somebody else has to, too"))
	}
}

// withheldOf names the definitions of an upstream that are withheld. What was
// read a moment ago may take another to be judged.
func withheldOf(ctx context.Context, op operator, upstream string, tools int) (names []string) {
	for range 20 {
		defs, err := op.Definitions(ctx, upstream)
		listed := 0
		names = nil
		for i := range defs {
			d := &defs[i]
			if d.Kind == durward.PinTool && d.Digest != "" {
				listed++
			}
			if d.State == durward.DefinitionWithheld {
				names = append(names, strings.TrimSuffix(strings.TrimPrefix(d.Kind+" "+d.Name, durward.PinTool+" "), " "))
			}
		}
		if err == nil && listed >= tools || tools == 0 {
			return names
		}
		select {
		case <-ctx.Done():
			return names
		case <-time.After(20 * time.Millisecond):
		}
	}
	return names
}

func withheldLine(upstream string, names []string) string {
	const most = 5
	more := ""
	if len(names) > most {
		names, more = names[:most], fmt.Sprintf(" and %d more", len(names)-most)
	}
	return "withheld from agents: " + oneLine(strings.Join(names, ", ")) + more + "; durward diff " + upstream + " shows why"
}
