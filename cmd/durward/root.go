package main

import (
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"durward"
)

// app is what every verb needs: the streams, the environment, the global flags.
type app struct {
	in       io.Reader
	inTTY    bool
	out, err *screen
	env      func(string) (string, bool)

	data   string // --data
	config string // -c
	output string // -o
}

func newApp() *app {
	return &app{
		in: os.Stdin, inTTY: term.IsTerminal(int(os.Stdin.Fd())),
		out: newScreen(os.Stdout), err: newScreen(os.Stderr), env: os.LookupEnv,
	}
}

func (a *app) json() bool { return a.output == "json" }

// canAsk reports whether a person sits there to answer.
func (a *app) canAsk() bool { return a.inTTY && a.err.tty }

// The groups of the help text, in its order.
const (
	groupStart  = "start"
	groupUse    = "use"
	groupGovern = "govern"
	groupRun    = "run"
)

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "durward",
		Short: "A governing gateway between agents and the MCP servers they may reach",
		Long: "Durward stands between agents and MCP servers: every call passes a key, an\n" +
			"allow-list and a check of its arguments, and leaves a durable record.\n\n" +
			"Begin with `durward up`.\n\n" +
			"Environment: DURWARD_KEY is the key to call with; DURWARD_ADMIN is the admin address of a gateway on another\n" +
			"machine, for the verbs that govern (-c and --data mean the one on this machine), DURWARD_ADMIN_KEY the operator's\n" +
			"key for either; DURWARD_SEAL_KEY seals the database of the data folder in place of seal.key in it; NO_COLOR turns\n" +
			"colours off.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.data, "data", "", "data folder (default ./durward-data, or what the configuration says)")
	f.StringVarP(&a.config, "config", "c", "", "configuration file")
	f.StringVarP(&a.output, "output", "o", "table", "form of listings: table or json")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.output != "table" && a.output != "json" {
			return usagef("-o %s: use table or json", a.output)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usagef("%s%s", plainFlag(err), meantFlag(c, err)) })
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetIn(a.in)
	root.AddGroup(&cobra.Group{ID: groupStart, Title: "Start:"}, &cobra.Group{ID: groupUse, Title: "Use it as an agent:"},
		&cobra.Group{ID: groupGovern, Title: "Govern:"}, &cobra.Group{ID: groupRun, Title: "Operate:"})
	root.SetHelpCommandGroupID(groupRun)
	root.SetCompletionCommandGroupID(groupRun)
	for _, verb := range verbs() {
		root.AddCommand(verb(a))
	}
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" { // it would answer an unknown shell with its help
			c.Args, c.RunE = unknownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	return root
}

// unknownCommand answers what is no verb.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	text := "there is no command " + strings.Join(append(strings.Fields(c.CommandPath())[1:], args[0]), " ")
	if like := c.SuggestionsFor(args[0]); len(like) > 0 {
		text += "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return usagef("%s", text)
}

// meantFlag is the flag that a slip may stand for, as the end of a sentence.
func meantFlag(c *cobra.Command, err error) string {
	slip, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return ""
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := durward.Closest(slip, names); near != "" {
		return "; did you mean --" + near + "?"
	}
	return ""
}

// parent makes a command that only has commands below it.
func parent(use, short, group string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, GroupID: group, Args: unknownCommand, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(below...)
	return c
}

// args checks how many words follow a command.
func args(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, words []string) error {
		switch {
		case len(words) < least:
			return usagef("something is missing: %s", c.UseLine())
		case most >= 0 && len(words) > most:
			return usagef("unexpected %q: %s", words[most], c.UseLine())
		}
		return nil
	}
}

// plainFlag says what a flag's value is not, without words of the library's.
func plainFlag(err error) string {
	text, _, number := strings.Cut(err.Error(), ": strconv.Parse")
	if !number {
		return text
	}
	return text + ": it is no number"
}
