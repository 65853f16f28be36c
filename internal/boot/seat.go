package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"durward/internal/admin"
	"durward/internal/edge/mcpedge"
	"durward/internal/edge/relay"
	"durward/internal/store"
)

// StdioClient is a client on standard input and output.
type StdioClient struct {
	Agent    string // to speak as
	Endpoint string // upstream that is asked for, "" for all
	Via      string // the gateways before it, from DURWARD_VIA
	In       io.Reader
	Out      io.Writer
}

// ServeStdio speaks with one client in this very process.
func (g *Gateway) ServeStdio(ctx context.Context, c StdioClient) error {
	return g.face.ServeStdio(ctx, c.In, c.Out, mcpedge.Local{Agent: c.Agent, Endpoint: c.Endpoint, Remote: "stdio", Via: c.Via})
}

// Seat is where a stdio client sits while gateways come and go (ADR 0023): it
// is served by the one that runs on the data folder, else by one that this
// process starts, for itself and whoever comes later. The lock of the database
// decides who that is.
type Seat struct {
	Data   string
	Client StdioClient
	// Start starts a gateway on the data folder in this process, with
	// [Options.Passing].
	Start func(context.Context) (*Gateway, error)
	// Drain is how long calls of others may go on when our gateway ends.
	Drain time.Duration
	First time.Duration // as of relay.Options
	Back  time.Duration // as of its Return
	Log   *slog.Logger

	mu     sync.Mutex // guards own
	own    *Gateway
	ending sync.WaitGroup // of own gateways that another one asked to leave
	sat    bool           // the client was served once
	grace  time.Duration  // for the last gateway to come back, before we start one
}

// graceTime is how long a gateway that somebody started on purpose is given to
// be there again: who took its folder meanwhile would keep it from starting.
const graceTime = 10 * time.Second

// quietTime is how long a client waits before the log says for what.
const quietTime = 3 * time.Second

// Serve serves the client until it leaves or ctx ends. The gateway that it
// started, if any, ends with it.
func (s *Seat) Serve(ctx context.Context) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	err := relay.Run(ctx, s.Client.In, s.Client.Out, relay.Options{Connect: s.connect, First: s.First, Return: s.Back, Log: s.Log})
	return errors.Join(err, s.leave(context.WithoutCancel(ctx)))
}

// connect finds a gateway, or makes one.
func (s *Seat) connect(ctx context.Context) (relay.Conn, error) {
	begun, wait, told := time.Now(), 10*time.Millisecond, false
	for {
		conn, err := s.join(ctx)
		if err == nil {
			return conn, nil
		}
		if !isNobody(err) {
			return nil, err
		}
		if time.Since(begun) >= s.grace && !admin.Claimed(s.Data) {
			if err = s.start(ctx); err == nil {
				conn, err = s.join(ctx)
				if err == nil || !isNobody(err) { // else it was asked to leave at once
					return conn, err
				}
			} else if !s.sat && !errors.Is(err, store.ErrLocked) { // else somebody was faster, or is not gone yet
				return nil, err
			}
		}
		if !told && time.Since(begun) > s.grace+quietTime {
			told = true
			s.Log.Warn("no gateway takes clients yet; waiting", "data", s.Data, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
			wait = min(2*wait, 250*time.Millisecond)
		}
	}
}

// ErrNoGateway says that a client has lost its gateway for good.
var ErrNoGateway = relay.ErrNoGateway

// isNobody tells whether nobody took the connection, or hung up on it before
// the first word: a gateway that is leaving does. EAGAIN is a queue that is full.
func isNobody(err error) bool {
	for _, why := range []error{fs.ErrNotExist, syscall.ECONNREFUSED, syscall.EAGAIN, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, why) {
			return true
		}
	}
	return false
}

// start starts a gateway in this process.
func (s *Seat) start(ctx context.Context) error {
	if err := s.leave(ctx); err != nil { // one of ours that nobody can join does not serve
		return err
	}
	g, err := s.Start(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.own = g
	s.mu.Unlock()
	s.ending.Go(func() {
		select {
		case <-g.Wanted():
		case <-g.Failed(): // or it was told to end, and then there is nothing to do
		}
		if err := s.end(context.WithoutCancel(ctx), g); err != nil {
			s.Log.Warn("the gateway that was started here did not end well", "err", err)
		}
	})
	return nil
}

// leave ends our own gateway.
func (s *Seat) leave(ctx context.Context) error {
	s.mu.Lock()
	g := s.own
	s.mu.Unlock()
	err := s.end(ctx, g)
	s.ending.Wait()
	return err
}

// end ends a gateway of ours, once.
func (s *Seat) end(ctx context.Context, g *Gateway) error {
	s.mu.Lock()
	mine := g != nil && s.own == g
	if mine {
		s.own = nil
	}
	s.mu.Unlock()
	if !mine {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Drain)
	defer cancel()
	return g.Shutdown(ctx)
}

// join connects with the running gateway of the data folder. It returns
// os.ErrNotExist or a refused connection when there is none. A process that the
// gateway itself started as an upstream is refused: its tools would be added to
// themselves.
func (s *Seat) join(ctx context.Context) (*net.UnixConn, error) {
	path := SocketPath(s.Data)
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("join the gateway of %s: %w", s.Data, err)
	}
	if err := onlyOurs(filepath.Dir(path)); err != nil { // else anybody may be listening there
		return nil, errors.Join(fmt.Errorf("join the gateway of %s: %w", s.Data, err), conn.Close())
	}
	run, err := admin.ReadRun(s.Data)
	if err == nil && run.Instance != "" && strings.Contains(s.Client.Via, run.Instance) {
		return nil, errors.Join(errors.New("the gateway that should serve this client started it as an upstream; remove that upstream"), conn.Close())
	}
	greeting, err := json.Marshal(hello{Agent: s.Client.Agent, Endpoint: s.Client.Endpoint, Via: s.Client.Via})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if _, err := conn.Write(append(greeting, '\n')); err != nil {
		return nil, errors.Join(fmt.Errorf("greet the gateway: %w", err), conn.Close())
	}
	s.sat, s.grace = true, graceTime
	if run.Passing {
		s.grace = 0
	}
	return conn.(*net.UnixConn), nil
}
