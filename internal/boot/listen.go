package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"durward/internal/admin"
	"durward/internal/edge"
	"durward/internal/httpwire"
)

// listen opens the listeners, and leaves word in the data folder of where
// they are. Addresses are bound before anything is served, so that a port in
// use is told of at once.
func (g *Gateway) listen(ctx context.Context) error {
	data, err := bind(ctx, "listen", g.cfg.Listen)
	if err != nil {
		return err
	}
	adm, err := bind(ctx, "admin.listen", g.cfg.AdminListen)
	if err != nil {
		return errors.Join(err, data.Close())
	}
	g.dataURL, g.adminURL = urlOf(data), urlOf(adm)
	run := admin.Run{
		URL: g.adminURL, Token: g.token, Agents: g.dataURL, PID: os.Getpid(), Instance: g.instance,
		Data: g.cfg.Data, Version: g.opts.Version, Started: time.Now().UTC(), Passing: g.opts.Passing,
	}
	local, err := g.announce(run)
	if err != nil {
		return errors.Join(err, data.Close(), adm.Close())
	}
	g.serveData(data, local)
	g.serveAdmin(adm, run)
	return nil
}

// announce leaves word, and then opens the socket: who finds that reads there
// whom it reached.
func (g *Gateway) announce(run admin.Run) (*localSocket, error) {
	if err := admin.WriteRun(g.cfg.Data, run); err != nil {
		return nil, err
	}
	local, err := listenLocal(SocketPath(g.cfg.Data), g.face, g.gives(), g.opts.Log)
	if err != nil {
		return nil, err
	}
	return local, nil
}

func bind(ctx context.Context, key, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w; choose another address in durward.yaml or with --%s", key, address, err, flagOf(key))
	}
	return l, nil
}

func flagOf(key string) string {
	if key == "listen" {
		return "listen"
	}
	return "admin-listen"
}

// serveData serves agents over HTTP. They and those on the local socket are
// drained side by side: both have the same time.
func (g *Gateway) serveData(l net.Listener, local *localSocket) {
	lim := g.cfg.Limits
	s := edge.New(edge.Options{
		Names: g.cfg.AllowedHosts, Origins: g.cfg.AllowedOrigins, Anonymous: g.pipeline.Anonymous, Instance: g.instance, Log: g.opts.Log,
		Body: httpwire.BodyOptions{Limit: lim.Body, Timeout: lim.BodyTimeout},
		HTTP: httpwire.ServerOptions{HeaderTimeout: lim.HeaderTimeout, IdleTimeout: lim.IdleTimeout, HeaderBytes: int(lim.Headers), Log: g.opts.Log},
	}, g.face)
	g.jobs.Go(func() error { return unlessClosed(s.Serve(l)) })
	g.onStop(func(ctx context.Context) error {
		closed := make(chan error, 1)
		go func() { closed <- local.close(ctx) }()
		return errors.Join(s.Shutdown(ctx), <-closed)
	})
}

func (g *Gateway) serveAdmin(l net.Listener, run admin.Run) {
	s := httpwire.NewServer(admin.Handler(admin.Options{
		Control: g.control, Audit: g.keeping.do, Token: run.Token, Names: g.cfg.AllowedHosts, Log: g.opts.Log,
		Config: func() ([]byte, error) { return g.applied.Load().Print() }, Checks: g.checks, Test: g.test, Inspect: g.upstreams.Inspect, Returned: g.desk.Returned,
		Explain: g.explain, Guard: g.pipeline, Limits: g.limits, ResetLimit: g.resetLimit, Overlooked: g.face.Overlooked,
		Status: func(context.Context) admin.Status { return g.status(run) },
	}), httpwire.ServerOptions{Log: g.opts.Log})
	g.jobs.Go(func() error { return unlessClosed(s.Serve(l)) })
	g.onStop(s.Shutdown)
}

func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// checks are the conditions of being ready.
func (g *Gateway) checks(context.Context) []admin.Check {
	record := admin.Check{Name: "record", State: admin.CheckOK}
	if err := g.records.Ready(); err != nil {
		record.State, record.Text = admin.CheckFail, "calls are refused: "+reasonOf(err)
	}
	conf := admin.Check{Name: "configuration", State: admin.CheckOK}
	if s := g.keeper.Status(); s.FileError != "" || s.StateError != "" {
		conf.State, conf.Text = admin.CheckWarn, "the newest configuration is not in use; the one before it is"
	}
	room := admin.Check{Name: "memory", State: admin.CheckOK}
	if g.memory.pressed.Load() {
		room.State, room.Text = admin.CheckWarn, "memory is short; new calls are refused until there is room"
	}
	return append([]admin.Check{record, conf, room}, g.keeping.checks()...)
}

func (g *Gateway) status(run admin.Run) admin.Status {
	k := g.keeper.Status()
	s := admin.Status{
		Version: run.Version, PID: run.PID, Started: run.Started, Listen: run.Agents, Data: run.Data,
		Revision: g.pipeline.Revision(), Config: g.cfg.Path, ConfigError: k.FileError, StateError: k.StateError,
		Edge: g.face.Counts(), Sessions: g.pipeline.OpenSessions(),
	}
	for _, c := range k.Clashes {
		s.Warnings = append(s.Warnings, c.String())
	}
	for _, w := range g.applied.Load().Warnings {
		s.Warnings = append(s.Warnings, w.String())
	}
	return s
}
