package main

import (
	"github.com/spf13/cobra"

	"durward/internal/boot"
)

func exampleCommand(a *app) *cobra.Command {
	var dir, listen string
	c := &cobra.Command{
		Use: "example", Short: "Run the built-in example server on standard input and output",
		Long: "Runs the MCP server that `durward up` puts behind the gateway when there is nothing else: a small notebook,\n" +
			"and one tool that is bait. See `durward tools`.",
		Hidden: true, Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			e := boot.Example{Dir: dir, Version: version}
			if listen != "" {
				return boot.ServeExample(c.Context(), e, listen, func(url string) { a.out.line("%s", url) })
			}
			return boot.RunExample(c.Context(), e)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "folder to keep notes in (default: memory)")
	c.Flags().StringVar(&listen, "http", "", "address to serve HTTP on instead; the first line of output is its URL")
	return c
}
