package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func toolsCommand(a *app) *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use:               "tools [TOOL]",
		Example:           "  durward tools\n  durward tools example__notes_search",
		Short:             "List the tools that an agent sees, or show one",
		GroupID:           groupUse,
		Args:              args(0, 1),
		ValidArgsFunction: a.completeTools(&f),
		RunE: func(c *cobra.Command, words []string) error {
			return a.tools(c.Context(), f, words)
		},
	}
	f.add(c, a)
	return c
}

func (a *app) tools(ctx context.Context, f agentFlags, words []string) error {
	c, err := a.agentClient(ctx, f)
	if err != nil {
		return err
	}
	all, err := c.tools(ctx)
	if err != nil {
		return a.callFailed(ctx, f, err, "", time.Now())
	}
	if len(words) == 0 {
		return a.listTools(all, c.missing)
	}
	i := slices.IndexFunc(all, func(t tool) bool { return t.Name == words[0] })
	if i < 0 {
		return refusedf("%s does not exist, or this agent may not call it; `durward tools` lists what it may", words[0])
	}
	if a.json() {
		return printJSON(a.out, all[i].raw)
	}
	a.showTool(all[i])
	return nil
}

func (a *app) listTools(all []tool, missing []unreached) error {
	if a.json() {
		raw := make([]json.RawMessage, 0, len(all))
		for _, t := range all {
			raw = append(raw, t.raw)
		}
		return printJSON(a.out, raw)
	}
	for _, m := range missing {
		a.err.line("%s", a.err.yellow(oneLine(m.Upstream+" is left out: "+m.Reason)))
	}
	if len(all) == 0 && len(missing) == 0 {
		a.err.line("This agent may call nothing. A role has to allow tools: see `durward role --help`.")
	}
	return list(a, all, []string{"TOOL", "CLAIMS", "DESCRIPTION"}, func(t tool) []string {
		return []string{t.Name, t.claims(), firstSentence(t.Description)}
	})
}

// claims is the tool's own word on what it does: nobody has checked it.
func (t tool) claims() string {
	switch {
	case t.Annotations.ReadOnly:
		return "reads"
	case t.Annotations.Destructive != nil && !*t.Annotations.Destructive:
		return "writes"
	}
	return "may destroy"
}

func firstSentence(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if i := strings.Index(line, ". "); i > 0 {
		line = line[:i+1]
	}
	return cut(line, 160)
}

func (a *app) showTool(t tool) {
	a.out.line("%s  %s", a.out.bold(oneLine(t.Name)), a.out.dim(t.claims()))
	a.out.line("%s\n", clean(strings.TrimSpace(t.Description)))
	s := readSchema(t.InputSchema)
	rows := table{head: []string{"ARGUMENT", "TYPE", "DESCRIPTION"}}
	for _, name := range fieldOrder(s) {
		p := s.Properties[name]
		kind := strings.Join(p.types(), "|")
		if slices.Contains(s.Required, name) {
			kind += ", required"
		}
		rows.add(name, kind, p.Description+choices(p))
	}
	if len(rows.rows) > 0 {
		rows.print(a.out)
	}
}

// completeTools offers the names of tools, and the arguments of the one that was named.
func (a *app) completeTools(f *agentFlags) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		cl, err := a.agentClient(ctx, *f)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, _ := cl.tools(ctx) // nothing to offer is no error here
		var out []string
		for _, t := range all {
			switch {
			case len(words) == 0:
				out = append(out, cobra.CompletionWithDesc(oneLine(t.Name), oneLine(firstSentence(t.Description))))
			case t.Name == words[0] && c.Name() == "call":
				for name := range maps.Keys(readSchema(t.InputSchema).Properties) {
					out = append(out, oneLine(name)+"=")
				}
				slices.Sort(out)
				return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
