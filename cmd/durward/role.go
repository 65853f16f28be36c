package main

import (
	"strings"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
)

func roleCommand(a *app) *cobra.Command {
	return parent("role", "Say which tools a role allows and denies", groupGovern,
		roleListCommand(a), roleSetCommand(a), roleRemoveCommand(a))
}

func roleListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List roles with their rules", Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c.Context(), func(op operator) error {
				all, err := op.Roles(c.Context())
				if err != nil {
					return err
				}
				return list(a, all, []string{"ROLE", "FROM", "DENY", "HOLD", "ALLOW"}, func(r admin.Role) []string {
					return []string{r.Name, string(r.Origin), firstOf(strings.Join(r.Deny, " "), "-"), firstOf(strings.Join(r.Hold, " "), "-"), firstOf(strings.Join(r.Allow, " "), "-")}
				})
			})
		},
	}
}

func roleSetCommand(a *app) *cobra.Command {
	var role durward.Role
	c := &cobra.Command{
		Use: "set NAME", Short: "Make a role, or replace its rules", Args: args(1, 1),
		Long: "Makes a role, or replaces all its rules. Patterns match the public names of tools, prompts and resources;\n" +
			"* stands for any text. Nothing is allowed by default, and a denial wins over every permission.",
		Example:           "  durward role set support --allow 'files__read_*' --allow 'crm__*' --deny 'crm__delete_*'",
		ValidArgsFunction: first(a.completeRoles),
		RunE: func(c *cobra.Command, words []string) error {
			role.Name = words[0]
			return a.operate(c.Context(), func(op operator) error {
				if err := op.PutRole(c.Context(), role); err != nil {
					return err
				}
				a.err.line("Role %s allows %s and denies %s.", role.Name, firstOf(strings.Join(role.Allow, " "), "nothing"), firstOf(strings.Join(role.Deny, " "), "nothing"))
				return nil
			})
		},
	}
	c.Flags().StringArrayVar(&role.Allow, "allow", nil, "pattern that is allowed; may be given more than once")
	c.Flags().StringArrayVar(&role.Hold, "hold", nil, "pattern that may be called once a person approved; may be given more than once")
	c.Flags().StringArrayVar(&role.Deny, "deny", nil, "pattern that is denied; may be given more than once")
	return c
}

func roleRemoveCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Forget a role that no agent has", Args: args(1, 1),
		Example:           "  durward role remove support",
		ValidArgsFunction: first(a.completeRoles),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error { return op.DeleteRole(c.Context(), words[0]) })
		},
	}
}
