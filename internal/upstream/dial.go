package upstream

import (
	"context"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
	"errors"
	"fmt"
)

// wish is what a conversation is wanted for.
type wish struct {
	caps     []byte // what to declare
	revision string // the newest to ask for in an older era
	stream   bool   // the server may speak outside of calls
	asks     bool   // and ask the client there
	event    func(method string, params []byte)
	orphan   func(method string) []byte
	info     []byte // of who we say we are; nil for what we are
}

func (s *server) hello(w *wish) link.Hello {
	info := w.info
	if info == nil {
		info = s.set.info
	}
	return link.Hello{Revision: w.revision, Capabilities: w.caps, Info: info}
}

// dial opens a conversation in the era that the upstream speaks, which it
// finds out when it is not known. What was remembered wrongly is forgotten.
func (s *server) dial(ctx context.Context, w *wish) (*line, error) {
	if s.mistake != nil {
		return nil, s.unavailable("is declared wrongly.", s.mistake)
	}
	known := s.era.now()
	l, err := s.dialAs(ctx, w, s.pinned(known))
	if err != nil && known != eraUnknown && s.pinned(eraUnknown) == eraUnknown && assumedWrong(err) {
		s.log.Info("upstream speaks another era than remembered", "era", known, "err", err)
		s.forget(known)
		l, err = s.dialAs(ctx, w, s.era.now())
	}
	if err != nil {
		return nil, err
	}
	s.met(l.welcome)
	return l, nil
}

// pinned is the era that the operator fixed, else what was found.
func (s *server) pinned(found era) era {
	switch {
	case s.up.Transport == "sse":
		return eraSSE
	case s.up.Era == "modern":
		return eraModern
	case s.up.Era == "legacy" && found != eraSSE:
		return eraLegacy
	case s.up.Transport == "http" && found == eraSSE:
		return eraUnknown
	}
	return found
}

// assumedWrong reports whether a failure may come from a wrong assumption.
func assumedWrong(err error) bool {
	kind, ok := link.KindOf(err)
	return ok && (kind == link.WrongEra || kind == link.Garbled || kind == link.TimedOut)
}

func isWrongEra(err error) bool {
	kind, ok := link.KindOf(err)
	return ok && kind == link.WrongEra
}

// forget forgets an era that turned out wrong.
func (s *server) forget(wrong era) {
	if wrong == eraModern {
		s.modern.Store(nil)
	}
	s.era.forget(wrong)
}

// eraOf is the era that a line was opened in.
func (s *server) eraOf(l *line) era {
	switch {
	case l.modern:
		return eraModern
	case l.shared && !s.isStdio():
		return eraSSE
	}
	return eraLegacy
}

