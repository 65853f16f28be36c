// Package boot knits the parts into a gateway, starts them in order and stops
// them in the other. It decides nothing and knows everybody; nobody but the
// command line knows it.
package boot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"durward"
	"durward/internal/admin"
	"durward/internal/approval"
	"durward/internal/audit"
	"durward/internal/config"
	"durward/internal/control"
	"durward/internal/edge/mcpedge"
	"durward/internal/identity"
	"durward/internal/limit"
	"durward/internal/oauth"
	"durward/internal/once"
	"durward/internal/pipeline"
	"durward/internal/session"
	"durward/internal/snapshot"
	"durward/internal/store"
	"durward/internal/upstream"
)

// Options of a gateway beside its configuration; the zero value is good.
type Options struct {
	Version string
	Log     *slog.Logger
	// Config is how a changed file is read again.
	Config config.Options
	// Reload asks for the file to be read again at once (SIGHUP); may be nil.
	Reload <-chan os.Signal
	// Passing says that the gateway serves a `durward stdio` and ends with it,
	// or sooner when another one asks for the data folder ([Gateway.Wanted]).
	Passing bool
}

// Gateway is a running gateway. Stop it with [Gateway.Shutdown].
type Gateway struct {
	cfg     *config.Config                // that the gateway was started with
	applied atomic.Pointer[config.Config] // the last one that was put in force
	opts    Options

	store     *store.DB
	records   *audit.Log
	keeping   *recordKeeper
	counters  *limit.Memory
	memory    *memory
	upstreams *upstream.Set
	desk      *oauth.Desk // where the gateway signs in at upstreams
	approvals *approval.Desk
	notifier  *approval.Notifier
	ledger    *once.Ledger
	pipeline  *pipeline.Gateway
	keeper    *snapshot.Keeper
	control   *control.Control
	face      *mcpedge.Face
	instance  string // of this process, in Durward-Via
	token     string // of the run
	wanted    wanted
	dataURL   string
	adminURL  string

	jobs   *errgroup.Group
	failed <-chan struct{}    // closed when a job ended with an error, or all were told to
	cancel context.CancelFunc // ends the jobs
	undo   []func(context.Context) error
}

// Start brings a gateway up. When it returns without error, the listeners
// answer; what stands behind them is reached when it is first needed. ctx
// bounds the start only.
func Start(ctx context.Context, cfg *config.Config, o Options) (*Gateway, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{cfg: cfg, opts: o, memory: newMemory(cfg.Limits.Memory), instance: rand.Text(), token: admin.NewToken()}
	g.wanted.asked = make(chan struct{})
	g.applied.Store(cfg)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g.jobs, run = errgroup.WithContext(run)
	g.cancel, g.failed = cancel, run.Done()
	for _, step := range []func(context.Context) error{
		g.openState, g.openRecords, g.openApprovals, g.count, g.connect, g.decide, g.take, g.listen,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, g.Shutdown(ctx))
		}
	}
	g.jobs.Go(func() error { return g.pipeline.Run(run) })
	g.jobs.Go(func() error { return g.keeper.Run(run) })
	g.jobs.Go(func() error { return g.keeping.keepUp(run) })
	g.jobs.Go(func() error { return g.saveCounters(run) })
	g.jobs.Go(func() error { return g.memory.run(run) })
	g.jobs.Go(func() error { return g.notifier.Run(run) })
	g.jobs.Go(func() error { return g.ledger.Run(run) })
	g.jobs.Go(func() error { return g.keepMarks(run) })
	g.jobs.Go(func() error { return g.keepNames(run) })
	if cfg.Path != "" {
		g.jobs.Go(func() error { return g.watchFile(run) })
	}
	return g, nil
}

// openState opens the database; only one process at a time can.
func (g *Gateway) openState(ctx context.Context) error {
	if err := checkFolder(g.cfg.Data); err != nil {
		return err
	}
	db, err := g.openStore(ctx)
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("the data folder %s belongs to a gateway that is running; stop it, or choose another folder with --data: %w", g.cfg.Data, err)
	}
	if err != nil {
		return err
	}
	g.store = db
	g.onStop(func(context.Context) error { return db.Close() })
	g.onStop(func(context.Context) error { return admin.RemoveRun(g.cfg.Data, g.token) }) // who wants the folder reads there whose it is
	return nil
}

