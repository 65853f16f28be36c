package upstream

import (
	"context"
	"sync"
	"time"

	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
)

// line is one conversation with an upstream and what was agreed on it.
type line struct {
	conn    link.Conn
	modern  bool
	shared  bool // messages of several calls mix on it: stdio, HTTP+SSE
	welcome link.Welcome
	opened  time.Time

	// as is whom our own requests on it come from; nil for us.
	as *link.Hello

	// exclusive tells that only one call may be in flight, since the server may
	// ask its client something and nobody could tell for which call.
	exclusive bool

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

// heardFrom is the rank of the level that the session was set to; -1 for none.
func (l *line) heardFrom() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

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
	_, _ = l.conn.Do(ctx, &link.Call{ID: s.set.nextID(), Method: mcpwire.MethodSetLevel, Params: mcpwire.Whole(params), Own: true, Peer: hermit{}})
}
