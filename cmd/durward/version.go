package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", GroupID: groupRun, Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

// build is what a bug report needs.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) printVersion() error {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	if a.json() {
		return printJSON(a.out, b)
	}
	text := "durward " + b.Version
	if b.Commit != "" {
		text += " (" + cut(b.Commit, 12) + ")"
	}
	a.out.line("%s %s %s", text, b.Go, b.Platform)
	return nil
}
