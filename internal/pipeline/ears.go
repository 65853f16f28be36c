package pipeline

import (
	"context"
	"sync"

	"durward"
	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// ears is the guard between an upstream and the caller while a call runs: it
// reads notifications, questions and their answers, and takes out what has to
// go. It is safe for concurrent use.
type ears struct {
	peer  durward.Peer
	scope *guard.Scope
	from  guard.Listener
	asker string // the alias before what a person reads
	count func(*guard.Seen)
	doubt func(ctx context.Context, params []byte, v *guard.Seen) *guard.Seen // asks the classifier

	mu   sync.Mutex // guards seen
	seen guard.Seen
}

// mostOverheard bounds the findings that are kept of one call.
const mostOverheard = 64

// listen puts ears before a peer.
func (g *Gateway) listen(t *transit, p durward.Peer) *ears {
	e := &ears{peer: p, scope: t.scope(), from: t.listener(g), asker: t.call.Target.Upstream, count: g.guard.Count, seen: guard.Seen{Effect: durward.Allow}}
	if t.plan.snapshot.Guard.Classifier.URL != "" {
		of := transit{plan: t.plan, call: &durward.Call{Target: t.call.Target}} // what it needs of a call that may be over by then
		e.doubt = func(ctx context.Context, params []byte, v *guard.Seen) *guard.Seen {
			return g.second(ctx, &of, e.scope, carrierAsks, params, v)
		}
	}
	return e
}

// as is the ears as a peer.
func (e *ears) as() durward.Peer {
	if e.peer == nil { // nobody is there
		return nil
	}
	return e
}

// Notify implements durward.Peer. What is to be held or blocked is dropped.
func (e *ears) Notify(method string, params []byte) {
	if params == nil {
		e.peer.Notify(method, params)
		return
	}
	v := e.from.Read(params, durward.Deny)
	e.note(v)
	if v.Effect <= durward.Hold {
		return
	}
	if v.Body != nil {
		params = v.Body
	}
	e.peer.Notify(method, params)
}

// Ask implements durward.Peer. A question that may not be asked is answered in
// the caller's place: declined.
func (e *ears) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	if params != nil {
		bare, named := mcpwire.WithoutAsker(method, params, e.asker) // the gateway's own word is not judged
		v := e.from.Question(bare)
		if e.doubt != nil {
			v = e.doubt(ctx, bare, v)
		}
		e.note(v)
		if v.Effect <= durward.Hold {
			return declined(method)
		}
		if v.Body != nil {
			params = v.Body
			if named {
				params = mcpwire.NameAsker(method, params, e.asker)
			}
		}
	}
	answer, err := e.peer.Ask(ctx, method, params)
	if err != nil || answer == nil {
		return answer, err
	}
	v := e.scope.Answer(answer)
	e.note(v)
	switch {
	case v.Effect <= durward.Hold:
		return declined(method)
	case v.Body != nil:
		return v.Body, nil
	}
	return answer, nil
}

// declined is a refusal in the words of the method.
func declined(method string) ([]byte, error) {
	if method == mcpwire.MethodElicit {
		return []byte(`{"action":"decline"}`), nil
	}
	return nil, &durward.RPCError{Code: codeRejected, Message: "The gateway does not let this be asked."}
}

// codeRejected is what clients answer when a person rejects a sampling request.
const codeRejected = -1

func (e *ears) note(v *guard.Seen) {
	e.count(v)
	if len(v.Findings) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seen.Findings) < mostOverheard {
		e.seen.Merge(v)
	}
	e.seen.Effect = min(e.seen.Effect, v.Effect)
}

// overhear takes over into the call what was seen while it ran.
func (t *transit) overhear(e *ears) {
	if e == nil {
		return
	}
	e.mu.Lock()
	seen := e.seen
	e.seen = guard.Seen{Effect: durward.Allow}
	e.mu.Unlock()
	t.findings = append(t.findings, seen.Findings...)
	if worst := seen.Worst(); worst != nil {
		// What was dropped was a part of the call: it goes on without.
		t.decide(durward.Verdict{Effect: max(seen.Effect, durward.Redact), Reason: durward.ReasonGuardRedacted, Rule: "guard " + worst.Rule})
	}
}
