package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
)

func approvalsCommand(a *app) *cobra.Command {
	c := parent("approvals", "Answer calls that wait for a person", groupGovern,
		approvalsListCommand(a), approvalsShowCommand(a),
		answerCommand(a, "approve", "Let a held call be made, once", true),
		answerCommand(a, "deny", "Refuse a held call", false))
	c.Long = "Calls that a role or the guard holds wait here until operators answer. An approval is good for one call of\n" +
		"that agent, of that tool as it is defined now, with those arguments. Agents cannot answer: their keys do not open\n" +
		"the admin listener.\n\n" +
		"Who answers is the operator whose key DURWARD_ADMIN_KEY is (for a gateway elsewhere DURWARD_ADMIN is the address), else \"local\",\n" +
		"this machine's own user."
	return c
}

func approvalsListCommand(a *app) *cobra.Command {
	var state string
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List calls that wait", Args: args(0, 0),
		Example: "  durward approvals list --all",
		RunE: func(c *cobra.Command, _ []string) error {
			if all {
				state = ""
			}
			return a.operate(c.Context(), func(op operator) error {
				found, err := op.Approvals(c.Context(), durward.ApprovalState(state))
				if err != nil {
					return err
				}
				return list(a, found, []string{"ID", "STATE", "AGENT", "CALL", "ANSWERS", "LEFT", "WHY"}, func(q durward.Approval) []string {
					return []string{q.ID, string(q.State), q.Agent, q.Asked, fmt.Sprintf("%d of %d", approvals(q), q.Terms.Need), left(q, time.Now()), firstOf(q.Rule, string(q.Reason))}
				})
			})
		},
	}
	c.Flags().StringVar(&state, "state", string(durward.ApprovalPending), "pending, approved, denied, expired, used or unknown")
	c.Flags().BoolVar(&all, "all", false, "whatever their state")
	return c
}

func approvals(q durward.Approval) (n int) {
	for _, one := range q.Answers {
		if one.Approve {
			n++
		}
	}
	return n
}

// left is how long a question or a permission lasts yet.
func left(q durward.Approval, now time.Time) string {
	if q.State != durward.ApprovalPending && q.State != durward.ApprovalApproved {
		return "-"
	}
	return max(q.Expires.Sub(now), 0).Round(time.Second).String()
}

func approvalsShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show what is asked: who calls what with which arguments", Args: args(1, 1),
		Example:           "  durward approvals show a_1b2c3d4e5f6g7h8i",
		ValidArgsFunction: first(a.completeApprovals),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				q, err := op.Approval(c.Context(), words[0])
				if err != nil {
					return err
				}
				return a.printApproval(q)
			})
		},
	}
}

func (a *app) printApproval(q durward.Approval) error {
	if a.json() {
		return printJSON(a.out, q)
	}
	for _, row := range [][2]string{
		{"approval", q.ID}, {"state", string(q.State)}, {"agent", q.Agent}, {"owner", q.Owner}, {"key", q.Key}, {"from", q.Remote},
		{"tool", q.Tool}, {"upstream", q.Upstream}, {"arguments", string(q.Args)}, {"why", firstOf(q.Rule, string(q.Reason))},
		{"asked at", q.Created.Local().Format(time.DateTime)}, {"left", left(q, time.Now())},
		{"needs", needs(q.Terms)}, {"digest", q.Digest}, {"used by", q.UsedBy}, {"outcome", string(q.Outcome)},
	} {
		if row[1] != "" && row[1] != "-" {
			a.out.line("%-9s %s", row[0], clean(row[1]))
		}
	}
	for _, f := range q.Findings {
		a.out.line("%-9s %s (%s, %s)", "finding", clean(f.Rule), f.Vector, f.Severity)
	}
	for _, one := range q.Answers {
		said := map[bool]string{true: "approves", false: "denies"}[one.Approve]
		a.out.line("%-9s %s %s: %s", one.Time.Local().Format(time.TimeOnly), clean(one.By), said, clean(one.Reason))
	}
	return nil
}

func needs(t durward.ApprovalTerms) string {
	text := fmt.Sprintf("%d of %s", t.Need, firstOf(strings.Join(t.Approvers, ", "), "the operators"))
	if t.FourEyes {
		text += ", not who owns the agent or its key"
	}
	return text
}

func answerCommand(a *app, verb, short string, approve bool) *cobra.Command {
	in := admin.ApprovalAnswer{Approve: approve}
	c := &cobra.Command{
		Use: verb + " ID --reason TEXT", Short: short, Args: args(1, 1),
		Example:           "  durward approvals " + verb + " a_1b2c3d4e5f6g7h8i --reason 'ticket 4711'",
		ValidArgsFunction: first(a.completeApprovals),
		RunE: func(c *cobra.Command, words []string) error {
			if strings.TrimSpace(in.Reason) == "" {
				return usagef("--reason is needed: it goes into the record")
			}
			return a.operate(c.Context(), func(op operator) error { return a.answerOne(c.Context(), op, words[0], in) })
		},
	}
	c.Flags().StringVar(&in.Reason, "reason", "", "why; the record keeps it, and the agent hears why a call is denied")
	c.Flags().StringVar(&in.Digest, "digest", "", "refuse unless the question has this digest, as show prints it")
	return c
}

func (a *app) answerOne(ctx context.Context, op operator, id string, in admin.ApprovalAnswer) error {
	q, err := op.Answer(ctx, id, in)
	if err != nil {
		return err
	}
	if a.json() {
		return printJSON(a.out, q)
	}
	switch q.State {
	case durward.ApprovalPending:
		a.err.line("%d of %d have approved %s.", approvals(q), q.Terms.Need, q.ID)
	case durward.ApprovalApproved:
		a.err.line("Approved: %s may call %s once, within %s.", q.Agent, clean(q.Tool), left(q, time.Now()))
	default:
		a.err.line("%s is %s.", q.ID, q.State)
	}
	return nil
}

func (a *app) completeApprovals(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(ctx context.Context, op operator) (ids []string, err error) {
		all, err := op.Approvals(ctx, durward.ApprovalPending)
		for _, q := range all {
			ids = append(ids, q.ID)
		}
		return ids, err
	})
}
