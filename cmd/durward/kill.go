package main

import (
	"context"
	"os/user"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
)

func killCommand(a *app) *cobra.Command {
	var k admin.Kill
	c := &cobra.Command{
		Use: "kill (AGENT | KEY | SESSION | --all)", Short: "Stop an agent, a key, a session or everything, at once", Args: args(0, 1), GroupID: groupGovern,
		Long: "Stops an agent, one of its keys, one of its sessions, or with --all every agent: nothing of it is served any more, and\n" +
			"calls under way are cancelled, at the servers too. It holds until `durward release`, also over a restart.",
		Example:           "  durward kill support-bot --reason 'deletes the wrong customers'\n  durward kill --all",
		ValidArgsFunction: first(a.completeAgents),
		RunE: func(c *cobra.Command, words []string) error {
			if (len(words) == 1) == k.All {
				return usagef("name what to stop: an agent, a key or a session, or --all")
			}
			if len(words) == 1 {
				k.Name = words[0]
			}
			k.By = a.person(k.By)
			return a.operate(c.Context(), func(op operator) error {
				h, err := op.Kill(c.Context(), k)
				if err != nil {
					return err
				}
				if a.json() {
					return printJSON(a.out, h)
				}
				a.err.line("%s is stopped, and what it had under way is cancelled. `durward release %s` lets it go on.", haltText(h), releaseName(h))
				return nil
			})
		},
	}
	f := c.Flags()
	f.BoolVar(&k.All, "all", false, "stop every agent")
	f.StringVar(&k.Reason, "reason", "", "why, for the record")
	f.StringVar(&k.By, "by", "", "who stops it, for the record (default: whose key it is, else your account)")
	return c
}

func releaseCommand(a *app) *cobra.Command {
	var r admin.Release
	c := &cobra.Command{
		Use: "release NAME --reason WHY", Short: "Let go on what was stopped", Args: args(1, 1), GroupID: groupGovern,
		Long:              "Lets go on an agent, key or session that was stopped, or, with the name all, everything. Who does it and why is in the record.",
		Example:           "  durward release support-bot --by alice --reason 'the prompt was fixed'",
		ValidArgsFunction: first(a.completeHalts),
		RunE: func(c *cobra.Command, words []string) error {
			if r.Reason == "" {
				return usagef("say why with --reason: the record keeps it")
			}
			r.Name, r.By = words[0], a.person(r.By)
			return a.operate(c.Context(), func(op operator) error {
				h, err := op.Release(c.Context(), r)
				if err != nil {
					return err
				}
				if a.json() {
					return printJSON(a.out, h)
				}
				a.err.line("%s is released.", haltText(h))
				return nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&r.By, "by", "", "who answers for it (default: whose key it is, else your account)")
	f.StringVar(&r.Reason, "reason", "", "why, for the record")
	return c
}

func haltsCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "halts", Short: "List what is stopped, by whom and why", Args: args(0, 0), GroupID: groupGovern,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c.Context(), func(op operator) error {
				all, err := op.Halts(c.Context())
				if err != nil {
					return err
				}
				return list(a, all, []string{"STOPPED", "AGENT", "SINCE", "CAUSE", "BY", "REASON"}, func(h durward.Halt) []string {
					return []string{h.ID(), firstOf(h.Agent, "-"), ago(h.Since), string(h.Cause), h.By, firstOf(h.Reason, "-")}
				})
			})
		},
	}
}

// person is who gives the command: the name that was said, else whose key it
// is, which the gateway knows, else the account on this machine.
func (a *app) person(said string) string {
	if key, _ := a.env("DURWARD_ADMIN_KEY"); said != "" || key != "" {
		return said
	}
	for _, name := range []string{"USER", "LOGNAME", "USERNAME"} {
		if v, _ := a.env(name); v != "" {
			return v
		}
	}
	if who, err := user.Current(); err == nil {
		return who.Username
	}
	return ""
}

func haltText(h durward.Halt) string {
	switch h.Kind {
	case durward.HaltAgent:
		return "Agent " + h.Name
	case durward.HaltKey:
		return "Key " + h.Name + " of agent " + h.Agent
	case durward.HaltSession:
		return "A session of agent " + h.Agent
	}
	return "Every agent"
}

func releaseName(h durward.Halt) string {
	if h.Kind == durward.HaltAll {
		return "all"
	}
	return h.Name
}

func (a *app) completeHalts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.complete(func(ctx context.Context, op operator) (names []string, err error) {
		all, err := op.Halts(ctx)
		for _, h := range all {
			names = append(names, releaseName(h))
		}
		return names, err
	})
}
