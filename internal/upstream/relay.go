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
	peer     *patience
	modern   bool   // the caller speaks 2026-07-28
	foreign  bool   // and the server an older revision
	crossing bool   // and nobody bridges between the two
	revision string // of the server
	profile  string // what the server was told of what the caller can do
	level    int    // least rank of log messages; -1 all, quiet none
	tasks    bool   // the server was told that tasks are understood, by us
	asker    string // who the client is told that asks; "" for nobody
	refused  atomic.Pointer[string]
}

// quiet is above every level.
const quiet = 100

// newRelay returns the relay of a call on a line.
func (s *server) newRelay(r *Request, l *line, declared string, p *patience) *relay {
	y := &relay{
		peer: p, asker: s.asker(), modern: r.Modern, crossing: r.Modern && !l.modern && !r.Answers, profile: declared,
		foreign: r.Modern && !l.modern, revision: l.welcome.Revision, level: mcpwire.LogRank(r.Client.LogLevel),
	}
	switch {
	case y.level >= 0:
	case r.Modern:
		y.level = quiet // nothing unless asked for (MCP 2026-07-28, logging)
	case l.heardFrom() >= 0:
		y.level = mcpwire.LogRank(logLevelUnsaid) // another call of the session asked for more
	}
	if l.modern && !r.Modern {
		y.profile = s.set.profiles.of(r.Revision, r.Client.Capabilities) // of which each call tells
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
	if method == mcpwire.NotifyElicitationComplete && y.foreign {
		return // 2026-07-28 has no such word: its clients look for themselves
	}
	y.peer.Notify(method, params)
}

// Ask implements durward.Peer. A request that would have to cross from one era
// to the other passes only when the peer bridges them.
func (y *relay) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	if y.crossing || !y.declares(method, params) {
		y.refused.Store(&method)
		y.peer.turnedDown.Store(true)
		return nil, durward.ErrCannotAsk
	}
	if !y.foreign {
		return y.put(ctx, method, params)
	}
	answer, err := y.put(ctx, method, mcpwire.ToModernQuestion(method, params))
	if err == nil {
		answer = mcpwire.ToLegacyAnswer(method, y.revision, answer)
	}
	return answer, err
}

// put puts a question to the caller.
func (y *relay) put(ctx context.Context, method string, params []byte) ([]byte, error) {
	if y.asker != "" {
		params = mcpwire.NameAsker(method, params, y.asker)
	}
	return y.peer.Ask(ctx, method, params)
}

// asker is the name by which a person learns who asks them; "" where there is
// one server only, that is to appear as if there were no gateway.
func (s *server) asker() string {
	if s.up.Prefix == "none" {
		return ""
	}
	return s.up.Name
}

// sign names the asker in a reply that asks the client to come back with answers.
func (s *server) sign(r *Request, reply durward.Reply) durward.Reply {
	name := s.asker()
	if name == "" {
		return reply
	}
	if reply.Error != nil {
		reply.Error = mcpwire.NameURLAskers(reply.Error, name)
	}
	if !r.Modern || reply.Result == nil {
		return reply
	}
	if _, able := mcpwire.Field(r.Client.Capabilities, "elicitation"); able && mcpwire.ResultType(reply.Result) == "input_required" {
		reply.Result = mcpwire.NameAskers(reply.Result, name)
	}
	return reply
}

// declares reports whether the server was promised that such requests are answered.
func (y *relay) declares(method string, params []byte) bool {
	caps := []byte(y.profile)
	switch method {
	case mcpwire.MethodElicit:
		elicitation, ok := mcpwire.Field(caps, "elicitation")
		_, url := mcpwire.Field(elicitation, "url")
		if mode, _ := mcpwire.FieldText(params, "mode"); mode == "url" {
			return url
		}
		_, form := mcpwire.Field(elicitation, "form")
		return ok && (form || !url) // an empty object means forms
	case mcpwire.MethodSample:
		sampling, ok := mcpwire.Field(caps, "sampling")
		if _, tools := mcpwire.Field(params, "tools"); !tools {
			return ok
		}
		_, tools := mcpwire.Field(sampling, "tools")
		return tools
	case mcpwire.MethodRoots:
		_, ok := mcpwire.Field(caps, "roots")
		return ok
	}
	return false
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
