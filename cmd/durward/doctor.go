package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"durward/internal/admin"
	"durward/internal/config"
)

func doctorCommand(a *app) *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything, and say what to do about what is wrong",
		Long: "Checks the configuration, the data folder, the gateway that runs on it, its listeners, keys and upstreams.\n" +
			"With --url (and --key) it checks what a client on any machine needs instead.",
		Example: "  durward doctor\n  durward doctor --url https://gateway.example/mcp --key dwk_...",
		GroupID: groupRun,
		Args:    args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 90*time.Second)
			defer cancel()
			d := &doctor{app: a}
			if f.url != "" {
				d.client(ctx, f.url, a.givenKey(f))
			} else {
				d.local(ctx, f)
			}
			return d.done()
		},
	}
	f.add(c, a)
	return c
}

// The states of a finding.
const (
	fine  = "ok"
	warns = "warn"
	fails = "fail"
)

// finding is one thing that was looked at.
type finding struct {
	Check string `json:"check"`
	State string `json:"state"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"`
}

// doctor gathers findings and shows each as it comes.
type doctor struct {
	*app
	found []finding
}

func (d *doctor) say(state, check, do, format string, args ...any) {
	f := finding{Check: check, State: state, Text: oneLine(fmt.Sprintf(format, args...)), Do: do}
	d.found = append(d.found, f)
	if d.json() {
		return
	}
	mark := map[string]string{fine: d.out.green("✓"), warns: d.out.yellow("!"), fails: d.out.red("✗")}[state]
	d.out.line("%s %-13s  %s", mark, f.Check, f.Text)
	if f.Do != "" {
		d.out.line("  %13s  %s", "", d.out.dim("→ "+f.Do))
	}
}

// done ends the visit: exit code 1 when something does not work.
func (d *doctor) done() error {
	bad, doubts := 0, 0
	for _, f := range d.found {
		switch f.State {
		case fails:
			bad++
		case warns:
			doubts++
		}
	}
	if d.json() {
		if err := printJSON(d.out, d.found); err != nil {
			return err
		}
	} else if bad+doubts == 0 {
		d.out.line("%s", d.out.dim("Nothing is wrong."))
	}
	if bad > 0 {
		return said{exitFailed}
	}
	return nil
}

// local looks at this machine, from the file to the upstreams.
func (d *doctor) local(ctx context.Context, f agentFlags) {
	data := d.configuration()
	if data == "" || !d.folder(data) {
		return
	}
	c, run, err := admin.Connect(ctx, data)
	switch {
	case errors.Is(err, admin.ErrNotRunning):
		d.say(fails, "gateway", "start it: durward up, or durward serve -c durward.yaml", "no gateway runs on %s", data)
		return
	case err != nil:
		d.say(fails, "gateway", "its log says why it does not answer; restart it", "%v", err)
		return
	}
	defer c.Close()
	d.gatewayState(ctx, c, run)
	d.listener(ctx, run)
	d.upstreams(ctx, c)
	d.agents(ctx, c)
	d.key(ctx, run, f)
}

// configuration looks at the file and returns the data folder that it is
// about; "" when that is not known.
func (d *doctor) configuration() string {
	cfg, err := d.settings(listenFlags{})
	var problems config.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			d.problem(fails, p)
		}
		return d.data
	case err != nil:
		d.say(fails, "configuration", "", "%v", err)
		return d.data
	}
	for _, w := range cfg.Warnings {
		d.problem(warns, w)
	}
	if cfg.Path == "" {
		d.say(fine, "configuration", "", "no durward.yaml here: the defaults, and what was added by command")
	} else {
		d.say(fine, "configuration", "", "%s", cfg.Path)
	}
	return cfg.Data
}

func (d *doctor) problem(state string, p config.Problem) {
	do := p.Hint
	p.Hint = ""
	d.say(state, "configuration", do, "%s", p)
}

// folder looks at the data folder and at who may read what is in it.
func (d *doctor) folder(data string) bool {
	info, err := os.Stat(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.say(fails, "data folder", "durward up makes it; --data names another", "%s does not exist", data)
		return false
	case err != nil:
		d.say(fails, "data folder", "it must belong to the user who runs the gateway", "%v", err)
		return false
	case !info.IsDir():
		d.say(fails, "data folder", "--data must name a folder", "%s is not a folder", data)
		return false
	}
	if isOpen(data) {
		d.say(fails, "data folder", "chmod 700 "+data, "other users of this machine may look into %s", data)
		return true
	}
	for _, name := range []string{"durward.db", "run.json", "admin.key", "agents", "audit.key", "subjects", sealKeyName} {
		if path := filepath.Join(data, name); isOpen(path) {
			d.say(warns, "data folder", "chmod go-rwx "+path, "%s is closed to others only by its folder", path)
		}
	}
	if probe, err := os.CreateTemp(data, ".doctor-"); err != nil {
		d.say(fails, "data folder", "check its owner and the free space", "nothing can be written: %v", err)
	} else {
		_ = errors.Join(probe.Close(), os.Remove(probe.Name())) // it was only to see
		d.say(fine, "data folder", "", "%s, closed to others", data)
	}
	d.sealKey(data)
	return true
}

// sealKeyName is the file in the data folder that seals its database.
const sealKeyName = "seal.key"

