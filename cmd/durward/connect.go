package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"durward/internal/boot"
)

func connectCommand(a *app) *cobra.Command {
	var (
		f    agentFlags
		name string
	)
	c := &cobra.Command{
		Use:     "connect [CLIENT]",
		Example: "  durward connect cursor\n  durward connect claude-code --agent support-bot --url https://gateway.example/mcp",
		Short:   "Print the exact lines that connect a client",
		Long: "Prints the exact lines that connect a client to the gateway; without CLIENT, those of all.\n" +
			"Nothing is written anywhere.\n\nClients: " + strings.Join(boot.ConnectableClients(), ", ") + ".",
		GroupID:   groupUse,
		Args:      args(0, 1),
		ValidArgs: boot.ConnectableClients(),
		RunE: func(c *cobra.Command, words []string) error {
			clients := boot.ConnectableClients()
			if len(words) > 0 {
				clients = words
			}
			return a.connect(c.Context(), f, name, clients)
		},
	}
	f.add(c, a)
	c.Flags().StringVar(&name, "name", "durward", "what the client calls the gateway")
	return c
}

func (a *app) connect(ctx context.Context, f agentFlags, name string, clients []string) error {
	for _, client := range clients {
		if _, err := boot.ConnectClient(client, boot.Connection{}); err != nil {
			return usagef("%v", err)
		}
	}
	with, err := a.connection(ctx, f, name)
	if err != nil {
		return err
	}
	var all []boot.Recipe
	for _, client := range clients {
		r, err := boot.ConnectClient(client, with)
		if err != nil {
			return usagef("%v", err)
		}
		all = append(all, r)
	}
	if a.json() {
		return printJSON(a.out, all)
	}
	for i, r := range all {
		if i > 0 {
			a.out.line("")
		}
		a.out.line("%s  %s", a.out.bold(r.Title), a.out.dim(r.Do+":"))
		a.out.line("%s", r.Text)
		if r.Note != "" {
			a.out.line("%s", a.out.dim(r.Note))
		}
	}
	if text := installHint(); text != "" && len(with.Stdio) > 0 {
		a.err.line("%s", text)
	}
	return nil
}

// connection is what a client needs: from the flags, else from the gateway that runs here.
func (a *app) connection(ctx context.Context, f agentFlags, name string) (boot.Connection, error) {
	c, err := a.agentClient(ctx, f)
	if err != nil {
		return boot.Connection{}, err
	}
	if c.key == "" && f.url != "" {
		return boot.Connection{}, usagef("whose key are the lines to hold? --agent names an agent whose key is saved, --key gives one")
	}
	with := boot.Connection{Name: name, URL: c.url, Key: c.key}
	if f.url == "" {
		with.Stdio, err = a.stdioCommand(f.agent)
	}
	return with, err
}