// openRecords opens the log of records; without it nothing is served.
func (g *Gateway) openRecords(context.Context) error {
	k, err := openKeeper(g.cfg, g.opts.Log)
	if err != nil {
		return err
	}
	g.records, g.keeping = k.log, k
	g.onStop(k.close)
	return k.apply(g.cfg.Audit)
}

// openApprovals finds the questions that waited when the last run ended, and
// the calls that are remembered.
func (g *Gateway) openApprovals(ctx context.Context) error {
	desk, err := approval.Open(ctx, approval.Options{Store: g.store.Shelf("approvals"), Log: g.opts.Log})
	if err != nil {
		return err
	}
	g.approvals, g.notifier = desk, approval.NewNotifier(desk)
	g.ledger, err = once.Open(ctx, once.Options{Store: g.store.Shelf("once"), Log: g.opts.Log})
	return err
}

// connect makes the upstreams' side; nothing is contacted yet.
func (g *Gateway) connect(context.Context) error {
	g.openDesk()
	g.upstreams = upstream.New(upstream.Options{
		Account: g.account, Log: g.opts.Log, Eras: g.store, Version: g.opts.Version, Instance: g.instance, Watchdog: watchdog(),
	})
	g.onStop(g.upstreams.Close)
	return nil
}

// decide makes the pipeline and the faces before it.
func (g *Gateway) decide(ctx context.Context) error {
	var err error
	g.pipeline, err = pipeline.New(pipeline.Options{
		Log: g.opts.Log, Pepper: g.store.Pepper(), Upstreams: g.upstreams, Records: g.records, Vault: g.keeping.vault,
		Sessions: session.NewTable(session.Options{PerAgent: g.cfg.Limits.Sessions, Idle: g.cfg.Limits.SessionIdle}),
		Server:   serverInfo(g.opts.Version), Counter: g.counters, Halt: g.stop, Pressed: g.memory.pressed.Load, Keep: g.keepPins,
		Approvals: g.approvals,
		Ledger:    g.ledger,
	})
	if err != nil {
		return err
	}
	if err := g.recallMarks(ctx); err != nil {
		return err
	}
	if err := g.recallNames(ctx); err != nil {
		return err
	}
	g.onStop(func(ctx context.Context) error {
		g.storeMarks(ctx, g.store.Shelf("labels"))
		g.storeNames(ctx, g.store.Shelf("names"))
		return nil
	})
	g.face = mcpedge.New(g.pipeline, mcpedge.Options{Server: serverInfo(g.opts.Version), Log: g.opts.Log, Limits: messageLimits(g.cfg)})
	g.pipeline.OnLoad(g.face.Recheck)
	g.pipeline.OnSessionClosed(func(s *durward.Session) { g.face.Forget(s) })
	g.onStop(func(context.Context) error { g.face.Stop(); return nil })
	return nil
}

// take puts the first snapshot in force: file and store merged.
func (g *Gateway) take(ctx context.Context) error {
	pepper := g.store.Pepper()
	g.keeper = snapshot.New(snapshot.Options{
		Source: g.store, Log: g.opts.Log, Load: g.pipeline.Load,
		Check: func(s *durward.Snapshot) error { _, err := pipeline.Compile(pepper, s); return err },
	})
	g.control = control.New(control.Options{
		Own: func() []string { return ownAddresses(g.cfg, g.dataURL, g.adminURL) }, Store: g.store, Pepper: pepper, Settle: g.keeper.Settle, Status: g.upstreams.Status,
		Approvals: g.approvals, Record: func(ctx context.Context, r *durward.Record) error { return g.records.Append(ctx, r, audit.Durable) },
		Definitions: g.pipeline.Definitions, Reread: g.reread,
		File:    func() (*durward.Snapshot, string) { return g.keeper.File(), g.cfg.Path },
		Check:   func(s *durward.Snapshot) error { _, err := pipeline.Compile(pepper, s); return err },
		Session: g.pipeline.Session, Stops: g.keeper, Note: g.note, SignIn: g.signIn, SignOut: g.desk.Forget,
	})
	return g.keeper.SetFile(ctx, g.cfg.Path, g.declared(g.cfg))
}

