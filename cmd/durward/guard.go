package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
	"durward/internal/boot"
)

func guardCommand(a *app) *cobra.Command {
	return parent("guard", "Show what the guard looks for, what it did, and what it withheld", groupGovern,
		guardRulesCommand(a), guardStatsCommand(a), guardArtefactCommand(a))
}

func guardRulesCommand(a *app) *cobra.Command {
	var agent, tool string
	c := &cobra.Command{
		Use: "rules", Short: "List the rules and what a finding of each does", Args: args(0, 0),
		Long: "List the rules of the guard: the threat that each belongs to, its entry in the OWASP MCP\n" +
			"Top 10, and what its findings do, for everything or for one agent and tool. The column FROM\n" +
			"tells where that was set; rule stands for the table itself. From the score in TELLS on a\n" +
			"finding is told, from that in ACTS on it does what the mode says.",
		Example: "  durward guard rules --agent support-bot --tool crm__export",
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.guardRules(c.Context(), agent, tool)
			if err != nil {
				return err
			}
			return list(a, all, []string{"RULE", "THREAT", "OWASP", "SEVERITY", "MODE", "FROM", "TELLS", "ACTS", "WHAT"}, func(r durward.GuardRule) []string {
				return []string{r.ID, r.Vector, r.OWASP, r.Severity, r.Mode, r.From, strconv.FormatFloat(r.Flag, 'g', 3, 64), strconv.FormatFloat(r.Act, 'g', 3, 64), r.Help}
			})
		},
	}
	c.Flags().StringVar(&agent, "agent", "", "the agent that calls")
	c.Flags().StringVar(&tool, "tool", "", "what it calls, as <upstream>__<name>")
	return c
}

// guardRules asks the running gateway, or reads the configuration when none runs.
func (a *app) guardRules(ctx context.Context, agent, tool string) (all []durward.GuardRule, err error) {
	err = a.askGuard(ctx, func(c *admin.Client) error {
		all, err = c.GuardRules(ctx, agent, tool)
		return err
	})
	if !errors.Is(err, admin.ErrNotRunning) {
		return all, err
	}
	cfg, err := a.settings(listenFlags{})
	if err != nil {
		return nil, err
	}
	return boot.GuardRules(cfg, agent, tool)
}

// askGuard runs fn against the gateway that runs.
func (a *app) askGuard(ctx context.Context, fn func(*admin.Client) error) error {
	c, _, err := a.running(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return plainly(fn(c))
}

func guardStatsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Count what the guard found since the gateway started", Args: args(0, 0),
		Long: "Count the findings of each rule since the gateway started, by what was done about them. Where\n" +
			"a rule only observes, the WOULD columns tell what it would have done.",
		RunE: func(c *cobra.Command, _ []string) error {
			var s durward.GuardStats
			err := a.askGuard(c.Context(), func(op *admin.Client) (err error) {
				s, err = op.GuardStats(c.Context())
				return err
			})
			if err != nil {
				return err
			}
			if a.json() {
				return printJSON(a.out, s)
			}
			a.err.line("%d messages read, %d conversations remembered, %d withheld replies kept", s.Messages, s.Conversations, s.Artefacts)
			return list(a, s.Rules, []string{"RULE", "THREAT", "FLAGGED", "REDACTED", "HELD", "BLOCKED", "OBSERVED", "WOULD-FLAG", "WOULD-REDACT", "WOULD-HOLD", "WOULD-BLOCK"}, countRow)
		},
	}
}

func countRow(c durward.GuardCount) []string {
	row := []string{c.Rule, c.Vector}
	for _, n := range []uint64{c.Flagged, c.Redacted, c.Held, c.Blocked, c.Observed, c.WouldFlag, c.WouldRedact, c.WouldHold, c.WouldBlock} {
		row = append(row, fmt.Sprint(n))
	}
	return row
}

func guardArtefactCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "artefact [HANDLE]", Short: "Read a reply that was withheld, or list what is kept", Args: args(0, 1),
		Example: "  durward guard artefact\n  durward guard artefact q_1b2c3d4e",
		Long: "Read a reply that the guard withheld, by the handle that the agent was told. What a server sent\n" +
			"is shown as it came, as text: do not feed it to a model. Without a handle, list what is kept.",
		RunE: func(c *cobra.Command, words []string) error {
			if len(words) == 0 {
				return a.listArtefacts(c.Context())
			}
			var found durward.Artefact
			err := a.askGuard(c.Context(), func(op *admin.Client) (err error) {
				found, err = op.Artefact(c.Context(), words[0])
				return err
			})
			if err != nil {
				return err
			}
			return a.showArtefact(found)
		},
	}
}

func (a *app) listArtefacts(ctx context.Context) error {
	var all []durward.Artefact
	err := a.askGuard(ctx, func(op *admin.Client) (err error) {
		all, err = op.Artefacts(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return list(a, all, []string{"HANDLE", "TIME", "AGENT", "TOOL", "BYTES", "WHY"}, func(f durward.Artefact) []string {
		return []string{f.Handle, f.Time.Local().Format(time.DateTime), f.Agent, f.Upstream + "__" + f.Tool, fmt.Sprint(f.Size), why(f.Findings)}
	})
}

func why(findings []durward.Finding) string {
	var rules []string
	for _, f := range findings {
		if f.Action == "hold" || f.Action == "block" {
			rules = append(rules, f.Rule)
		}
	}
	return strings.Join(rules, ", ")
}

// showArtefact prints what was withheld. JSON has no line breaks or control
// characters of its own, so the terminal is safe from it.
func (a *app) showArtefact(f durward.Artefact) error {
	if a.json() {
		return printJSON(a.out, f)
	}
	a.err.line("%s: reply of %s__%s to %s, call %s, kept until %s", f.Handle, f.Upstream, f.Tool, f.Agent, f.Call, f.Until.Local().Format(time.DateTime))
	for _, v := range f.Findings {
		a.err.line("  %s  %s  %s", v.Rule, v.Where, v.Evidence)
	}
	if json.Valid(f.Body) {
		return printRaw(a.out, f.Body)
	}
	a.out.line("%q", f.Body)
	return nil
}
