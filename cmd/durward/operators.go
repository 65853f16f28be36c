package main

import (
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
)

func operatorCommand(a *app) *cobra.Command {
	return parent("operator", "Manage the people who govern, and their keys", groupGovern,
		operatorListCommand(a), operatorCreateCommand(a), operatorRevokeCommand(a))
}

func operatorListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List operators' keys", Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c.Context(), func(op operator) error {
				all, err := op.AdminKeys(c.Context())
				if err != nil {
					return err
				}
				return list(a, all, []string{"KEY", "OPERATOR", "STATE", "FROM", "ENDS IN"}, func(k admin.Key) []string {
					return []string{k.ID, firstOf(k.Name, "-"), k.State, string(k.Origin), "..." + k.Hint}
				})
			})
		},
	}
}

func operatorCreateCommand(a *app) *cobra.Command {
	var expires string
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a key for an operator; it is shown this once", Args: args(1, 1),
		Example: "  durward operator create ann --expires 90d",
		Long: "Makes a key that opens the admin listener, in the name of a person: records and approvals tell who did what.\n" +
			"An operator makes keys for itself only; on the gateway's own machine its user makes them for others.",
		RunE: func(c *cobra.Command, words []string) error {
			if err := durward.CheckAgentName(words[0]); err != nil {
				return usagef("%v", err)
			}
			end, err := ahead(expires, time.Now())
			if err != nil {
				return err
			}
			return a.operate(c.Context(), func(op operator) error {
				m, err := op.CreateAdminKey(c.Context(), words[0], end)
				if err != nil {
					return err
				}
				if a.json() {
					return printJSON(a.out, m)
				}
				a.err.line("Key %s of operator %s. It is shown this once:", m.Key.ID, words[0])
				a.out.line("%s", m.Secret)
				return nil
			})
		},
	}
	c.Flags().StringVar(&expires, "expires", "", "end of the key: 30d, 12h or 2027-01-31 (default never)")
	return c
}

func operatorRevokeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY-ID", Short: "End an operator's key at once", Args: args(1, 1),
		Example: "  durward operator list\n  durward operator revoke k_4f2a9c",
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error { return op.RevokeKey(c.Context(), words[0]) })
		},
	}
}
