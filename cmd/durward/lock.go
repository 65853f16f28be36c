package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/admin"
	"durward/internal/boot"
	"durward/internal/config"
)

const lockName = "durward.lock"

type lockFlags struct {
	check, trust bool
	timeout      time.Duration
}

func lockCommand(a *app) *cobra.Command {
	var f lockFlags
	c := &cobra.Command{
		Use:   "lock",
		Short: "Write the definitions of all upstreams to durward.lock, or check them against it",
		Long: "Starts or reaches the upstreams of the configuration, reads what they define, and writes it with its digests to\n" +
			"durward.lock beside the configuration, for Git. A gateway whose durward.yaml says lock: durward.lock uses only\n" +
			"what stands there; nobody can approve anything else. What a scan finds an attack in is written as withheld.\n" +
			"Where there is no configuration, or none of its own upstreams, it is about those of the data folder, which\n" +
			"durward up and durward upstream add put there; the gateway that runs on it is asked to read them again.\n" +
			"--check writes nothing and ends with exit code 3 when an upstream lists something else.",
		Example: "  durward lock -c durward.yaml\n  durward lock --data durward-data\n  durward lock --check",
		GroupID: groupGovern, Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return a.lock(c.Context(), f) },
	}
	c.Flags().BoolVar(&f.check, "check", false, "compare, write nothing")
	c.Flags().BoolVar(&f.trust, "trust", false, "approve also what a scan finds an attack in")
	c.Flags().DurationVar(&f.timeout, "timeout", time.Minute, "longest time for the upstreams to answer")
	return c
}

func (a *app) lock(ctx context.Context, f lockFlags) error {
	cfg, err := a.lockSettings()
	if err != nil {
		return err
	}
	path := cfg.Lock
	if path == "" {
		path = filepath.Join(filepath.Dir(cfg.Path), lockName)
	}
	old, err := readLock(path)
	if f.check && errors.Is(err, fs.ErrNotExist) {
		return hint(fmt.Errorf("there is no %s", path), "`durward lock` writes it.")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	now, err := a.offered(ctx, cfg, old, f)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(now.Failed) {
		a.err.line("%s %s: %s", a.err.red("✗"), name, oneLine(now.Failed[name].Error()))
	}
	if f.check {
		return a.checkLock(path, now, old)
	}
	if len(now.Failed) > 0 {
		return fmt.Errorf("%s is not written: not all upstreams could be read", path)
	}
	return a.writeLock(cfg, path, now)
}

// offered is what the upstreams of a configuration list, or where it has none,
// those of its data folder.
func (a *app) offered(ctx context.Context, cfg *config.Config, old *boot.Lock, f lockFlags) (*boot.Offered, error) {
	ups := cfg.Upstreams
	if len(ups) == 0 {
		c, err := a.keeperOf(ctx, cfg)
		if err == nil {
			defer c.Close()
			return a.offeredBy(ctx, c, cfg, old, f)
		}
		if !errors.Is(err, admin.ErrNotRunning) {
			return nil, err
		}
		if ups, err = a.stored(ctx, cfg); err != nil {
			return nil, err
		}
	}
	p := a.progress("asking " + count(len(ups), "upstream"))
	defer p.stop()
	return boot.Offer(ctx, version, ups, cfg.Guarding, old, f.trust)
}

// keeperOf speaks to the gateway that has the upstreams which no file declares.
func (a *app) keeperOf(ctx context.Context, cfg *config.Config) (*admin.Client, error) {
	if c := a.elsewhere(); c != nil {
		return c, nil
	}
	return a.reach(ctx, cfg.Data)
}

// offeredBy is what a running gateway reads of its upstreams now.
func (a *app) offeredBy(ctx context.Context, c *admin.Client, cfg *config.Config, old *boot.Lock, f lockFlags) (*boot.Offered, error) {
	all, err := c.Upstreams(ctx)
	if err != nil {
		return nil, plainly(err)
	}
	all = slices.DeleteFunc(all, func(u admin.Upstream) bool { return u.Disabled })
	if len(all) == 0 {
		return nil, noUpstream("the gateway has none")
	}
	p := a.progress("asking " + count(len(all), "upstream"))
	defer p.stop()
	told := make([]boot.Told, len(all))
	var group sync.WaitGroup
	for i, u := range all {
		group.Go(func() { told[i] = tell(ctx, c, u.Name) })
	}
	group.Wait()
	return boot.OfferTold(told, cfg.Guarding, old, f.trust)
}

// tell has a gateway read an upstream, and tells what it defines.
func tell(ctx context.Context, c *admin.Client, upstream string) boot.Told {
	out := boot.Told{Upstream: upstream}
	t, err := c.TestUpstream(ctx, upstream)
	if err == nil && t.Status.Error != "" {
		err = errors.New(t.Status.Error)
	}
	if err == nil {
		out.Definitions, err = c.FullDefinitions(ctx, upstream)
	}
	if err != nil {
		out.Err = plainly(err)
	}
	return out
}

// stored are the upstreams of a data folder on which no gateway runs.
func (a *app) stored(ctx context.Context, cfg *config.Config) ([]durward.Upstream, error) {
	if err := a.mayBeLocal(cfg.Data); err != nil {
		return nil, err
	}
	_, err := os.Stat(cfg.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist) && cfg.Path == "":
		return nil, hint(fmt.Errorf("there is no %s in this folder, and no data folder %s", config.DefaultFile, cfg.Data),
			"-c names a configuration file, --data a data folder; `durward up` makes one.")
	case errors.Is(err, fs.ErrNotExist):
		return nil, noUpstream(shortPath(cfg.Path) + " declares none")
	}
	ups, err := boot.Stored(ctx, cfg)
	if err == nil && len(ups) == 0 {
		err = noUpstream("the data folder " + cfg.Data + " holds none")
	}
	return ups, err
}

