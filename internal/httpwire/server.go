package httpwire

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
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
	engine *http.Server // for all that the front leaves to it
	front  *front
	end    context.CancelFunc // cancels the context of every request

	mu       sync.Mutex // guards what follows
	listener net.Listener
	stopped  bool

	open atomic.Int64 // connections
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
	s.front = newFront(s, h, base)
	return s
}

// Serve answers on l until Shutdown, and then returns nil. It closes l. It is
// called once.
func (s *Server) Serve(l net.Listener) error {
	if !s.listen(l) {
		return l.Close()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.engine.Serve(s.front.odd) // until Shutdown closes the engine
	}()
	err := s.front.accept(l)
	if s.quitting() {
		<-ended
		return nil
	}
	_ = s.front.odd.Close() // ends the engine, for want of connections
	<-ended
	return errors.Join(err, l.Close())
}

// listen notes what Shutdown shall close; false when that was before.
func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = l
	return !s.stopped
}

// quitting reports whether Shutdown was called.
func (s *Server) quitting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// quit stops listening.
func (s *Server) quit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.listener != nil {
		_ = s.listener.Close() // what it would say, Serve has heard
	}
}

// Shutdown stops listening and waits for the requests under way. When ctx ends
// first it cancels them, closes their connections and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.end()
	s.quit()
	err := errors.Join(s.front.shutdown(ctx), s.engine.Shutdown(ctx))
	if err == nil {
		return nil
	}
	s.end()
	s.front.cut()
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
		if !s.enter() {
			s.turnAway(c)
		}
	case http.StateClosed, http.StateHijacked:
		s.leave()
	}
}

// enter counts a connection, and reports whether it is within the bound.
func (s *Server) enter() bool { return s.open.Add(1) <= int64(s.opts.Conns) }

func (s *Server) leave() { s.open.Add(-1) }

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
