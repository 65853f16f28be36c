package upstream

import (
	"context"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"sync"
	"sync/atomic"
	"time"
)

// line is one conversation with an upstream and what was agreed on it.
type line struct {
	conn    link.Conn
	modern  bool
	shared  bool // messages of several calls mix on it: stdio, HTTP+SSE
	welcome link.Welcome
	opened  time.Time

	// turn is held by the only call that may be in flight while the server may
	// ask its client something; nil where calls may run side by side.
	turn    chan struct{}
	waiting atomic.Int32

	mu    sync.Mutex // guards level
	level int        // rank of the log level that was set; -1 for none
}

func newLine(conn link.Conn, w link.Welcome, modern bool) *line {
	return &line{conn: conn, welcome: w, modern: modern, opened: time.Now(), level: -1}
}

func (l *line) dead() bool {
	select {
	case <-l.conn.Done():
		return true
	default:
		return false
	}
}

// take waits for the turn where there is one. release is to be called, also
// after an error.
func (l *line) take(ctx context.Context, s *server) (release func(), err error) {
	if l.turn == nil {
		return nothing, nil
	}
	if int(l.waiting.Add(1)) > s.set.o.Waiting {
		l.waiting.Add(-1)
		return nothing, s.overloaded("has too many calls waiting for one session.")
	}
	defer l.waiting.Add(-1)
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn }, nil
	case <-l.conn.Done():
		return nothing, l.conn.Err()
	case <-ctx.Done():
		return nothing, ctx.Err()
	}
}

func nothing() {}

// hearFrom makes the session send log messages from a level on, if it sends
// fewer now. Sessions of older revisions have one level for all their calls.
func (l *line) hearFrom(ctx context.Context, s *server, level string) {
	rank := mcpwire.LogRank(level)
	if rank < 0 || l.modern {
		return
	}
	if _, ok := mcpwire.Field(l.welcome.Capabilities, "logging"); !ok {
		return
	}
	l.mu.Lock()
	enough := l.level >= 0 && l.level <= rank
	if !enough {
		l.level = rank
	}
	l.mu.Unlock()
	if enough {
		return
	}
	params := append(mcpwire.AppendQuote([]byte(`{"level":`), level), '}')
	_, _ = l.conn.Do(ctx, &link.Call{ID: s.set.nextID(), Method: mcpwire.MethodSetLevel, Params: params, Own: true, Peer: hermit{}})
}
