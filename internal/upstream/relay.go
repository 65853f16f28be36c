package upstream

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"sync/atomic"
)

// relay stands between a server and the caller while a call runs: it lets
// through what the caller asked for and can answer.
type relay struct {
	peer     durward.Peer
	modern   bool   // the caller speaks 2026-07-28
	crossing bool   // the server speaks the other era, and nobody bridges
	profile  string // what the session declared of the caller
	level    int    // least rank of log messages; -1 all, quiet none
	refused  atomic.Pointer[string]
}

// quiet is above every level.
const quiet = 100

// newRelay returns the relay of a call on a line; nil when nobody listens.
func newRelay(r *Request, l *line, profile string, p durward.Peer) *relay {
	y := &relay{peer: p, modern: r.Modern, crossing: r.Modern != l.modern && !r.Answers, profile: profile, level: mcpwire.LogRank(r.Client.LogLevel)}
	if y.level < 0 && r.Modern {
		y.level = quiet // nothing unless asked for (MCP 2026-07-28, logging)
	}
	return y
}

// Notify implements durward.Peer.
func (y *relay) Notify(method string, params []byte) {
	if method == mcpwire.NotifyMessage && y.level >= 0 {
		level, _ := mcpwire.FieldText(params, "level")
		if mcpwire.LogRank(level) < y.level {
			return
		}
	}
	if y.peer != nil {
		y.peer.Notify(method, params)
	}
}

// Ask implements durward.Peer. A request that would have to cross from one era
// to the other passes only when the peer bridges them.
func (y *relay) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	if y.peer == nil || y.crossing || !y.declares(method, params) {
		y.refused.Store(&method)
		return nil, durward.ErrCannotAsk
	}
	return y.peer.Ask(ctx, method, params)
}

// declares reports whether the session promised that such requests are answered.
func (y *relay) declares(method string, params []byte) bool {
	caps := []byte(y.profile)
	var name string
	switch method {
	case mcpwire.MethodElicit:
		name = "elicitation"
	case mcpwire.MethodSample:
		name = "sampling"
	case mcpwire.MethodRoots:
		name = "roots"
	default:
		return false
	}
	v, ok := mcpwire.Field(caps, name)
	if !ok || method != mcpwire.MethodElicit {
		return ok
	}
	if mode, _ := mcpwire.FieldText(params, "mode"); mode == "url" {
		_, ok = mcpwire.Field(v, "url")
	}
	return ok
}

// asks names what a server asked for in words.
func asks(method string) string {
	switch method {
	case mcpwire.MethodElicit:
		return "input of the user (elicitation)"
	case mcpwire.MethodSample:
		return "the client's model (sampling)"
	case mcpwire.MethodRoots:
		return "the client's roots"
	}
	return "something of the client"
}

// hermit is the peer of our own calls: it hears nothing and has no roots.
type hermit struct{}

// Notify implements durward.Peer.
func (hermit) Notify(string, []byte) {}

// Ask implements durward.Peer.
func (hermit) Ask(_ context.Context, method string, _ []byte) ([]byte, error) {
	if result := noRoots(method); result != nil {
		return result, nil
	}
	return nil, durward.ErrCannotAsk
}

func noRoots(method string) []byte {
	if method == mcpwire.MethodRoots {
		return []byte(`{"roots":[]}`)
	}
	return nil
}
