package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
)

// Bounds of a call that a modern server answers with questions.
const (
	roundsMost  = 10      // answers that are not the last
	shedMost    = 3       // of them those that ask nothing but to come again
	asksMost    = 16      // questions of one round
	answersMost = 8 << 20 // bytes of the answers of one round
	shedFirst   = 250 * time.Millisecond
	visitsMost  = 5                      // times that a server says again where the user agreed to go
	visitFirst  = 500 * time.Millisecond // before the first of them is answered; then twice as long
)

// bridge carries one call of an older client to a modern server: what the
// server wants to know in an input_required result becomes requests of the
// client's session, and their answers a retry. The server asks for each of the
// retries; nothing else sends a call again.
type bridge struct {
	server *server
	r      *Request
	line   *line
	relay  *relay

	shed    int
	visits  int
	visited map[string]string // elicitation ids of the URLs that the user agreed to visit
}

// inquiry is one of the questions of a round.
type inquiry struct {
	key, method string
	params      []byte
	answer      []byte
}

// cross brings a call to its end that the server has answered with questions.
func (s *server) cross(ctx context.Context, r *Request, l *line, y *relay, result []byte) (durward.Reply, error) {
	b := &bridge{server: s, r: r, line: l, relay: y, visited: map[string]string{}}
	for range roundsMost {
		answers, state, err := b.respond(ctx, result)
		if err != nil {
			return b.stop(err)
		}
		c := s.prepareCall(r, l, y)
		c.Params = mcpwire.Whole(resumed(c.Params.Join(), answers, state))
		a, err := l.conn.Do(ctx, c)
		if err != nil {
			s.suffer(err)
			return durward.Reply{}, err
		}
		if a.Error != nil {
			reply, _, err := s.refusal(r, l, y, a)
			return reply, err
		}
		switch kind := mcpwire.ResultType(a.Result); {
		case kind == "task" && y.tasks:
			return s.await(ctx, r, l, y, a.Result)
		case kind != "input_required":
			return s.settle(r, l, a)
		}
		result = a.Result
	}
	return durward.Reply{}, s.protocol("asked for input again and again.", nil)
}

// stop ends the call with an error, one that is to be told as the server's own among them.
func (b *bridge) stop(err error) (durward.Reply, error) {
	var told *durward.RPCError
	if errors.As(err, &told) {
		return durward.Reply{Error: told, Modern: true}, nil
	}
	return durward.Reply{}, err
}

// resumed adds to the params of a retry what it brings.
func resumed(params, answers, state []byte) []byte {
	if answers != nil {
		params = mcpwire.AddField(params, "inputResponses", answers)
	}
	if state != nil {
		params = mcpwire.AddField(params, "requestState", state)
	}
	return params
}

// respond answers one round: with the answers to its questions, and with the
// state byte for byte as it came.
func (b *bridge) respond(ctx context.Context, result []byte) (answers, state []byte, err error) {
	questions, err := b.questions(result)
	if err != nil {
		return nil, nil, err
	}
	state, _ = mcpwire.Field(result, "requestState")
	if len(questions) == 0 {
		return nil, state, b.comeAgain(ctx, state)
	}
	if err := b.askAll(ctx, questions); err != nil {
		return nil, nil, err
	}
	answers, err = b.join(questions)
	return answers, state, err
}

// join writes the answers of a round.
func (b *bridge) join(questions []*inquiry) ([]byte, error) {
	answers := []byte("{")
	for i, q := range questions {
		if i > 0 {
			answers = append(answers, ',')
		}
		answers = append(append(mcpwire.AppendQuote(answers, q.key), ':'), q.answer...)
	}
	if len(answers) > answersMost {
		return nil, b.server.protocol("asked for more than the gateway carries.", nil)
	}
	return append(answers, '}'), nil
}

// comeAgain waits where a server asks nothing but to be called again later.
func (b *bridge) comeAgain(ctx context.Context, state []byte) error {
	if b.shed++; state == nil || b.shed > shedMost {
		return b.server.protocol("asks to be called again without end.", nil)
	}
	return link.Pause(ctx, shedFirst<<(b.shed-1))
}

