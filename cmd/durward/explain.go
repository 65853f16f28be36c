package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/boot"
)

func whyCommand(a *app) *cobra.Command {
	var whole, endpoint, source string
	c := &cobra.Command{
		Use:   "why AGENT TOOL | why ID",
		Short: "Explain what is decided about a call, and by which rule",
		Long: "Explains what would happen if an agent called a tool: each check in its order, what it looked at and what\n" +
			"it decided. The running gateway makes the decision with the code that serves calls, and makes no call.\n\n" +
			"With the id of a call, which refusals carry, it explains what was recorded of that call.\n\n" +
			"Exit code 3 when the call would be held or refused.",
		Example: "  durward why support-bot crm__delete_customer --json '{\"id\": 7}'\n  durward why 01JD8K3V9Q2T4M6W8Y0A",
		GroupID: groupGovern,
		Args:    args(1, 2),
		ValidArgsFunction: func(c *cobra.Command, words []string, start string) ([]string, cobra.ShellCompDirective) {
			return first(a.completeAgents)(c, words, start)
		},
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) == 1 {
				return a.whyCall(c.Context(), words[0])
			}
			q := durward.Question{Agent: words[0], Name: words[1], Endpoint: endpoint, Source: source}
			if whole != "" {
				in, err := a.wholeArguments(whole)
				if err != nil {
					return err
				}
				if q.Arguments, err = json.Marshal(in); err != nil {
					return fmt.Errorf("read the arguments: %w", err)
				}
			}
			return a.why(c.Context(), q)
		},
	}
	f := c.Flags()
	f.StringVar(&whole, "json", "", "arguments as a JSON object; @FILE reads a file, - the input")
	f.StringVar(&endpoint, "endpoint", "", "as if called at /mcp/NAME instead of /mcp")
	f.StringVar(&source, "source", "", "as if called from this address")
	return c
}

func (a *app) why(ctx context.Context, q durward.Question) error {
	var x durward.Explanation
	err := a.operate(ctx, func(op operator) (err error) {
		x, err = op.Explain(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	if a.json() {
		if err := printJSON(a.out, x); err != nil {
			return err
		}
	} else {
		a.printExplanation(x)
	}
	if x.Verdict == durward.Deny.String() || x.Verdict == durward.Hold.String() {
		return said{exitRefused}
	}
	return nil
}

func (a *app) printExplanation(x durward.Explanation) {
	for _, s := range x.Steps {
		a.out.line("%s %s", a.mark(s.Effect), strings.TrimSpace(fmt.Sprintf("%-9s %s", s.Name, a.stepText(s))))
		for _, saw := range s.Saw {
			a.out.line("            %s", a.out.dim(clean(saw)))
		}
	}
	for _, f := range x.Findings {
		a.out.line("  finding   %s (%s, %s) %s", clean(f.Rule), f.Vector, f.Severity, clean(f.Where))
	}
	for _, u := range x.Unsure {
		a.out.line("  unsure    %s", clean(u))
	}
	a.out.line("%s", a.sentence(x))
	if x.Message != "" {
		a.out.line("The agent hears: %s", clean(x.Message))
	}
}

// stepText is what a step decided, in a few words.
func (a *app) stepText(s durward.Step) string {
	var words []string
	for _, w := range []string{s.Effect, string(s.Reason), s.Rule} {
		if w != "" {
			words = append(words, clean(w))
		}
	}
	return strings.Join(words, ", ")
}

func (a *app) mark(effect string) string {
	switch effect {
	case durward.Deny.String():
		return a.out.red("✗")
	case durward.Hold.String(), durward.Flag.String(), durward.Redact.String():
		return a.out.yellow("!")
	case durward.Allow.String():
		return a.out.green("✓")
	}
	return " "
}

// sentence says it all in one.
func (a *app) sentence(x durward.Explanation) string {
	what := firstOf(x.Tool, x.Asked)
	verbs := map[string]string{
		"deny": "may not call", "hold": "has to wait for an approval to call", "redact": "may call, with parts taken out,",
		"flag": "may call, and it is flagged,", "allow": "may call",
	}
	text := fmt.Sprintf("%s %s %s", firstOf(x.Agent, "The caller"), verbs[x.Verdict], what)
	if by := firstOf(x.Rule, string(x.Reason)); by != "" {
		text += ": " + by
	}
	return clean(text) + "."
}

// whyCall explains a call that was made, from its record.
func (a *app) whyCall(ctx context.Context, id string) error {
	dir, err := a.recordDir()
	if err != nil {
		return err
	}
	for entry, err := range boot.TailRecord(ctx, dir, 1, false, boot.RecordFilter{ID: id}) {
		if err != nil {
			return fmt.Errorf("read the record: %w", err)
		}
		if a.json() {
			a.out.line("%s", entry.JSON)
			return nil
		}
		r, err := entry.Record()
		if err != nil {
			return fmt.Errorf("read the record: %w", err)
		}
		a.printCall(r)
		return nil
	}
	return hint(errors.New("the record has no call "+clean(id)), "With two words it explains a call that was not made: durward why AGENT TOOL.")
}

func (a *app) printCall(r durward.Record) {
	rows := [][2]string{
		{"call", r.ID}, {"time", r.Time.Local().Format(time.DateTime)}, {"agent", r.Agent}, {"key", r.Key}, {"from", r.Remote},
		{"asked", firstOf(r.Asked, r.Method)}, {"upstream", r.Upstream}, {"tool", r.Tool}, {"arguments", r.ArgsSHA256},
		{"verdict", r.Verdict}, {"check", r.Step}, {"reason", string(r.Reason)}, {"rule", r.Rule}, {"outcome", string(r.Outcome)},
	}
	for _, row := range rows {
		if row[1] != "" {
			a.out.line("%-9s %s", row[0], clean(row[1]))
		}
	}
	for _, f := range r.Findings {
		a.out.line("%-9s %s (%s, %s) %s %s", "finding", clean(f.Rule), f.Vector, f.Severity, clean(f.Where), clean(f.Evidence))
	}
	if r.Agent != "" && r.Asked != "" {
		a.out.line("%s", a.out.dim(clean(fmt.Sprintf("durward why %s %s tells what holds now.", r.Agent, r.Asked))))
	}
}
