package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
)

func limitsCommand(a *app) *cobra.Command {
	c := parent("limits", "Show how much of each limit is used, and reset it", groupGovern, limitsListCommand(a), limitsResetCommand(a))
	c.RunE, c.Args = limitsListCommand(a).RunE, args(0, 0)
	return c
}

func limitsListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the counters that are in use", Args: args(0, 0),
		Long: "Lists the counters of limits that are in use. A limit of which nothing is used has no counter.\n" +
			"Limits stand in durward.yaml, under limits.rules and as limits of agents, roles and upstreams.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c.Context(), func(op operator) error {
				all, err := op.Limits(c.Context())
				if err != nil {
					return err
				}
				return list(a, all, []string{"LIMIT", "OF", "UNIT", "LEFT", "LIMIT", "IN", "BACK"}, limitRow)
			})
		},
	}
}

func limitRow(u admin.LimitUse) []string {
	back := "-"
	if u.Reset > 0 {
		back = time.Duration(u.Reset).Round(time.Second).String()
	}
	return []string{u.Name, valuesText(u.Of), string(u.Unit), fmt.Sprint(u.Remaining), fmt.Sprint(u.Limit), firstOf(u.Window, "-"), back}
}

func valuesText(of map[durward.Dimension]string) string {
	var words []string
	for _, d := range []durward.Dimension{durward.PerAgent, durward.PerKey, durward.PerUser, durward.PerRole, durward.PerUpstream, durward.PerTool} {
		if v, ok := of[d]; ok {
			words = append(words, string(d)+" "+v)
		}
	}
	return firstOf(strings.Join(words, ", "), "all")
}

func limitsResetCommand(a *app) *cobra.Command {
	var of string
	c := &cobra.Command{
		Use: "reset LIMIT", Short: "Make the counters of a limit as if nothing had been used", Args: args(1, 1),
		Example: "  durward limits reset 'agent support-bot'\n  durward limits reset exports --of support-bot",
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				n, err := op.ResetLimit(c.Context(), words[0], of)
				if err != nil {
					return err
				}
				a.err.line("%d counters of limit %s are as new. The record says that you did it.", n, words[0])
				return nil
			})
		},
	}
	c.Flags().StringVar(&of, "of", "", "only the counters of this agent, key, user, role, upstream or tool")
	return c
}
