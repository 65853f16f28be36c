package main

import (
	"github.com/spf13/cobra"

	"durward/internal/config"
)

func configCommand(a *app) *cobra.Command {
	return parent("config", "Show the configuration and its schema", groupRun,
		configSchemaCommand(a), configShowCommand(a))
}

func configSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of durward.yaml, for editors", Args: args(0, 0),
		Long: "Prints the JSON Schema of durward.yaml. With the YAML language server, this line at the top of the file\n" +
			"gives completion and checks in an editor:\n\n  # yaml-language-server: $schema=./durward.schema.json",
		RunE: func(*cobra.Command, []string) error {
			a.out.line("%s", config.Schema())
			return nil
		},
	}
}

func configShowCommand(a *app) *cobra.Command {
	var f listenFlags
	show := func(load func() (*config.Config, error)) func(*cobra.Command, []string) error {
		return func(*cobra.Command, []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			text, err := cfg.Print()
			if a.json() && err == nil {
				text, err = cfg.PrintJSON()
			}
			if err != nil {
				return err
			}
			_, err = a.out.Write(text)
			return err
		}
	}
	c := &cobra.Command{
		Use: "show", Short: "Print the configuration in effect, without its secrets", Args: args(0, 0),
		RunE: show(func() (*config.Config, error) { return a.load(f) }),
	}
	c.AddCommand(&cobra.Command{
		Use: "defaults", Short: "Print the defaults", Args: args(0, 0),
		RunE: show(func() (*config.Config, error) { return config.Default(config.Options{}) }),
	})
	return c
}
