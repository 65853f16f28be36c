package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"durward/internal/admin"
	"durward/internal/boot"
	"durward/internal/config"
	"durward/internal/telemetry"
)

// What `durward up` makes when there is nothing.
const (
	firstAgent = "my-agent"
	firstRole  = "starter"
)

type upFlags struct {
	listenFlags
	once    bool
	yes     bool
	imports []string
	allow   string
}

func upCommand(a *app) *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "From nothing to a running, governed gateway",
		Long: "Makes the data folder, takes over the servers that your clients use (after asking, or from --import) or\n" +
			"starts an example, makes an operator's key and a first agent with a key, makes a first call, shows what a\n" +
			"refusal looks like and where the record lies, and prints the lines that connect your clients.\n" +
			"Run again, it uses what is there. Without a terminal it never asks, and imports only what --import names.",
		Example: "  durward up\n  durward up --import ~/.cursor/mcp.json\n  durward up --once",
		GroupID: groupStart,
		Args:    args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"", allowReads, allowAll, allowNone}, f.allow) {
				return usagef("--allow %s: use reads, all or none", f.allow)
			}
			return a.up(c.Context(), f)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&f.once, "once", false, "exit after the first call")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "take over what is found on this machine without asking")
	c.Flags().StringArrayVar(&f.imports, "import", nil, "configuration of a client to take servers from; may be given more than once")
	c.Flags().StringVar(&f.allow, "allow", "", "which tools of imported servers the first agent may call: none, reads (those that claim only to read) or all (default: asked on a terminal, else none)")
	return c
}

func (a *app) up(ctx context.Context, f upFlags) error {
	cfg, err := a.settings(f.listenFlags)
	if err != nil {
		return err
	}
	s := &upState{app: a, f: f, cfg: cfg, began: time.Now(), fresh: isFresh(cfg.Data)}
	lines := bufio.NewScanner(a.in)
	if s.found, err = a.toImport(lines, f, cfg, s.fresh); err != nil {
		return err
	}
	if len(s.found.Proposals) > 0 && f.allow == "" {
		s.f.allow = a.askAllow(lines)
	}
	c, run, err := admin.Connect(ctx, cfg.Data)
	switch {
	case err == nil && run.Passing && !f.once: // it makes room: its addresses would end with a client
		c.Close()
	case err == nil:
		s.joined = true
		defer c.Close()
		if otherPort(run.Agents, f.listen) || otherPort(run.URL, f.admin) {
			a.err.line("A gateway runs on %s already, at %s: the addresses of this command are not used.", run.Data, run.Agents)
		}
		return s.tour(ctx, c, run)
	case !errors.Is(err, admin.ErrNotRunning):
		return err
	}
	g, err := s.start(ctx)
	if err != nil {
		return startFailed(err)
	}
	return s.live(ctx, g)
}

// otherPort reports whether an address that was asked for has another port than
// a listener. A name or an unspecified address may well be the same.
func otherPort(listener, asked string) bool {
	_, want, err := net.SplitHostPort(asked)
	u, wrong := url.Parse(listener)
	return err == nil && wrong == nil && want != "0" && want != u.Port()
}

// upState is one run of `durward up`.
type upState struct {
	*app
	f     upFlags
	cfg   *config.Config
	began time.Time
	found boot.Found
	log   *telemetry.Log

	fresh      bool   // there was no data folder
	joined     bool   // a gateway was running already
	moved      string // the address that was taken, "" when it was free
	allows     bool   // the first role allows something
	mayNothing bool   // the agent sees no tool
	report     upReport
}

// isFresh reports whether nothing was ever kept in the data folder.
func isFresh(data string) bool {
	_, err := os.Stat(filepath.Join(data, "durward.db"))
	return errors.Is(err, fs.ErrNotExist)
}

// start brings the gateway up. When nobody chose the usual address and another
// program has it, the next one that is free is taken, and said.
func (s *upState) start(ctx context.Context) (*boot.Gateway, error) {
	s.log = s.logger(config.Log{Level: "error"}) // what upstreams do wrong is shown by the tour
	o := boot.Options{Version: version, Log: s.log.Logger, Config: s.configOptions(s.f.listenFlags)}
	g, err := boot.Start(ctx, s.cfg, o)
	for port := 18080; errors.Is(err, syscall.EADDRINUSE) && s.mayMove() && port < 18100; port += 2 {
		s.moved = s.cfg.Listen
		s.cfg.Listen, s.cfg.AdminListen = fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1)
		g, err = boot.Start(ctx, s.cfg, o)
	}
	return g, err
}

// mayMove reports whether the addresses are nobody's choice.
func (s *upState) mayMove() bool {
	return s.f.listen == "" && s.f.admin == "" && s.cfg.Path == ""
}

// live shows the gateway and keeps it serving.
func (s *upState) live(ctx context.Context, g *boot.Gateway) error {
	c, run, err := admin.Connect(ctx, s.cfg.Data)
	if err == nil {
		err = s.tour(ctx, c, run)
		c.Close()
	}
	if err != nil || s.f.once {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.DrainTimeout)
		defer cancel()
		return errors.Join(err, g.Shutdown(drain))
	}
	s.log.SetLevel("warn")
	return s.serveUntil(ctx, g, s.cfg)
}

// tour sets up what is missing, makes the first calls and shows it all.
func (s *upState) tour(ctx context.Context, op *admin.Client, run admin.Run) error {
	if err := s.settle(ctx, op, run); err != nil {
		return plainly(err)
	}
	if err := s.calls(ctx, run); err != nil {
		return err
	}
	return s.show()
}
