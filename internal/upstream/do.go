package upstream

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"errors"
	"time"
)

// Do sends a request to its upstream and waits for the answer. When ctx ends,
// the upstream is told in the way of its era. An error is a *[durward.Error];
// what the server itself answered as an error is in the reply.
func (s *Set) Do(ctx context.Context, r *Request, p durward.Peer) (durward.Reply, error) {
	srv := s.plan.Load().servers[r.Upstream]
	if srv == nil {
		return durward.Reply{}, unknownUpstream(r.Upstream)
	}
	if !srv.calls.enter() {
		return durward.Reply{}, srv.unavailable("is being closed; try again.", nil)
	}
	defer srv.calls.leave()
	own, tool, err := srv.admit(r, time.Now())
	if err != nil {
		return durward.Reply{}, err
	}
	y := newPatience(ctx, srv.timeout(), s.o.Answers, p)
	y.expect(srv.up.FirstByte)
	defer y.end()
	reply, err := srv.serve(y, r, y)
	if err != nil {
		err = srv.explain(ctx, y, err)
		srv.complain(r, err)
	}
	srv.judge(r, own, tool, &reply, err, y.turnedDown.Load())
	if err != nil {
		return durward.Reply{}, err
	}
	return srv.sign(r, reply), nil
}

// serve makes one attempt, and further ones where that is safe.
func (s *server) serve(ctx context.Context, r *Request, p *patience) (durward.Reply, error) {
	s.thrift.earn()
	for tries, made := 1, false; ; tries++ {
		reply, f, err := s.attempt(ctx, r, p)
		if f == nil || ctx.Err() != nil {
			return reply, err
		}
		if made = made || !f.undone(); !made {
			err = s.notMade(err)
		}
		if tries == attempts || tries > 1 && !f.cutOff() {
			return reply, err
		}
		next := s.mend(ctx, r, f, tries)
		switch {
		case next == nil && isWrongEra(f.err) && r.Method == mcpwire.MethodToolsCall:
			return reply, s.unavailable("refused the call without saying what became of it. Whether it had an effect is not known.", err)
		case next == nil, f.cutOff() && !(f.undone() && tries == 1) && !s.thrift.spend():
			return reply, err
		}
		r = next
	}
}

// attempts is how often a request is sent at most. The third is for a server
// that restarts: it may lose a session, and then the connection of the next.
const attempts = 3

// cutOff tells that the conversation ended, rather than that the server found
// fault with the request.
func (f *flaw) cutOff() bool {
	kind, ok := link.KindOf(f.err)
	return f.rpc == nil && ok && (kind == link.Lost || kind == link.Broken)
}

// undone tells that the server did not take the call up at all.
func (f *flaw) undone() bool {
	var fault *link.Fault
	return f.cutOff() && errors.As(f.err, &fault) && fault.Undone
}

// flaw is what was wrong with an attempt that reached the upstream.
type flaw struct {
	line     *line
	err      error             // of the link
	rpc      *durward.RPCError // or what the server said
	streamed bool
}

// misjudged tells that the server speaks another era than its line.
func (f *flaw) misjudged() bool {
	if f.rpc != nil {
		return f.rpc.Code == mcpwire.CodeUnsupportedVersion || !f.line.modern && f.rpc.Code == mcpwire.CodeHeaderMismatch
	}
	return isWrongEra(f.err)
}

// attempt sends a request once. A flaw tells of a failure that a second
// attempt may mend.
func (s *server) attempt(ctx context.Context, r *Request, p *patience) (durward.Reply, *flaw, error) {
	if !s.isStdio() { // a process that cannot be started says nothing of those that run
		if err := s.gate.admit(); err != nil {
			return durward.Reply{}, nil, unmade(err)
		}
	}
	if l := s.modern.Load(); l != nil {
		return s.exchange(ctx, r, l, "", p)
	}
	sl, release, err := s.lineFor(ctx, r, s.keyOf(r))
	if err != nil {
		return durward.Reply{}, nil, unmade(err)
	}
	defer func() { s.leave(ctx, sl.line, release) }()
	reply, f, err := s.exchange(ctx, r, sl.line, sl.key.profile, p)
	if err == nil {
		s.lodge(r, sl, reply)
	}
	if sl.line.dead() || f != nil && f.misjudged() {
		s.pool.drop(sl)
	}
	return reply, f, err
}

// ownerOf names the session whose calls may wait for each other; a call of a
// modern client has none and waits for no other.
func ownerOf(r *Request) string {
	if r.Modern || r.Session == "" {
		return ""
	}
	return r.Agent + " " + r.Session
}

// exchange sends a request on a line.
func (s *server) exchange(ctx context.Context, r *Request, l *line, profile string, p *patience) (durward.Reply, *flaw, error) {
	if r.Client.LogLevel != "" {
		l.hearFrom(ctx, s, r.Client.LogLevel)
	}
	y := s.newRelay(r, l, profile, p)
	a, err := l.conn.Do(ctx, s.prepareCall(r, l, y))
	if err != nil {
		s.suffer(err)
		return durward.Reply{}, &flaw{line: l, err: err, streamed: a.Streamed}, err
	}
	if s.gate.pass() {
		s.become("ready", nil)
		s.keeper.refresh()
	}
	if a.Error != nil && l.modern && !r.Modern && wantsTasks(r, a.Error) {
		reply, err := s.asTask(ctx, r, l, y)
		return reply, nil, err
	}
	if a.Error != nil {
		return s.refusal(r, l, y, a)
	}
	if l.modern && !r.Modern && mcpwire.ResultType(a.Result) == "input_required" {
		reply, err := s.cross(ctx, r, l, y, a.Result)
		return reply, nil, err
	}
	if !l.modern && r.NeedsTask && !r.AsTask {
		reply, err := s.drive(ctx, r, l, y, a)
		return reply, nil, err
	}
	reply, err := s.settle(r, l, a)
	return reply, nil, err
}

