package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"durward/internal/boot"
	"durward/internal/config"
)

func serveCommand(a *app) *cobra.Command {
	var (
		f     listenFlags
		check bool
	)
	c := &cobra.Command{
		Use:     "serve",
		Example: "  durward serve -c durward.yaml\n  durward serve --check",
		Short:   "Run the gateway from a configuration file",
		Long: "Runs the gateway from a configuration file (-c, else durward.yaml in this folder) until it is told to stop.\n" +
			"When it is ready it prints one line with its addresses. SIGHUP, or a change of the file, loads the file\n" +
			"again; what does not load leaves the old configuration in force and says so.",
		GroupID: groupStart,
		Args:    args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.load(f)
			if check && err == nil {
				err = boot.Check(c.Context(), cfg)
			}
			if err != nil || check {
				return a.checked(cfg, err)
			}
			return a.serve(c.Context(), cfg, f)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&check, "check", false, "validate the configuration and exit")
	return c
}

func (f *listenFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.listen, "listen", "", "address for agents (default 127.0.0.1:8080)")
	c.Flags().StringVar(&f.admin, "admin-listen", "", "address for operators (default 127.0.0.1:8081)")
}

// load reads the configuration file that was named, else the one that is here.
func (a *app) load(f listenFlags) (*config.Config, error) {
	if a.config == "" {
		if _, err := config.Find(); err != nil {
			return nil, hint(fmt.Errorf("there is no configuration: no %s in this folder", config.DefaultFile), "-c names a configuration file. Without one, `durward up` sets everything up.")
		}
	}
	return a.settings(f)
}

// checked reports on a configuration: every problem with its place.
func (a *app) checked(cfg *config.Config, err error) error {
	var problems config.Problems
	switch {
	case err == nil:
		problems = cfg.Warnings
	case !a.json() || !errors.As(err, &problems):
		return err
	}
	if a.json() {
		if err := printJSON(a.out, append(config.Problems{}, problems...)); err != nil {
			return err
		}
	} else {
		a.warn(problems)
		a.out.line("%s is good: %s, %s, %s.", cfg.Path, count(len(cfg.Upstreams), "upstream"), count(len(cfg.Agents), "agent"), count(len(cfg.Roles), "role"))
	}
	if err != nil {
		return said{exitFailed}
	}
	return nil
}

func (a *app) warn(problems config.Problems) {
	for _, p := range problems {
		a.err.line("%s %s", a.err.yellow("warning:"), clean(p.String()))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// serve runs the gateway until ctx is done.
func (a *app) serve(ctx context.Context, cfg *config.Config, f listenFlags) error {
	a.warn(cfg.Warnings)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	g, err := boot.Start(ctx, cfg, boot.Options{Version: version, Log: a.logger(cfg.Log).Logger, Config: a.configOptions(f), Reload: hup})
	if err != nil {
		return startFailed(err)
	}
	a.out.line("durward %s serves %s/mcp, admin %s", version, g.DataURL(), g.AdminURL())
	return a.serveUntil(ctx, g, cfg)
}

// serveUntil waits for the end and lets calls under way finish.
func (a *app) serveUntil(ctx context.Context, g *boot.Gateway, cfg *config.Config) error {
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Limits.DrainTimeout)
	defer cancel()
	if err := g.Shutdown(drain); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// startFailed adds what to do about the usual reasons.
func startFailed(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return hint(err, "Another program listens there. --listen and --admin-listen choose other addresses; 127.0.0.1:0 takes a free port.")
	case errors.Is(err, syscall.EACCES):
		return hint(err, "The data folder and its files must belong to the user who runs the gateway; a port below 1024 needs a privilege.")
	}
	return err
}
