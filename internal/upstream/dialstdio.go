package upstream

import (
	"context"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/stdio"
	"fmt"
	"maps"
	"sync"
	"time"
)

// dialStdio starts a process and finds out how it speaks. Some older servers
// die of a first message that they do not know: such a one is started once
// more and addressed in its own way.
func (s *server) dialStdio(ctx context.Context, w *wish, e era) (*line, error) {
	conn, err := s.spawn(w)
	if err != nil {
		return nil, err
	}
	var l *line
	switch e {
	case eraLegacy:
		l, err = s.greet(ctx, conn, w)
	case eraModern:
		l, err = s.modernOn(ctx, conn, w)
	default:
		l, e, err = s.sound(ctx, conn, w)
	}
	if err == nil {
		s.era.set(e)
		return l, nil
	}
	died := conn.Err() != nil || isBroken(err)
	conn.Close(ctx)
	if e == eraUnknown && died && ctx.Err() == nil {
		return s.again(ctx, w, eraLegacy, err)
	}
	return nil, err
}

func isBroken(err error) bool {
	kind, ok := link.KindOf(err)
	return ok && kind == link.Broken
}

func (s *server) again(ctx context.Context, w *wish, e era, before error) (*line, error) {
	s.log.Info("upstream did not survive the question for its era; starting it again", "err", before)
	l, err := s.dialStdio(ctx, w, e)
	if err != nil && err.Error() != before.Error() {
		return nil, fmt.Errorf("%w (and when asked for its era: %w)", err, before)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (s *server) spawn(w *wish) (*stdio.Conn, error) {
	return s.set.guard.Connect(stdio.Command{
		Path: s.up.Command, Args: s.up.Args, Env: s.environment(), Dir: s.up.Dir, Log: s.log,
	}, link.MuxOptions{
		Event: w.event, Orphan: w.orphan, Counters: &s.counters, Limits: s.set.o.Limits, Log: s.log,
	})
}

// environment is what is declared, and which gateway starts the process: one
// that is a way back to it can say so.
func (s *server) environment() map[string]string {
	if s.set.o.Instance == "" {
		return s.up.Env
	}
	env := map[string]string{"DURWARD_VIA": s.set.o.Instance}
	maps.Copy(env, s.up.Env)
	return env
}

// greet performs the older handshake.
func (s *server) greet(ctx context.Context, conn *stdio.Conn, w *wish) (*line, error) {
	welcome, err := link.Initialize(ctx, conn, s.set.nextID(), s.hello(w))
	if err != nil {
		return nil, err
	}
	return s.initialized(ctx, conn, welcome)
}

func (s *server) initialized(ctx context.Context, conn *stdio.Conn, welcome link.Welcome) (*line, error) {
	if err := conn.Notify(ctx, mcpwire.NotifyInitialized, nil); err != nil {
		return nil, &link.Fault{Kind: link.Broken, Err: err}
	}
	l := newLine(conn, welcome, false)
	l.shared = true
	return l, nil
}

func (s *server) modernOn(ctx context.Context, conn *stdio.Conn, w *wish) (*line, error) {
	welcome, err := s.discover(ctx, conn, w)
	if err != nil {
		return nil, err
	}
	l := newLine(conn, welcome, true)
	l.shared = true
	return l, nil
}

type hearing struct {
	welcome link.Welcome
	err     error
}

// sound asks a process of unknown era. Older servers may stay silent, and a
// slow start looks the same: after a while the older question is asked too,
// and the first good answer counts.
func (s *server) sound(ctx context.Context, conn *stdio.Conn, w *wish) (*line, era, error) {
	var asking sync.WaitGroup
	defer asking.Wait()
	asked := false
	questions, cancel := context.WithCancel(ctx)
	defer cancel()
	discovered, initialized := make(chan hearing, 1), make(chan hearing, 1)
	asking.Go(func() {
		welcome, err := s.discover(questions, conn, w)
		discovered <- hearing{welcome, err}
	})
	patience := time.NewTimer(s.set.o.Patience)
	defer patience.Stop()
	initialize := func() {
		if asked {
			return
		}
		asked = true
		asking.Go(func() {
			welcome, err := link.Initialize(questions, conn, s.set.nextID(), s.hello(w))
			initialized <- hearing{welcome, err}
		})
	}
	for {
		select {
		case h := <-discovered:
			if h.err == nil && asked { // it has been told two things
				return s.afresh(ctx, conn, w)
			}
			if h.err == nil {
				l := newLine(conn, h.welcome, true)
				l.shared = true
				return l, eraModern, nil
			}
			if !isWrongEra(h.err) {
				return nil, eraUnknown, h.err
			}
			initialize()
		case <-patience.C:
			initialize()
		case h := <-initialized:
			if h.err != nil {
				return nil, eraUnknown, h.err
			}
			l, err := s.initialized(ctx, conn, h.welcome)
			return l, eraLegacy, err
		}
	}
}

// afresh starts the process again, now that it is known to be modern.
func (s *server) afresh(ctx context.Context, conn *stdio.Conn, w *wish) (*line, era, error) {
	conn.Close(ctx)
	l, err := s.dialStdio(ctx, w, eraModern)
	return l, eraModern, err
}