// sealKey tells where the key of the database is.
func (d *doctor) sealKey(data string) {
	if _, err := os.Stat(filepath.Join(data, "durward.db")); err != nil {
		return // nothing is sealed yet
	}
	if _, err := os.Stat(filepath.Join(data, sealKeyName)); err != nil {
		d.say(fine, "seal key", "", "not in the data folder: a copy of the folder opens no secret of an upstream")
		return
	}
	d.say(fine, "seal key", "to keep it elsewhere give a secret of your own: DURWARD_SEAL_KEY, or seal_key: ${file:PATH} in durward.yaml",
		"%s, beside the database that it seals: a copy of the whole folder opens it", filepath.Join(data, sealKeyName))
}

// isOpen reports whether the permissions of a file let others in.
func isOpen(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o077 != 0
}

func (d *doctor) gatewayState(ctx context.Context, c *admin.Client, run admin.Run) {
	s, err := c.Status(ctx)
	if err != nil {
		d.say(fails, "gateway", "", "%v", plainly(err))
		return
	}
	d.say(fine, "gateway", "", "version %s runs since %s (process %d), state %d", s.Version, run.Started.Local().Format(time.DateTime), run.PID, s.Revision)
	if s.ConfigError != "" {
		d.say(fails, "reload", "mend the file: durward serve --check; the one before it is still in use", "the configuration on disk is not in use: %s", s.ConfigError)
	}
	if s.StateError != "" {
		d.say(fails, "reload", "the log says more", "the newest state is not in use: %s", s.StateError)
	}
	for _, w := range s.Warnings {
		d.say(warns, "gateway", "", "%s", w)
	}
	for _, check := range s.Checks {
		if check.State != admin.CheckOK {
			d.say(check.State, check.Name, "", "%s", check.Text)
		}
	}
}

func (d *doctor) agents(ctx context.Context, c *admin.Client) {
	all, err := c.Agents(ctx)
	if err != nil {
		d.say(fails, "agents", "", "%v", plainly(err))
		return
	}
	if len(all) == 0 {
		d.say(warns, "agents", "durward agent create NAME --role ROLE", "there is no agent, so nobody can call")
		return
	}
	good := 0
	for _, v := range all {
		for _, rule := range slices.Sorted(maps.Keys(v.Overlooked)) {
			d.say(warns, "clients", "its client should be mended; durward audit tail shows the calls", "%s of %s was overlooked %d times since the start", rule, v.Name, v.Overlooked[rule])
		}
		if d.agentIsFine(v) {
			good++
		}
	}
	d.say(fine, "agents", "", "%d of %d can call", good, len(all))
}

// agentIsFine says what keeps an agent from calling, or soon will.
func (d *doctor) agentIsFine(v admin.Agent) bool {
	live := v.Anonymous
	var last time.Time
	for _, k := range v.Keys {
		switch {
		case k.State == "live":
			live, last = true, time.Time{}
		case k.State == "expiring" && (!live || k.Expires.After(last) && !last.IsZero()):
			live, last = true, k.Expires
		}
	}
	switch {
	case v.Disabled: // somebody meant it
		return false
	case !live:
		d.say(warns, "agents", "durward agent rotate "+v.Name, "%s has no key that works", v.Name)
		return false
	case len(v.Roles) == 0:
		d.say(warns, "agents", "durward agent roles "+v.Name+" ROLE", "%s has no role, so it may call nothing", v.Name)
		return false
	case !last.IsZero() && time.Until(last) < 7*24*time.Hour:
		d.say(warns, "agents", "durward agent rotate "+v.Name, "the last key of %s ends %s", v.Name, last.Local().Format(time.DateTime))
	}
	return true
}

// upstreams reaches them all at the same time.
func (d *doctor) upstreams(ctx context.Context, c *admin.Client) {
	all, err := c.Upstreams(ctx)
	if err != nil {
		d.say(fails, "upstreams", "", "%v", plainly(err))
		return
	}
	if len(all) == 0 {
		d.say(warns, "upstreams", "durward upstream add, or durward up --import FILE", "there is none, so there is nothing to call")
	}
	tested := make([]admin.UpstreamTest, len(all))
	var wg sync.WaitGroup
	p := d.progress("reaching " + count(len(all), "upstream"))
	for i, u := range all {
		if u.Disabled {
			continue
		}
		wg.Go(func() {
			t, err := c.TestUpstream(ctx, u.Name)
			if err != nil {
				t.Status.Error = plainly(err).Error()
			}
			tested[i] = t
		})
	}
	wg.Wait()
	p.stop()
	for i, u := range all {
		d.upstream(u, tested[i])
	}
}

func (d *doctor) upstream(u admin.Upstream, t admin.UpstreamTest) {
	switch {
	case u.Disabled:
		d.say(fine, "upstream", "", "%s is disabled", u.Name)
	case t.Status.Error == "":
		d.say(fine, "upstream", "", "%s answers with %s, revision %s", u.Name, count(len(t.Tools), "tool"), t.Status.Version)
	case u.Command != "":
		d.say(fails, "upstream", "run its command by hand to see what it says; the gateway's log has its error output", "%s: %s", u.Name, t.Status.Error)
	default:
		d.say(fails, "upstream", "check its address, and its credentials in headers", "%s: %s", u.Name, t.Status.Error)
	}
}
