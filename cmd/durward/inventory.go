package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"durward/internal/boot"
)

func inventoryCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "inventory [FILE ...]",
		Example: "  durward inventory\n  durward inventory ~/.cursor/mcp.json -o json",
		Short:   "List the servers that the clients on this machine reach today",
		Long: "Looks into the configurations of Claude Desktop, Claude Code, Cursor, VS Code, Windsurf, Gemini CLI and Codex,\n" +
			"for this user and this folder, or into the files that are named. Nothing is changed, started or sent, and no\n" +
			"secret is shown. `durward up --import FILE` puts what is in a file behind the gateway.",
		GroupID: groupRun,
		Args:    args(0, -1),
		RunE: func(_ *cobra.Command, files []string) error {
			found, err := a.lookAround(files)
			if err != nil {
				return err
			}
			return a.listFound(found)
		},
	}
}

func (a *app) lookAround(files []string) (boot.Found, error) {
	var own []string
	if cfg, err := a.settings(listenFlags{}); err == nil { // a broken configuration is no reason not to look
		own = boot.OwnAddresses(cfg)
	}
	if len(files) > 0 {
		return boot.ReadClients(files, own)
	}
	here, err := os.Getwd()
	if err != nil {
		return boot.Found{}, fmt.Errorf("find this folder: %w", err)
	}
	return boot.FindClients(here, own)
}

// foundServer is a server as it may be shown: without the values of its
// environment and headers.
type foundServer struct {
	Name    string   `json:"name"`
	Server  string   `json:"server"`
	Clients []string `json:"clients"`
	Files   []string `json:"files"`
}

func (a *app) listFound(found boot.Found) error {
	var all []foundServer
	for _, p := range found.Proposals {
		s := foundServer{Name: p.Upstream.Name, Server: boot.DescribeUpstream(p.Upstream)}
		for _, src := range p.Sources {
			s.Clients, s.Files = union(s.Clients, []string{src.Client.Title()}), union(s.Files, []string{src.File})
		}
		all = append(all, s)
	}
	err := list(a, all, []string{"SERVER", "CLIENTS", "WHAT"}, func(s foundServer) []string {
		return []string{s.Name, strings.Join(s.Clients, ", "), s.Server}
	})
	a.notes(found)
	return err
}