func noUpstream(why string) error {
	return hint(errors.New("there is no upstream to read: "+why), "`durward upstream add` adds one, `durward up --import FILE` takes over those of a client.")
}

// lockSettings are the configuration without its lock file, which may not be
// there yet or be out of date; the defaults where there is none.
func (a *app) lockSettings() (*config.Config, error) {
	o := a.configOptions(listenFlags{})
	o.ReadLock = nil
	path := a.config
	if path == "" {
		found, err := config.Find()
		if errors.Is(err, config.ErrNone) {
			return config.Default(o)
		}
		if err != nil {
			return nil, err
		}
		path = found
	}
	return config.Load(path, o)
}

func readLock(path string) (*boot.Lock, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return boot.ReadLock(raw)
}

func (a *app) writeLock(cfg *config.Config, path string, now *boot.Offered) error {
	text, err := now.Text()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // it is for Git and holds no secret
		return err
	}
	ups, defs := now.Len()
	a.err.line("%s holds %s of %s.", shortPath(path), count(defs, "definition"), count(ups, "upstream"))
	a.showWithheld(now)
	switch {
	case cfg.Path == "":
		a.err.line("`lock: %s` in a %s, served on the same data folder, makes the gateway use nothing else.", filepath.Base(path), config.DefaultFile)
	case cfg.Lock == "":
		a.err.line("Put `lock: %s` into %s, so that the gateway uses nothing else.", filepath.Base(path), shortPath(cfg.Path))
	}
	return nil
}

func (a *app) showWithheld(now *boot.Offered) {
	for _, k := range now.Withheld() {
		var why []string
		for _, f := range now.Findings[k] {
			why = append(why, strings.TrimSpace(f.Rule+" "+f.Where+" "+f.Evidence))
		}
		a.err.line("%s %s %s is withheld: %s", a.err.yellow("!"), k.Upstream, strings.TrimSpace(k.Kind+" "+oneLine(k.Name)), oneLine(strings.Join(why, "; ")))
	}
}

func (a *app) checkLock(path string, now *boot.Offered, old *boot.Lock) error {
	drift := now.Drift(old)
	if a.json() {
		if drift == nil {
			drift = []durward.Definition{}
		}
		if err := printJSON(a.out, drift); err != nil {
			return err
		}
	} else {
		for i := range drift {
			if i == 0 || drift[i].Upstream != drift[i-1].Upstream {
				a.out.line("%s", a.out.bold(drift[i].Upstream))
			}
			a.showDefinition(&drift[i])
		}
	}
	switch {
	case len(now.Failed) > 0:
		return said{exitFailed}
	case len(drift) > 0:
		a.err.line("%s does not hold: %s. `durward lock` writes it anew; review the change.", shortPath(path), count(len(drift), "difference"))
		return said{exitRefused}
	}
	ups, defs := old.Len()
	a.err.line("%s holds: %s of %s.", shortPath(path), count(defs, "definition"), count(ups, "upstream"))
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