func (g *Gateway) declared(cfg *config.Config) *durward.Snapshot {
	pepper := g.store.Pepper()
	return cfg.Declared(func(secret string) [32]byte { return identity.Hash(pepper, secret) })
}

// watchFile follows the configuration file. What does not load leaves the old
// one in force.
func (g *Gateway) watchFile(ctx context.Context) error {
	w := config.Watcher{
		Current: g.cfg, Options: g.opts.Config, Now: g.opts.Reload,
		Apply: func(ctx context.Context, c *config.Config) error {
			if err := g.mayBeAnonymous(c); err != nil {
				return err
			}
			if err := g.keeper.SetFile(ctx, c.Path, g.declared(c)); err != nil {
				return err
			}
			if err := g.keeping.apply(c.Audit); err != nil {
				return err
			}
			g.applied.Store(c)
			g.opts.Log.Info("configuration reloaded", "file", c.Path)
			if keys := config.NeedsRestart(g.cfg, c); len(keys) > 0 {
				g.opts.Log.Warn("part of the configuration needs a restart", "file", c.Path, "keys", keys)
			}
			return nil
		},
		Failed: func(err error) {
			g.keeper.FileFailed(err)
			g.opts.Log.Error("configuration not reloaded, the old one stays in force", "file", g.cfg.Path, "err", err)
		},
	}
	return w.Run(ctx)
}

// mayBeAnonymous holds a new file against the listeners that are open: they do
// not move before a restart, whatever the file says of them by now.
func (g *Gateway) mayBeAnonymous(c *config.Config) error {
	anonymous := slices.ContainsFunc(c.Agents, func(a durward.Agent) bool { return a.Anonymous })
	if !anonymous || (c.Listen == g.cfg.Listen && c.AdminListen == g.cfg.AdminListen) {
		return nil // the file was judged by these very addresses
	}
	if config.Loopback(g.cfg.Listen) && config.Loopback(g.cfg.AdminListen) {
		return nil
	}
	return fmt.Errorf("an anonymous agent may call only where every listener is loopback, and this gateway still listens on %s and %s: restart it", g.cfg.Listen, g.cfg.AdminListen)
}

// onStop remembers what undoes a step; the last step is undone first.
func (g *Gateway) onStop(undo func(context.Context) error) { g.undo = append(g.undo, undo) }

// Shutdown stops taking calls, lets those under way end, and closes
// everything. When ctx ends first, what is still under way is cut off. It is
// safe to call once after a Start, failed or not.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.cancel()
	var errs []error
	for i := len(g.undo) - 1; i >= 0; i-- {
		stop := ctx
		if i < len(g.undo)-1 && ctx.Err() != nil { // closing what is durable gets its time in any case
			var cancel context.CancelFunc
			stop, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
		}
		errs = append(errs, g.undo[i](stop))
	}
	return errors.Join(append(errs, g.jobs.Wait())...)
}

// Failed is closed when the gateway can no longer do its work, such as when a
// listener broke; Shutdown then tells why.
func (g *Gateway) Failed() <-chan struct{} { return g.failed }

// Control returns the verbs that change the state.
func (g *Gateway) Control() *control.Control { return g.control }

// DataURL is where agents connect, as http://host:port.
func (g *Gateway) DataURL() string { return g.dataURL }

// AdminURL is where operators connect.
func (g *Gateway) AdminURL() string { return g.adminURL }

// Status is how the upstreams are.
func (g *Gateway) Status() []durward.UpstreamStatus { return g.upstreams.Status() }

func urlOf(l net.Listener) string { return "http://" + l.Addr().String() }

var _ mcpedge.Gateway = (*pipeline.Gateway)(nil)