func (s *server) dialAs(ctx context.Context, w *wish, e era) (*line, error) {
	if s.isStdio() {
		return s.dialStdio(ctx, w, e)
	}
	var l *line
	var err error
	switch e {
	case eraModern:
		l, err = s.dialModern(ctx, w)
	case eraLegacy:
		l, err = s.dialLegacy(ctx, w)
		if isWrongEra(err) && s.up.Era == "legacy" && s.up.Transport == "" {
			l, e, err = s.orSSE(ctx, w, err)
		}
	case eraSSE:
		l, err = s.dialSSE(ctx, w)
	default:
		l, e, err = s.probe(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	s.era.set(e)
	if e == eraModern {
		s.modern.Store(l)
	}
	return l, nil
}

// probe finds out what an HTTP upstream speaks: it asks as a modern client,
// takes anything that is no modern answer for an older server, and at last
// looks for a stream of 2024-11-05. Refused credentials and failures of the
// server tell nothing of its era.
func (s *server) probe(ctx context.Context, w *wish) (*line, era, error) {
	l, err := s.dialModern(ctx, w)
	if err == nil {
		return l, eraModern, nil
	}
	if !isWrongEra(err) {
		return nil, eraUnknown, err
	}
	l, err = s.dialLegacy(ctx, w)
	if err == nil {
		return l, eraLegacy, nil
	}
	if !isWrongEra(err) || s.up.Transport != "" {
		return nil, eraUnknown, err
	}
	return s.orSSE(ctx, w, err)
}

func (s *server) orSSE(ctx context.Context, w *wish, before error) (*line, era, error) {
	l, err := s.dialSSE(ctx, w)
	if err != nil {
		return nil, eraUnknown, fmt.Errorf("%w (and as HTTP+SSE: %w)", before, err)
	}
	return l, eraSSE, nil
}

// dialModern asks a modern server what it is. One that restarts in the middle
// of it is asked once more, as in a handshake: it has no effect.
func (s *server) dialModern(ctx context.Context, w *wish) (*line, error) {
	conn := mcphttp.NewModern(s.endpoint, w.event)
	welcome, err := s.discover(ctx, conn, w)
	if link.CutOff(err) && ctx.Err() == nil {
		welcome, err = s.discover(ctx, conn, w)
	}
	if err != nil {
		return nil, err
	}
	return newLine(conn, welcome, true), nil
}

// discover tells a modern server from others. A server that the operator
// pinned as modern need not know the method.
func (s *server) discover(ctx context.Context, conn link.Conn, w *wish) (link.Welcome, error) {
	h := s.hello(w)
	welcome, err := link.Discover(ctx, conn, s.set.nextID(), h)
	var f *link.Fault
	if errors.As(err, &f) && f.RPC != nil && f.RPC.Code == mcpwire.CodeUnsupportedVersion && names(f.RPC.Data, isOurs) {
		// Ours is among what the server offers in place of ours: it is asked
		// again with what it chose (MCP 2026-07-28, version negotiation).
		welcome, err = link.Discover(ctx, conn, s.set.nextID(), h)
	}
	if err == nil {
		return welcome, nil
	}
	if !errors.As(err, &f) || f.RPC == nil {
		return link.Welcome{}, err
	}
	switch {
	case f.RPC.Code == mcpwire.CodeMethodNotFound && s.up.Era == "modern":
		return link.Welcome{Revision: mcpwire.NewestModern, Capabilities: []byte(assumed)}, nil
	case f.RPC.Code == mcpwire.CodeUnsupportedVersion && !names(f.RPC.Data, mcpwire.KnownLegacy):
		return link.Welcome{}, link.Faultf(link.Garbled, "the server speaks no revision that the gateway knows: %w", err)
	case mcpwire.IsModernCode(f.RPC.Code) && f.RPC.Code != mcpwire.CodeUnsupportedVersion:
		return link.Welcome{}, link.Faultf(link.Garbled, "the server refuses server/discover: %w", err)
	}
	return link.Welcome{}, err
}

// assumed are the capabilities of a server that does not tell.
const assumed = `{"tools":{},"resources":{},"prompts":{},"completions":{}}`

func isOurs(revision string) bool { return revision == mcpwire.NewestModern }

// names reports whether the data of -32022 offers a revision of some.
func names(data []byte, some func(revision string) bool) bool {
	supported, _ := mcpwire.Field(data, "supported")
	for v := range mcpwire.Elements(supported) {
		if text, ok := mcpwire.Text(v); ok && some(text) {
			return true
		}
	}
	return false
}

func (s *server) options(w *wish) mcphttp.Options {
	return mcphttp.Options{Hello: s.hello(w), NextID: s.set.nextID, Event: w.event, Orphan: w.orphan, Stream: w.stream, Asks: w.asks}
}

func (s *server) dialLegacy(ctx context.Context, w *wish) (*line, error) {
	conn, err := mcphttp.OpenLegacy(ctx, s.endpoint, s.options(w))
	if err != nil {
		return nil, err
	}
	s.stateless.Store(!conn.Stateful())
	return newLine(conn, conn.Welcome(), false), nil
}

func (s *server) dialSSE(ctx context.Context, w *wish) (*line, error) {
	conn, err := mcphttp.OpenSSE(ctx, s.endpoint, s.options(w))
	if err != nil {
		return nil, err
	}
	l := newLine(conn, conn.Welcome(), false)
	l.shared = true
	return l, nil
}
