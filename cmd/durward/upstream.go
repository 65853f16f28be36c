package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
	"durward/internal/boot"
)

func upstreamCommand(a *app) *cobra.Command {
	return parent("upstream", "List, add, test, inspect and remove the servers behind the gateway", groupGovern,
		upstreamListCommand(a), upstreamAddCommand(a), upstreamTestCommand(a), upstreamInspectCommand(a), upstreamLoginCommand(a), upstreamRemoveCommand(a))
}

func upstreamListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List upstreams and how they are", Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.operate(c.Context(), func(op operator) error {
				all, err := op.Upstreams(c.Context())
				if err != nil {
					return err
				}
				return list(a, all, []string{"UPSTREAM", "STATE", "REVISION", "TOOLS", "FROM", "SERVER"}, a.upstreamRow)
			})
		},
	}
}

func (a *app) upstreamRow(u admin.Upstream) []string {
	what := boot.DescribeUpstream(u.Upstream)
	row := []string{u.Name, "not running", "-", "-", string(u.Origin), what}
	if u.Disabled {
		row[1] = "disabled"
	}
	s := u.Status
	if s == nil {
		return row
	}
	row[1] = s.State + breakerText(s.Breakers)
	row[2] = firstOf(s.Version, "-")
	if s.State == "ready" || s.Tools > 0 {
		row[3] = fmt.Sprint(s.Tools)
	}
	if s.Error != "" {
		row[5] = s.Error + "  (" + what + ")"
	}
	return row
}

// breakerText says what of an upstream is left alone.
func breakerText(all []durward.BreakerStatus) string {
	tools := 0
	for _, b := range all {
		if b.Tool == "" {
			return ", breaker " + b.State
		}
		tools++
	}
	switch tools {
	case 0:
		return ""
	case 1:
		return ", breaker of " + all[0].Tool + " " + all[0].State
	}
	return fmt.Sprintf(", breakers of %d tools open", tools)
}

func upstreamAddCommand(a *app) *cobra.Command {
	var (
		u       durward.Upstream
		headers []string
		env     []string
	)
	c := &cobra.Command{
		Use:   "add NAME (--url URL | -- COMMAND [ARG ...])",
		Short: "Add an upstream; nobody may call it until a role allows it",
		Args:  args(1, -1),
		Example: "  durward upstream add files -- npx -y @modelcontextprotocol/server-filesystem /srv/docs\n" +
			"  durward upstream add crm --url https://crm.example/mcp --header 'Authorization: Bearer ...'",
		RunE: func(c *cobra.Command, words []string) error {
			if err := readUpstream(&u, words, headers, env); err != nil {
				return err
			}
			return a.operate(c.Context(), func(op operator) error {
				if err := op.AddUpstream(c.Context(), u); err != nil {
					return err
				}
				a.err.line("%s is added. Nobody may call it yet: durward role set ROLE --allow '%s__*'", u.Name, u.Name)
				return nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&u.URL, "url", "", "address of a remote server")
	f.StringArrayVar(&headers, "header", nil, "header for a remote server, 'Name: value'; may be given more than once")
	f.StringArrayVar(&env, "env", nil, "variable for a local server, NAME=value; may be given more than once")
	f.StringVar(&u.Dir, "dir", "", "working directory of a local server")
	f.StringVar(&u.Transport, "transport", "", "stdio, http or sse (default: tried out)")
	f.StringVar(&u.Era, "era", "", "legacy or modern (default: tried out)")
	f.DurationVar(&u.Timeout, "timeout", 0, "longest time of one call (default 5m)")
	return c
}

// readUpstream fills in what flags cannot hold. Faults of the shape are told by
// whoever stores it.
func readUpstream(u *durward.Upstream, words, headers, env []string) error {
	u.Name = words[0]
	if len(words) > 1 {
		u.Command, u.Args = words[1], words[2:]
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return usagef("--header %q: write 'Name: value'", name)
		}
		if u.Headers == nil {
			u.Headers = map[string]string{}
		}
		u.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok {
			return usagef("--env %q: write NAME=value", name)
		}
		if u.Env == nil {
			u.Env = map[string]string{}
		}
		u.Env[name] = value
	}
	if faults := u.Faults(); len(faults) > 0 {
		return usagef("%v", faults[0])
	}
	return nil
}

func upstreamTestCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Connect to an upstream now and show what it offers", Args: args(1, 1),
		Example:           "  durward upstream test crm",
		ValidArgsFunction: first(a.completeUpstreams),
		RunE: func(c *cobra.Command, words []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			return a.operate(ctx, func(op operator) error { return a.testUpstream(ctx, op, words[0]) })
		},
	}
}

func (a *app) testUpstream(ctx context.Context, op operator, name string) error {
	p := a.progress("connecting to " + name)
	t, err := op.TestUpstream(ctx, name)
	p.stop()
	if err != nil {
		return err
	}
	if a.json() {
		err = printJSON(a.out, t)
	} else {
		a.printTested(t)
		if held := withheldOf(ctx, op, name, len(t.Tools)); len(held) > 0 {
			a.out.line("%s", a.out.yellow("! "+withheldLine(name, held)))
		}
	}
	if err == nil && t.Status.Error != "" {
		err = said{exitFailed}
	}
	return err
}

func (a *app) printTested(t admin.UpstreamTest) {
	s := t.Status
	if s.Error != "" {
		a.out.line("%s %s: %s", a.out.red("✗"), s.Name, oneLine(s.Error))
		return
	}
	a.out.line("%s %s answers: %s, %s over %s", a.out.green("✓"), s.Name, oneLine(firstOf(s.Server, "a server without a name")), s.Version, s.Transport)
	rows := table{head: []string{"TOOL", "CLAIMS", "DESCRIPTION"}}
	for _, raw := range t.Tools {
		v := readTool(raw)
		rows.add(v.Name, v.claims(), firstSentence(v.Description))
	}
	if len(rows.rows) > 0 {
		rows.print(a.out)
	}
	for _, line := range suspicions(s.Name, scanned(s.Name, t.Tools)) {
		a.out.line("%s", a.out.yellow(line))
	}
}

func upstreamRemoveCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Forget an upstream", Args: args(1, 1),
		Example:           "  durward upstream remove crm",
		ValidArgsFunction: first(a.completeUpstreams),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				if err := op.RemoveUpstream(c.Context(), words[0]); err != nil {
					return err
				}
				a.err.line("%s is removed.", words[0])
				return nil
			})
		},
	}
}
