package mcpedge

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"errors"
	"sync/atomic"
)

// outlet takes what belongs to a call, beside its answer, to the agent.
type outlet interface {
	// tell sends a message without waiting for the network; false when it was lost.
	tell(msg []byte) bool
}

// peer is the agent's side of one call. It drops what comes after the call. It
// keeps what it needs of the call, which belongs to another goroutine.
type peer struct {
	modern       bool
	level        string // least level of log messages
	capabilities []byte
	conv         *conversation // nil where the agent cannot be asked
	out          outlet
	opts         *Options
	counts       *counts
	draining     <-chan struct{}
	ended        atomic.Bool
}

var _ durward.Peer = (*peer)(nil)

// Notify passes on what the agent wants to hear.
func (p *peer) Notify(method string, params []byte) {
	if p.ended.Load() {
		p.counts.add(newsLate)
		return
	}
	if method == mcpwire.NotifyMessage && !p.hears(params) {
		return
	}
	p.out.tell(mcpwire.AppendNotification(nil, method, params))
}

// hears reports whether a log message is of a level that the agent wants. Who
// never said gets everything on the stateful revisions, nothing on 2026-07-28.
func (p *peer) hears(params []byte) bool {
	if p.level == "" {
		return !p.modern
	}
	level, _ := mcpwire.FieldText(params, "level")
	return mcpwire.LogRank(level) >= mcpwire.LogRank(p.level)
}

// Ask puts a question of the server to the agent and waits for the answer.
func (p *peer) Ask(ctx context.Context, method string, params []byte) ([]byte, error) {
	if p.ended.Load() || p.conv == nil || p.modern || !declares(p.capabilities, method, params) {
		p.counts.add(questionsHeld)
		return nil, durward.ErrCannotAsk
	}
	id, heard, err := p.conv.ask(p.opts.Questions)
	if err != nil {
		return nil, err
	}
	defer p.conv.unask(id)
	if !p.out.tell(mcpwire.AppendRequest(nil, mcpwire.Quote(id), method, params)) {
		return nil, durward.ErrCannotAsk
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.opts.AnswerTime, errNoAnswer)
	defer cancel()
	select {
	case m := <-heard:
		return answerIn(m)
	case <-p.draining: // the answer could not come here any more
		p.out.tell(withdrawal(id))
		return nil, shuttingDown()
	case <-ctx.Done():
		p.out.tell(withdrawal(id))
		err := context.Cause(ctx)
		if errors.Is(err, errNoAnswer) {
			p.counts.add(questionsLapsed)
		}
		return nil, unanswered(err)
	}
}

var errNoAnswer = errors.New("the agent did not answer in time")

func unanswered(cause error) error {
	if errors.Is(cause, errNoAnswer) {
		return &durward.Error{
			Code: durward.Timeout, Reason: durward.ReasonCancelled,
			Message: "The tool asked for input and got no answer in time.", Err: cause,
		}
	}
	return cause
}

func answerIn(m mcpwire.Message) ([]byte, error) {
	if m.Fault != nil {
		return nil, mcpwire.InternalError("the client's answer cannot be read")
	}
	if m.Error != nil {
		return nil, mcpwire.ReadError(m.Error)
	}
	return m.Result, nil
}

// withdrawal tells the agent that a question needs no answer any more.
func withdrawal(id string) []byte {
	params := append(mcpwire.AppendQuote([]byte(`{"requestId":`), id), '}')
	return mcpwire.AppendNotification(nil, mcpwire.NotifyCancelled, params)
}

// declares reports whether the agent said that it answers such questions.
func declares(capabilities []byte, method string, params []byte) bool {
	switch method {
	case mcpwire.MethodElicit:
		if mode, _ := mcpwire.FieldText(params, "mode"); mode == "url" {
			return has(capabilities, "elicitation", "url")
		}
		// Forms are meant where no mode is named.
		return has(capabilities, "elicitation", "form") || (has(capabilities, "elicitation") && !has(capabilities, "elicitation", "url"))
	case mcpwire.MethodSample:
		return has(capabilities, "sampling") && (!has(params, "tools") || has(capabilities, "sampling", "tools"))
	case mcpwire.MethodRoots:
		return has(capabilities, "roots")
	case mcpwire.MethodPing: // every peer answers a ping
		return true
	}
	return false
}

func has(object []byte, path ...string) bool {
	_, ok := mcpwire.Path(object, path...)
	return ok
}

// close lets nothing more through.
func (p *peer) close() { p.ended.Store(true) }
