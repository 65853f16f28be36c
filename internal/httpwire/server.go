package httpwire

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// ServerOptions bound a Server; zero values take the defaults.
type ServerOptions struct {
	HeaderTimeout time.Duration // to receive a whole header; default 10 s
	IdleTimeout   time.Duration // between two requests on a connection; default 2 min
	WriteTimeout  time.Duration // for one write, not for a whole stream; default 30 s
	HeaderBytes   int           // default 64 KiB
	Conns         int           // connections at a time; default 16,384
	// Log hears what the engine complains about; nil is silent.
	Log *slog.Logger
}

func (o ServerOptions) withDefaults() ServerOptions {
	if o.HeaderTimeout == 0 {
		o.HeaderTimeout = 10 * time.Second
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 2 * time.Minute
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if o.HeaderBytes == 0 {
		o.HeaderBytes = 64 << 10
	}
	if o.Conns == 0 {
		o.Conns = 16_384
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server serves HTTP/1.1 within strict limits. Make one with [NewServer].
type Server struct {
	opts   ServerOptions
	engine *http.Server
	end    context.CancelFunc // cancels the context of every request
	open   atomic.Int64       // connections
}

// NewServer returns a server of h; nothing listens before Serve.
func NewServer(h http.Handler, o ServerOptions) *Server {
	s := &Server{opts: o.withDefaults()}
	base, end := context.WithCancel(context.Background())
	s.end = end
	s.engine = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.opts.HeaderTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		// Set anew by each write of an Exchange, so it bounds no stream.
		WriteTimeout:   s.opts.WriteTimeout,
		MaxHeaderBytes: s.opts.HeaderBytes,
		ConnState:      s.connState,
		BaseContext:    func(net.Listener) context.Context { return base },
		ErrorLog:       log.New(complaints{s.opts.Log}, "", 0),
	}
	return s
}

// Serve answers on l until Shutdown, and then returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	err := s.engine.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops listening and waits for the requests under way. When ctx ends
// first it cancels them, closes their connections and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.end()
	err := s.engine.Shutdown(ctx)
	if err == nil {
		return nil
	}
	s.end()
	if closing := s.engine.Close(); closing != nil {
		s.opts.Log.Debug("close the connections", "err", closing)
	}
	return err
}

// Conns returns how many connections are open.
func (s *Server) Conns() int { return int(s.open.Load()) }

// busy is what a connection over the bound gets.
const busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// connState counts connections and turns away those over the bound.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if s.open.Add(1) > int64(s.opts.Conns) {
			s.turnAway(c)
		}
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
	}
}

func (s *Server) turnAway(c net.Conn) {
	s.opts.Log.Warn("connection turned away", "open", s.opts.Conns)
	if _, secret := c.(*tls.Conn); !secret { // a handshake is more than it is worth
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write([]byte(busy)) // a courtesy; the close says the same
	}
	_ = c.Close()
}

// complaints makes the engine's log lines, which are about single clients,
// debug lines of ours.
type complaints struct{ log *slog.Logger }

func (c complaints) Write(line []byte) (int, error) {
	c.log.Debug("http engine", "says", string(line))
	return len(line), nil
}
