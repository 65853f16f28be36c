package guard

import (
	"durward/internal/guard/args"
	"durward/internal/guard/flow"
)

// Call inspects the arguments of a call. formats types fields by their JSON
// pointer, as the tool's schema declares; nil when it does not.
func (e *Engine) Call(tool string, arguments []byte, formats map[string]string) *Report {
	return e.called(args.Inspect(tool, arguments, formats))
}

// called reports what was found in the arguments of a call.
func (e *Engine) called(found []args.Finding, whole bool) *Report {
	r := newReport()
	for _, f := range found {
		e.add(r, rule("arguments."+f.Rule), f.Score, f.Where, f.What)
	}
	e.partial(r, whole)
	return r
}

// Session follows data across the calls of one conversation. It is used by one
// goroutine at a time.
type Session struct {
	engine *Engine
	flow   *flow.Session
}

// Role is what a tool does to the flow of data.
type Role = flow.Role

// NewSession begins a conversation. roles declares what tools do; nil judges
// them by name.
func (e *Engine) NewSession(roles func(server, tool string) Role) *Session {
	return &Session{engine: e, flow: flow.New(roles)}
}

// Call judges a call before it is made.
func (s *Session) Call(server, tool string, arguments []byte) *Report {
	r := newReport()
	for _, f := range s.flow.Call(server, tool, arguments) {
		s.engine.add(r, rule("flow."+f.Rule), f.Score, f.Where, f.What)
	}
	return r
}

// Result takes note of what a call returned, with the report of its text.
func (s *Session) Result(server, tool string, result []byte, text *Report) {
	injected := 0.0
	if text != nil {
		injected = text.injected()
	}
	s.flow.Result(server, tool, result, injected)
}

// injected is the score of orders, without what else was found.
func (r *Report) injected() float64 { return r.orders }
