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

func agentCommand(a *app) *cobra.Command {
	return parent("agent", "Give agents keys and roles, and take them away", groupGovern,
		agentListCommand(a), agentCreateCommand(a), agentRolesCommand(a), agentCompatCommand(a), agentRotateCommand(a), agentRevokeCommand(a),
		agentSwitchCommand(a, agentSwitch{word: "enable", short: "Let a disabled agent call again", done: "is enabled"}),
		agentSwitchCommand(a, agentSwitch{word: "disable", short: "Refuse an agent's calls at once, until it is enabled", done: "is disabled", off: true}))
}

func agentListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List agents with their roles and keys", Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c.Context(), func(op operator) error {
				all, err := op.Agents(c.Context())
				if err != nil {
					return err
				}
				return list(a, all, []string{"AGENT", "STATE", "ROLES", "KEYS"}, agentRow)
			})
		},
	}
}

func agentRow(v admin.Agent) []string {
	state := "active"
	switch {
	case v.Disabled:
		state = "disabled"
	case v.Anonymous:
		state = "anonymous"
	}
	if v.Compat == durward.Tolerant {
		state += ", tolerant"
		if n := total(v.Overlooked); n > 0 {
			state += fmt.Sprintf(" (%d overlooked)", n)
		}
	}
	return []string{v.Name, state, firstOf(strings.Join(v.Roles, ", "), "-"), firstOf(keysText(v.Keys), "-")}
}

func total(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// keysText says of each key that is not over how to recognise it and when it ends.
func keysText(keys []admin.Key) string {
	var words []string
	for _, k := range keys {
		switch {
		case k.State == "revoked" || k.State == "expired":
			continue
		case k.Expires.IsZero():
			words = append(words, fmt.Sprintf("%s …%s", k.ID, k.Hint))
		default:
			words = append(words, fmt.Sprintf("%s …%s until %s", k.ID, k.Hint, k.Expires.Local().Format("2006-01-02 15:04")))
		}
	}
	return strings.Join(words, ", ")
}

// mintFlags say what becomes of a new key.
type mintFlags struct {
	expires string
	save    bool
}

func (m *mintFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&m.expires, "expires", "", "when the key ends: 30d, 12h or a date (default: never)")
	c.Flags().BoolVar(&m.save, "save", false, "also keep the key in the data folder, for durward call --agent")
}

func agentCreateCommand(a *app) *cobra.Command {
	var (
		m      mintFlags
		roles  []string
		compat string
	)
	c := &cobra.Command{
		Use: "create NAME", Short: "Make an agent and its first key", Args: args(1, 1),
		Long: "Makes an agent and mints its first key. The key is printed once, on standard output, and only its hash is kept.",
		Example: "  durward agent create support-bot --role support\n" +
			"  KEY=$(durward agent create ci --role readers --expires 30d)",
		RunE: func(c *cobra.Command, words []string) error {
			ends, err := ahead(m.expires, time.Now())
			if err != nil {
				return err
			}
			return a.operate(c.Context(), func(op operator) error {
				minted, err := op.CreateAgent(c.Context(), admin.NewAgent{Name: words[0], Roles: roles, Compat: durward.Compat(compat), Expires: ends})
				if err != nil {
					return err
				}
				if len(roles) == 0 {
					a.err.line("%s may call nothing until it has a role: durward agent roles %s ROLE", words[0], words[0])
				}
				return a.printMinted(minted, m.save)
			})
		},
	}
	m.add(c)
	c.Flags().StringVar(&compat, "compat", string(durward.Strict), "strict, or tolerant of mistakes in the protocol that leave no doubt")
	c.Flags().StringSliceVar(&roles, "role", nil, "role of the agent; may be given more than once")
	_ = c.RegisterFlagCompletionFunc("role", a.completeRoles) // the flag is there, a line up
	return c
}

// printMinted shows a new key this once: alone on standard output, so that a
// script can take it, and the words around it on the other one.
func (a *app) printMinted(m admin.Minted, save bool) error {
	saved := ""
	if save {
		data, err := a.dataDir()
		if err != nil {
			return err
		}
		if saved, err = saveKey(data, m.Agent, m.Secret); err != nil {
			return err
		}
	}
	if a.json() {
		return printJSON(a.out, m)
	}
	a.err.line("Key %s of %s, shown this once:", m.Key.ID, m.Agent)
	a.out.line("%s", m.Secret)
	if saved != "" {
		a.err.line("Kept in %s", saved)
	}
	if !m.Key.Expires.IsZero() {
		a.err.line("It ends %s.", m.Key.Expires.Local().Format(time.RFC1123))
	}
	if !m.Ends.IsZero() {
		a.err.line("The older keys end %s.", m.Ends.Local().Format(time.RFC1123))
	}
	return nil
}

func agentRolesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "roles NAME [ROLE ...]", Short: "Replace the roles of an agent", Args: args(1, -1),
		Example: "  durward agent roles support-bot support reader",
		ValidArgsFunction: func(c *cobra.Command, words []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(words) == 0 {
				return a.completeAgents(c, words, start)
			}
			return a.completeRoles(c, words, start)
		},
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				if err := op.SetAgentRoles(c.Context(), words[0], words[1:]); err != nil {
					return err
				}
				a.err.line("%s has the roles: %s", words[0], firstOf(strings.Join(words[1:], ", "), "none"))
				return nil
			})
		},
	}
}

func agentCompatCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "compat NAME strict|tolerant", Short: "Say how mistakes of an agent in the protocol are taken", Args: args(2, 2),
		Example: "  durward agent compat old-bot tolerant",
		Long: "A client that is known to be wrong can be tolerated: routing headers that it leaves out, and a wrong version header,\n" +
			"are overlooked where the request leaves no doubt. Each mistake is counted, and recorded with the call.",
		ValidArgsFunction: func(c *cobra.Command, words []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(words) == 0 {
				return a.completeAgents(c, words, start)
			}
			return []string{string(durward.Strict), string(durward.Tolerant)}, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				if err := op.SetAgentCompat(c.Context(), words[0], durward.Compat(words[1])); err != nil {
					return err
				}
				a.err.line("%s is taken as %s", words[0], words[1])
				return nil
			})
		},
	}
}

func agentRotateCommand(a *app) *cobra.Command {
	var (
		m       mintFlags
		overlap string
	)
	c := &cobra.Command{
		Use: "rotate NAME", Short: "Mint a new key; the old ones work for a while longer", Args: args(1, 1),
		Example:           "  durward agent rotate support-bot --overlap 7d",
		Long:              "Mints a new key for an agent and lets its older keys end after an overlap, so that running agents can be given the new one.",
		ValidArgsFunction: first(a.completeAgents),
		RunE: func(c *cobra.Command, words []string) error {
			r := admin.Rotation{}
			var err error
			if r.Expires, err = ahead(m.expires, time.Now()); err != nil {
				return err
			}
			if r.Overlap, err = days(overlap); err != nil || r.Overlap < 0 {
				return usagef("--overlap %q is no duration; write 24h, 7d or 0s", overlap)
			}
			return a.rotate(c.Context(), words[0], r, m.save)
		},
	}
	m.add(c)
	c.Flags().StringVar(&overlap, "overlap", admin.DefaultOverlap.String(), "how long the old keys still work; 0s ends them at once")
	return c
}

// rotate replaces a saved key, too: it would stop working.
func (a *app) rotate(ctx context.Context, name string, r admin.Rotation, save bool) error {
	return a.operate(ctx, func(op operator) error {
		m, err := op.RotateKey(ctx, name, r)
		if err != nil {
			return err
		}
		if data, err := a.dataDir(); err == nil && !save {
			old, err := readKey(data, name)
			save = err == nil && old != ""
		}
		return a.printMinted(m, save)
	})
}

// agentSwitch is one of the two ways to turn an agent's switch.
type agentSwitch struct {
	word, short, done string
	off               bool
}

func agentSwitchCommand(a *app, s agentSwitch) *cobra.Command {
	return &cobra.Command{
		Use: s.word + " NAME", Short: s.short, Args: args(1, 1),
		Long:              s.short + ". Its roles and its keys stay as they are.",
		Example:           "  durward agent " + s.word + " support-bot",
		ValidArgsFunction: first(a.completeAgents),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				if err := op.SetAgentDisabled(c.Context(), words[0], s.off); err != nil {
					return err
				}
				a.err.line("%s %s.", words[0], s.done)
				if s.off {
					return nil
				}
				agent, err := op.Agent(c.Context(), words[0])
				if err == nil && keysText(agent.Keys) == "" {
					a.err.line("It has no key that works: `durward agent rotate %s` mints one.", words[0])
				}
				return err
			})
		},
	}
}

func agentRevokeCommand(a *app) *cobra.Command {
	var key string
	c := &cobra.Command{
		Use: "revoke NAME", Short: "End an agent's access at once", Args: args(1, 1),
		Example: "  durward agent revoke support-bot",
		Long: "Ends all keys of an agent and disables it, at once: its next call is refused. The agent stays known, so that\n" +
			"nobody else gets its name. --key ends only one of its keys.",
		ValidArgsFunction: first(a.completeAgents),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				if key != "" {
					return a.revokeKey(c.Context(), op, words[0], key)
				}
				if err := op.RevokeAgent(c.Context(), words[0]); err != nil {
					return err
				}
				a.err.line("%s is revoked: its keys have ended, and it is disabled.", words[0])
				a.err.line("`durward agent enable %s` and `durward agent rotate %s` let it call again, with a new key.", words[0], words[0])
				return nil
			})
		},
	}
	c.Flags().StringVar(&key, "key", "", "id of the one key to end, from durward agent list")
	return c
}

// revokeKey ends one key, after a look that it is this agent's.
func (a *app) revokeKey(ctx context.Context, op operator, name, id string) error {
	agent, err := op.Agent(ctx, name)
	if err != nil {
		return err
	}
	for _, k := range agent.Keys {
		if k.ID != id {
			continue
		}
		if err := op.RevokeKey(ctx, id); err != nil {
			return err
		}
		a.err.line("Key %s of %s is revoked.", id, name)
		return nil
	}
	return fmt.Errorf("%s has no key %s; `durward agent list` shows them", name, id)
}