// questions reads what a round asks, and checks that this client may be asked it.
func (b *bridge) questions(result []byte) ([]*inquiry, error) {
	requests, _ := mcpwire.Field(result, "inputRequests")
	var out []*inquiry
	for key, v := range mcpwire.Fields(requests) {
		q := &inquiry{key: key}
		q.method, _ = mcpwire.FieldText(v, "method")
		q.params, _ = mcpwire.Field(v, "params")
		switch {
		case !mcpwire.Questions(q.method) || q.params != nil && !mcpwire.IsObject(q.params):
			return nil, b.server.protocol("asked something that the protocol does not have.", nil)
		case !b.relay.declares(q.method, q.params):
			return nil, b.server.undeclared(asks(q.method))
		case len(out) == asksMost:
			return nil, b.server.protocol("asked too much at once.", nil)
		}
		out = append(out, q)
	}
	return out, nil
}

// askAll puts the questions to the client side by side. The first that cannot
// be answered withdraws the others.
func (b *bridge) askAll(ctx context.Context, questions []*inquiry) error {
	if err := b.revisit(ctx, questions); err != nil {
		return err
	}
	asking, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var all sync.WaitGroup
	for _, q := range questions {
		if q.answer != nil {
			continue
		}
		all.Go(func() {
			if err := b.ask(asking, q); err != nil {
				giveUp(err)
			}
		})
	}
	all.Wait()
	if err := context.Cause(asking); err != nil {
		return err
	}
	for _, q := range questions {
		b.note(q)
	}
	return nil
}

// ask gets one answer. What a client refuses to say of its user is a cancelled
// elicitation; a refusal of anything else cannot be told to the server (MCP
// 2026-07-28, inputResponses) and ends the call.
func (b *bridge) ask(ctx context.Context, q *inquiry) error {
	id := ""
	if q.url() != "" {
		id = rand.Text()
	}
	q.params = mcpwire.ToLegacyQuestion(q.method, b.r.Revision, q.params, id)
	answer, err := b.relay.put(ctx, q.method, q.params)
	switch {
	case err == nil && mcpwire.IsObject(answer):
		q.answer = answer
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case q.method == mcpwire.MethodElicit:
		q.answer = []byte(`{"action":"cancel"}`)
		return nil
	}
	return rejected(q.method, err)
}

// rejected tells that the client did not answer.
func rejected(method string, err error) *durward.RPCError {
	why := "it gave no usable answer"
	var rpc *durward.RPCError
	switch {
	case errors.As(err, &rpc):
		why = rpc.Message
	case err != nil:
		why = durward.AsError(err).Message
		if errors.Is(err, durward.ErrCannotAsk) {
			why = "it cannot be asked"
		}
	}
	return mcpwire.InternalError("The client rejected the server's request for " + asks(method) + ": " + clip(why, 200))
}

func clip(s string, most int) string {
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// url is where the user is sent by a question, "" by any other.
func (q *inquiry) url() string {
	if mode, _ := mcpwire.FieldText(q.params, "mode"); q.method != mcpwire.MethodElicit || mode != "url" {
		return ""
	}
	url, _ := mcpwire.FieldText(q.params, "url")
	return url
}

// note remembers where the user agreed to go.
func (b *bridge) note(q *inquiry) {
	url := q.url()
	if action, _ := mcpwire.FieldText(q.answer, "action"); url == "" || action != "accept" || b.visited[url] != "" {
		return
	}
	b.visited[url], _ = mcpwire.FieldText(q.params, "elicitationId")
}

// revisit answers what sends the user where they agreed to go before: that a
// call asks again means that they have not arrived there. The user is not
// asked twice; the server is, after a while.
func (b *bridge) revisit(ctx context.Context, questions []*inquiry) error {
	again := false
	for _, q := range questions {
		if b.visited[q.url()] != "" {
			q.answer, again = []byte(`{"action":"accept"}`), true
		}
	}
	if !again {
		return nil
	}
	if b.visits++; b.visits > visitsMost {
		return b.unvisited(questions)
	}
	return link.Pause(ctx, visitFirst<<(b.visits-1))
}

// unvisited tells the client where its user has still to go; it may call again
// when they were there.
func (b *bridge) unvisited(questions []*inquiry) error {
	var urls [][]byte
	for _, q := range questions {
		if id := b.visited[q.url()]; id != "" {
			urls = append(urls, mcpwire.ToLegacyQuestion(q.method, b.r.Revision, q.params, id))
		}
	}
	return mcpwire.URLElicitationRequired(urls)
}
