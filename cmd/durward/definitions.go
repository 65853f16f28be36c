package main

import (
	"bufio"
	"context"
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
			"instructions and what the server is. Each change has a class: notation, cosmetic, widening, risky. Hidden\n" +
			"characters are written as escapes. Exit code 3 when something is withheld.",
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
	withheld := false
	for _, name := range names {
		defs, err := op.Definitions(ctx, name)
		if err != nil && len(words) == 0 { // the others can be read
			a.err.line("%s", a.err.yellow(oneLine(plainly(err).Error())))
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
		}
	}
	if a.json() {
		if err := printJSON(a.out, shown); err != nil {
			return err
		}
	}
	if withheld {
		return said{exitRefused}
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
	return oneLine(word) + "@" + short(d.Digest)
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
	digests := ""
	switch {
	case d.Approved != "" && d.Digest != "" && d.Approved != d.Digest:
		digests = "approved " + short(d.Approved) + ", now " + short(d.Digest)
	default:
		digests = short(firstOf(d.Digest, d.Approved))
	}
	if d.By != "" {
		digests += " by " + d.By
	}
	o.line("  %s %s  %s  %s", sign, strings.TrimSpace(d.Kind+" "+oneLine(d.Name)), what, o.dim(oneLine(digests)))
	for _, c := range d.Changes {
		o.line("      %s  %s (%s)", oneLine(c.Path), c.Why, c.Class)
		if c.Before != "" {
			o.line("        %s", o.red("- "+oneLine(c.Before)))
		}
		if c.After != "" {
			o.line("        %s", o.green("+ "+oneLine(c.After)))
		}
	}
	for _, f := range d.Findings {
		if f.Rule == "redefinition.changed" && len(d.Changes) > 0 {
			continue // said above
		}
		o.line("      %s", o.yellow(oneLine(strings.TrimSpace(f.Rule+" "+f.Severity+" "+f.Where+"  "+f.Evidence))))
	}
	if p := d.Proposal; p != nil && p.Digest == d.Digest {
		o.line("      %s", o.cyan("approved by "+oneLine(strings.Join(p.By, ", "))+" so far; somebody else has to, too"))
	}
}

func approveCommand(a *app) *cobra.Command {
	var all, yes bool
	c := &cobra.Command{
		Use:   "approve UPSTREAM (NAME[@DIGEST] ... | --all)",
		Short: "Approve definitions of an upstream as they are now",
		Long: "Approves definitions as the upstream lists them now: NAME is a tool, prompt:NAME, template:URI, resource:URI,\n" +
			"instructions or server. What is approved is the definition that is shown first; with @DIGEST, as durward diff\n" +
			"shows it, it is that one or none. With guard.approve.people in durward.yaml several operators have to approve,\n" +
			"each with a key of their own.",
		Example: "  durward approve crm add\n  durward approve crm add@6cb1bf657266 prompt:greet\n  durward approve crm --all",
		GroupID: groupGovern, Args: args(1, -1),
		ValidArgsFunction: first(a.completeUpstreams),
		RunE: func(c *cobra.Command, words []string) error {
			if (len(words) == 1) != all {
				return usagef("name the definitions to approve, or give --all")
			}
			return a.operate(c.Context(), func(op operator) error { return a.approve(c.Context(), op, words[0], words[1:], yes) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all definitions that are not approved")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *app) approve(ctx context.Context, op operator, upstream string, words []string, yes bool) error {
	defs, err := op.Definitions(ctx, upstream)
	if err != nil {
		return err
	}
	chosen, err := choose(upstream, defs, words)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		a.err.line("All definitions of %s are approved.", upstream)
		return nil
	}
	for i := range chosen {
		if !a.json() {
			a.showDefinition(&chosen[i])
		}
	}
	if a.canAsk() && !yes && !a.confirm(bufio.NewScanner(a.in), "Approve?", false) {
		return said{exitFailed}
	}
	wanted := make([]admin.Approval, len(chosen))
	for i, d := range chosen {
		wanted[i] = admin.Approval{Kind: d.Kind, Name: d.Name, Digest: d.Digest}
	}
	done, err := op.Approve(ctx, upstream, wanted)
	if err != nil {
		return err
	}
	if a.json() {
		return printJSON(a.out, done)
	}
	for _, d := range done {
		what := strings.TrimSpace(d.Kind + " " + oneLine(d.Name))
		if d.Missing > 0 {
			a.err.line("%s of %s is approved by you; %s with a key of their own.", what, upstream, plural(d.Missing, "more operator has to approve it, too,", "more operators have to approve it, too, each"))
			continue
		}
		a.err.line("%s of %s is approved.", what, upstream)
	}
	return nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// choose finds what the words name; without words all that is not approved.
func choose(upstream string, defs []durward.Definition, words []string) ([]durward.Definition, error) {
	var out []durward.Definition
	if len(words) == 0 {
		for _, d := range defs {
			if d.Digest != "" && (d.State == durward.DefinitionWithheld || d.State == durward.DefinitionFlagged) {
				out = append(out, d)
			}
		}
		return out, nil
	}
	for _, w := range words {
		name, digest, pinned := cutDigest(w)
		kind := durward.PinTool
		switch before, after, ok := strings.Cut(name, ":"); {
		case name == durward.PinInstructions || name == durward.PinServer:
			kind, name = name, ""
		case ok && (before == durward.PinPrompt || before == durward.PinTemplate || before == durward.PinResource || before == durward.PinTool):
			kind, name = before, after
		}
		i := slices.IndexFunc(defs, func(d durward.Definition) bool { return d.Kind == kind && d.Name == name && d.Digest != "" })
		if i < 0 {
			return nil, fmt.Errorf("%s lists no %s; see durward diff %s --all", upstream, strings.TrimSpace(kind+" "+name), upstream)
		}
		if pinned && !strings.HasPrefix(defs[i].Digest, digest) {
			return nil, refusedf("%s of %s is not %s any more; see durward diff %s", name, upstream, digest, upstream)
		}
		out = append(out, defs[i])
	}
	return out, nil
}

// cutDigest takes @DIGEST off; a URI may hold an @ of its own.
func cutDigest(word string) (name, digest string, ok bool) {
	i := strings.LastIndexByte(word, '@')
	if i < 0 || len(word)-i-1 < 8 || strings.Trim(word[i+1:], "0123456789abcdef") != "" {
		return word, "", false
	}
	return word[:i], word[i+1:], true
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