// suffer notes that a server could not be reached, so that calls do not queue
// up before a dead address.
func (s *server) suffer(err error) {
	if kind, ok := link.KindOf(err); !ok || kind != link.Unreachable {
		return
	}
	e := s.unavailable("cannot be reached.", err)
	s.gate.fail(e)
	s.become("failed", e)
	s.keeper.refresh()
}

// refusal is an answer that is an error.
func (s *server) refusal(r *Request, l *line, y *relay, a link.Answer) (durward.Reply, *flaw, error) {
	switch code := a.Error.Code; {
	case code == mcpwire.CodeHeaderMismatch, code == mcpwire.CodeUnsupportedVersion:
		// Between us and the server; none of it is the caller's.
		err := s.protocol("and the gateway could not agree on the protocol.", a.Error)
		return durward.Reply{}, &flaw{line: l, rpc: a.Error, streamed: a.Streamed}, err
	case y.refused.Load() != nil && y.crossing:
		return durward.Reply{}, nil, s.cannotCross(asks(*y.refused.Load()))
	case code == mcpwire.CodeURLElicitationRequired && r.Modern && !l.modern:
		return s.sendToURLs(r, a.Error), nil, nil
	}
	return durward.Reply{Error: a.Error, Modern: l.modern}, nil, nil
}

// sendToURLs puts a refusal of 2025-11-25 that sends the user to URLs to a
// client of 2026-07-28. Its retry is a new call: nothing waits for it.
func (s *server) sendToURLs(r *Request, e *durward.RPCError) durward.Reply {
	result := mcpwire.InputRequired(e)
	_, able := mcpwire.Path(r.Client.Capabilities, "elicitation", "url")
	switch {
	case result == nil || r.Method == mcpwire.MethodComplete:
		return durward.Reply{Error: mcpwire.InternalError(e.Message), Modern: true}
	case !able:
		return durward.Reply{Error: mcpwire.MissingCapability([]byte(`{"elicitation":{"url":{}}}`)), Modern: true}
	}
	return durward.Reply{Result: result, Modern: true}
}

// settle checks that a result can be understood by the caller. Within an era
// everything passes; older clients know only complete results, and older
// servers have no others.
func (s *server) settle(r *Request, l *line, a link.Answer) (durward.Reply, error) {
	if l.modern != r.Modern && mcpwire.ResultType(a.Result) != "complete" {
		return durward.Reply{}, s.protocol("answered with a kind of result that was not asked for.", nil)
	}
	return durward.Reply{Result: a.Result, Modern: l.modern, Spent: a.Spent}, nil
}

// mend does what a flaw asks for and returns the request to send again, nil
// when there is nothing to be done or sending it again is not safe. A server
// that refused a message for its form did not act on it, nor did one that no
// longer knew the session: that call is made on another one, once. Otherwise only
// what reads may be sent twice, and only while the caller has seen nothing.
func (s *server) mend(ctx context.Context, r *Request, f *flaw, tries int) *Request {
	var fault *link.Fault
	_ = errors.As(f.err, &fault)
	switch {
	case f.misjudged():
		if s.pinned(eraUnknown) != eraUnknown {
			return nil
		}
		s.log.Info("upstream no longer speaks the era it spoke")
		s.forget(s.eraOf(f.line))
		s.keeper.refresh()
		if f.rpc == nil && !r.Safe && !onlyReads(r.Method) {
			return nil // a status alone does not say that nothing was done
		}
		return r
	case f.rpc != nil:
		return s.reread(ctx, r)
	case f.undone() && tries == 1:
		return r
	case fault == nil || f.streamed || !r.Safe && !onlyReads(r.Method):
		return nil
	case fault.Kind == link.Lost, fault.Kind == link.Broken && fault.Status == 0:
		return r
	}
	return nil
}

func onlyReads(method string) bool {
	switch method {
	case mcpwire.MethodResourcesRead, mcpwire.MethodPromptsGet, mcpwire.MethodComplete:
		return true
	}
	return mcpwire.ListField(method) != ""
}

// reread reads the tool's definition again, because a server that says that
// headers and body disagree may have changed which headers it wants.
func (s *server) reread(ctx context.Context, r *Request) *Request {
	if r.Method != mcpwire.MethodToolsCall {
		return nil
	}
	s.keeper.refresh()
	l := s.keeper.read(ctx)
	for _, tool := range l.Tools {
		name, _ := mcpwire.FieldText(tool, "name")
		if name != routingName(r) {
			continue
		}
		schema, _ := mcpwire.Field(tool, "inputSchema")
		headers, err := mcpwire.ParamHeaders(schema)
		if err != nil {
			return nil
		}
		again := *r
		again.ParamHeaders = headers
		return &again
	}
	return nil
}
