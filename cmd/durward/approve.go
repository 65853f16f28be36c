package main

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
)

func approveCommand(a *app) *cobra.Command {
	var all, yes bool
	c := &cobra.Command{
		Use:   "approve UPSTREAM (NAME[@DIGEST] ... | --all)",
		Short: "Approve definitions of an upstream as they are now",
		Long: "Approves definitions as the upstream lists them now: NAME is a tool, prompt:NAME, template:URI, resource:URI,\n" +
			"instructions or server. What is approved is the definition that is shown first, and beside it what the upstream\n" +
			"shows to others; with @DIGEST, as durward diff shows it, it is that one or none. The gateway that runs on the data\n" +
			"folder does it, whether durward up or durward serve started it. With guard.approve.people in durward.yaml several\n" +
			"operators have to approve, each with a key of their own.",
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
			a.showDefinition(&chosen[i].Definition)
		}
	}
	if a.canAsk() && !yes && !a.confirm(bufio.NewScanner(a.in), "Approve?", false) {
		return said{exitFailed}
	}
	var wanted []admin.Approval
	for i := range chosen {
		for _, digest := range chosen[i].digests {
			wanted = append(wanted, admin.Approval{Kind: chosen[i].Kind, Name: chosen[i].Name, Digest: digest})
		}
	}
	done, err := op.Approve(ctx, upstream, wanted)
	if err != nil {
		return err
	}
	if a.json() {
		return printJSON(a.out, done)
	}
	a.sayApproved(ctx, op, upstream, done)
	return nil
}

// sayApproved says what came of approvals, and what stays withheld all the same.
func (a *app) sayApproved(ctx context.Context, op operator, upstream string, done []admin.Approved) {
	now, _ := op.Definitions(ctx, upstream) // without it, nothing is said of what stays
	for i, d := range done {
		if i > 0 && done[i-1].Kind == d.Kind && done[i-1].Name == d.Name {
			continue // said: it is another variant of the same
		}
		what := strings.TrimSpace(d.Kind + " " + oneLine(d.Name))
		switch {
		case d.Missing > 0:
			a.err.line("%s of %s is approved by you; %s with a key of their own.", what, upstream, plural(d.Missing, "more operator has to approve it, too,", "more operators have to approve it, too, each"))
			continue
		case d.Already:
			a.err.line("%s of %s was approved already; nothing has changed.", what, upstream)
		default:
			a.err.line("%s of %s is approved.", what, upstream)
		}
		for _, n := range now {
			if n.Kind == d.Kind && n.Name == d.Name && n.State == durward.DefinitionWithheld {
				a.err.line("%s", a.err.yellow("It stays withheld: "+staysWithheld(&n)))
			}
		}
	}
}

// staysWithheld says why approving a definition was not enough, and what is.
func staysWithheld(d *durward.Definition) string {
	switch {
	case d.Reason == durward.ReasonServerChanged:
		return "it is another server than the one that was approved; durward approve " + d.Upstream + " server says that it is good."
	case len(openVariants(d)) > 0:
		return "others are shown another definition; durward diff " + d.Upstream + " shows it, durward approve " + d.Upstream + " " + wordFor(d) + " takes it, too."
	case d.Digest != d.Approved:
		return "it has changed again; see durward diff " + d.Upstream + "."
	}
	return string(d.Reason) + "; see durward diff " + d.Upstream + "."
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// choice is what is approved of one name: what the gateway lists, and what the
// upstream shows to others.
type choice struct {
	durward.Definition
	digests []string
}

// choose finds what the words name; without words all that is not approved.
func choose(upstream string, defs []durward.Definition, words []string) ([]choice, error) {
	var out []choice
	if len(words) == 0 {
		for _, d := range defs {
			if d.Digest != "" && (d.State == durward.DefinitionWithheld || d.State == durward.DefinitionFlagged) {
				out = append(out, choice{d, append([]string{d.Digest}, openVariants(&d)...)})
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
		shown := append([]string{defs[i].Digest}, openVariants(&defs[i])...)
		if pinned {
			shown = slices.DeleteFunc(shown, func(d string) bool { return !strings.HasPrefix(d, digest) })
		}
		if len(shown) == 0 {
			return nil, refusedf("%s of %s is not %s any more; see durward diff %s", name, upstream, digest, upstream)
		}
		out = append(out, choice{defs[i], shown})
	}
	return out, nil
}

// openVariants are digests of what others are shown that nobody has approved.
func openVariants(d *durward.Definition) (out []string) {
	for _, v := range d.Variants {
		if !v.Approved && v.Digest != "" {
			out = append(out, v.Digest)
		}
	}
	return out
}

func (a *app) showVariants(d *durward.Definition) {
	for _, v := range d.Variants {
		what := "not approved"
		if v.Approved {
			what = "approved, too"
		}
		if v.Class != "" {
			what += ", " + v.Class
		}
		a.out.line("      %s %s  %s  %s", a.out.cyan("for"), oneLine(v.Who), what, a.out.dim(short(v.Digest)))
		a.showChanges("        ", v.Changes)
	}
}

func (a *app) showChanges(indent string, changes []durward.DefinitionChange) {
	for _, c := range changes {
		a.out.line("%s%s  %s (%s)", indent, oneLine(c.Path), c.Why, c.Class)
		if c.Before != "" {
			a.out.line("%s  %s", indent, a.out.red("- "+oneLine(c.Before)))
		}
		if c.After != "" {
			a.out.line("%s  %s", indent, a.out.green("+ "+oneLine(c.After)))
		}
	}
}

// cutDigest takes @DIGEST off; a URI may hold an @ of its own.
func cutDigest(word string) (name, digest string, ok bool) {
	i := strings.LastIndexByte(word, '@')
	if i < 0 || len(word)-i-1 < 8 || strings.Trim(word[i+1:], "0123456789abcdef") != "" {
		return word, "", false
	}
	return word[:i], word[i+1:], true
}
