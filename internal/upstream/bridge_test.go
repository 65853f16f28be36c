package upstream_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
)

const ableToAll = `{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{"listChanged":true}}`

// obliging answers every question as the SDK's conformance server likes it.
func obliging(t testing.TB) *peer {
	return &peer{answer: func(method string, params []byte) ([]byte, error) {
		switch method {
		case mcpwire.MethodElicit:
			if schema, ok := mcpwire.Field(params, "requestedSchema"); !ok {
				t.Errorf("a form without schema: %s", params)
			} else if strings.Contains(string(schema), `"confirmed"`) {
				return []byte(`{"action":"accept","content":{"confirmed":true,"ok":true}}`), nil
			}
			return []byte(`{"action":"accept","content":{"name":"Ada","color":"red","confirm":true,"ok":true,"age":3,"favorite_color":"red"}}`), nil
		case mcpwire.MethodSample:
			return []byte(`{"role":"assistant","content":{"type":"text","text":"a poem"},"model":"m"}`), nil
		case mcpwire.MethodRoots:
			return []byte(`{"roots":[{"uri":"file:///home/ada"}]}`), nil
		}
		return nil, durward.ErrCannotAsk
	}}
}

// A client with a session answers what a stateless server wants to know, in
// one round or several, and gets the result of its one call.
func TestOlderClientsAnswerModernServers(t *testing.T) {
	ups := map[string]durward.Upstream{
		"http":  everything(t, "-stateless=true"),
		"stdio": {Name: "up", Command: durwardtest.Build(t, durwardtest.EverythingServer)},
	}
	calls := []struct {
		tool, want string
		asked      []string
	}{
		{"test_input_required_result_elicitation", "Hello, Ada", []string{mcpwire.MethodElicit}},
		{"test_input_required_result_sampling", "a poem", []string{mcpwire.MethodSample}},
		{"test_input_required_result_list_roots", "file:///home/ada", []string{mcpwire.MethodRoots}},
		{"test_input_required_result_request_state", "state-ok", []string{mcpwire.MethodElicit}},
		{"test_input_required_result_multiple_inputs", "", []string{mcpwire.MethodElicit, mcpwire.MethodSample, mcpwire.MethodRoots}},
		{"test_input_required_result_multi_round", "", []string{mcpwire.MethodElicit, mcpwire.MethodElicit}},
	}
	for name, up := range ups {
		for _, revision := range []string{mcpwire.V20251125, mcpwire.V20250618} {
			t.Run(name+" "+revision, func(t *testing.T) {
				s := newSet(t, nil, up)
				a := agent{revision: revision, name: "a", session: "s", caps: ableToAll}
				for _, c := range calls {
					p := obliging(t)
					reply, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"`+c.tool+`","arguments":{}}`), p)
					if err != nil || mcpwire.ResultType(reply.Result) != "complete" || !strings.Contains(string(reply.Result), c.want) ||
						strings.Contains(string(reply.Result), `"isError":true`) {
						t.Errorf("%s = %s %v %v, want %q", c.tool, reply.Result, reply.Error, err, c.want)
					}
					for _, method := range c.asked {
						if !strings.Contains(strings.Join(p.asked, " "), method) {
							t.Errorf("%s asked %v, want %v", c.tool, p.asked, c.asked)
						}
					}
				}
			})
		}
	}
}

// rounds is a modern server that answers its calls by turns.
type rounds struct {
	mu     sync.Mutex
	turns  []string // results; the last one is repeated
	params []string // of the calls
	ids    []string
}

func (r *rounds) answer(m *mcpwire.Message) string {
	if m.Method == mcpwire.MethodToolsList {
		return `{"resultType":"complete","tools":[],"ttlMs":60000,"cacheScope":"private"}`
	}
	if m.Method != mcpwire.MethodToolsCall {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.params, r.ids = append(r.params, string(m.Params)), append(r.ids, string(m.ID))
	return r.turns[min(len(r.params), len(r.turns))-1]
}

func (r *rounds) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.params...)
}

const (
	done    = `{"resultType":"complete","content":[]}`
	askForm = `{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"form","message":"?","requestedSchema":{"type":"object","properties":{}}}}}%s}`
)

func (a agent) crosses(t testing.TB, r *rounds, p *peer) (durward.Reply, error) {
	t.Helper()
	s := newSet(t, nil, script{modern: true, caps: `{"tools":{}}`, answer: r.answer}.up(t))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	return s.Do(ctx, a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{"n":1.0}}`), p)
}

func older(caps string) agent {
	return agent{revision: mcpwire.V20251125, name: "a", session: "s", caps: caps}
}

// The state goes back byte for byte, with the same arguments and a new id.
func TestARetryCarriesTheStateUntouched(t *testing.T) {
	const state = `"a\/b\u00e9 \"x\""`
	r := &rounds{turns: []string{fmt.Sprintf(askForm, `,"requestState":`+state), done}}
	if _, err := older(ableToAll).crosses(t, r, &peer{answer: func(string, []byte) ([]byte, error) {
		return []byte(`{"action":"accept","content":{"n":12345678901234567890}}`), nil
	}}); err != nil {
		t.Fatal(err)
	}
	seen := r.seen()
	if len(seen) != 2 || r.ids[0] == r.ids[1] {
		t.Fatalf("%d calls with ids %v, want two with different ids", len(seen), r.ids)
	}
	for _, want := range []string{`"requestState":` + state, `"inputResponses":{"k":{"action":"accept","content":{"n":12345678901234567890}}}`, `"arguments":{"n":1.0}`} {
		if !strings.Contains(seen[1], want) {
			t.Errorf("the retry is %s, want %s in it", seen[1], want)
		}
	}
	if strings.Contains(seen[0], "requestState") {
		t.Errorf("the first call is %s", seen[0])
	}
}

// What a session declared is promised to the server, as far as its revision
// goes, and nothing else.
func TestAModernServerIsToldWhatTheClientCanDo(t *testing.T) {
	for _, c := range []struct{ revision, caps, want string }{
		{mcpwire.V20251125, ableToAll, `{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{"tools":{}}}`},
		{mcpwire.V20250618, ableToAll, `{"elicitation":{},"roots":{},"sampling":{}}`},
		{mcpwire.V20250618, `{"elicitation":{"url":{}}}`, `{}`},
		{mcpwire.V20250326, ableToAll, `{"roots":{},"sampling":{}}`},
		{mcpwire.V20251125, `{"tasks":{},"elicitation":{}}`, `{"elicitation":{}}`},
		{mcpwire.V20251125, `{}`, `{}`},
	} {
		r := &rounds{turns: []string{done}}
		a := agent{revision: c.revision, name: "a", session: "s", caps: c.caps}
		if _, err := a.crosses(t, r, &peer{}); err != nil {
			t.Fatal(err)
		}
		got, _ := mcpwire.Path([]byte(r.seen()[0]), "_meta", mcpwire.MetaClientCapabilities)
		if string(got) != c.want {
			t.Errorf("a client of %s with %s is declared as %s, want %s", c.revision, c.caps, got, c.want)
		}
	}
}

// A server that only wants to be called again is, after a while and not for ever.
func TestAServerThatShedsLoad(t *testing.T) {
	t.Parallel()
	again := `{"resultType":"input_required","requestState":"s"}`
	r := &rounds{turns: []string{again, again, done}}
	if _, err := older(ableToAll).crosses(t, r, &peer{}); err != nil || len(r.seen()) != 3 {
		t.Errorf("Do = %v after %d calls, want an answer after 3", err, len(r.seen()))
	}
	r = &rounds{turns: []string{again}}
	_, err := older(ableToAll).crosses(t, r, &peer{})
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamProtocol || len(r.seen()) != 4 {
		t.Errorf("Do = %v after %d calls, want upstream_protocol after 4", err, len(r.seen()))
	}
}

func TestRoundsAreBounded(t *testing.T) {
	r := &rounds{turns: []string{fmt.Sprintf(askForm, "")}}
	_, err := older(ableToAll).crosses(t, r, obliging(t))
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamProtocol || len(r.seen()) != 11 {
		t.Errorf("Do = %v after %d calls, want upstream_protocol after 11", err, len(r.seen()))
	}
	many := `{"resultType":"input_required","inputRequests":{"0":{"method":"roots/list"}`
	for i := range 20 {
		many += fmt.Sprintf(`,"%d":{"method":"roots/list"}`, i+1)
	}
	r = &rounds{turns: []string{many + "}}"}}
	_, err = older(ableToAll).crosses(t, r, obliging(t))
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamProtocol {
		t.Errorf("Do = %v, want upstream_protocol", err)
	}
}

// What a client does not say of its user is a cancelled elicitation; what it
// does not do for the server ends the call.
func TestRefusedQuestions(t *testing.T) {
	refuse := func(string, []byte) ([]byte, error) { return nil, &durward.RPCError{Code: -1, Message: "user said no"} }
	for name, answer := range map[string]func(string, []byte) ([]byte, error){
		"refused": refuse,
		"no time": func(string, []byte) ([]byte, error) {
			return nil, &durward.Error{Code: durward.Timeout, Message: "no answer"}
		},
		"nonsense": func(string, []byte) ([]byte, error) { return []byte(`7`), nil },
	} {
		r := &rounds{turns: []string{fmt.Sprintf(askForm, ""), done}}
		if _, err := older(ableToAll).crosses(t, r, &peer{answer: answer}); err != nil || !strings.Contains(r.seen()[1], `{"k":{"action":"cancel"}}`) {
			t.Errorf("%s: Do = %v, the server saw %s, want a cancelled elicitation", name, err, r.seen())
		}
	}
	for _, method := range []string{mcpwire.MethodSample, mcpwire.MethodRoots} {
		r := &rounds{turns: []string{`{"resultType":"input_required","inputRequests":{"k":{"method":"` + method + `","params":{}}}}`, done}}
		reply, err := older(ableToAll).crosses(t, r, &peer{answer: refuse})
		if err != nil || reply.Error == nil || reply.Error.Code != mcpwire.CodeInternal || !strings.Contains(reply.Error.Message, "user said no") || len(r.seen()) != 1 {
			t.Errorf("%s: Do = %v %v after %d calls, want -32603 that says why after one", method, reply.Error, err, len(r.seen()))
		}
	}
}

func TestAServerThatAsksWhatWasNotPromised(t *testing.T) {
	for _, c := range []struct{ caps, ask string }{
		{`{}`, `{"method":"roots/list"}`},
		{`{"elicitation":{}}`, `{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m"}}`},
		{`{"elicitation":{"url":{}}}`, `{"method":"elicitation/create","params":{"message":"m"}}`},
		{`{"sampling":{}}`, `{"method":"sampling/createMessage","params":{"tools":[]}}`},
		{ableToAll, `{"method":"tools/list"}`},
		{ableToAll, `{"method":"roots/list","params":[]}`},
	} {
		r := &rounds{turns: []string{`{"resultType":"input_required","inputRequests":{"k":` + c.ask + `}}`, done}}
		p := obliging(t)
		_, err := older(c.caps).crosses(t, r, p)
		e := durward.AsError(err)
		if e.Reason != durward.ReasonCapabilityMissing && e.Reason != durward.ReasonUpstreamProtocol || len(p.asked) > 0 || len(r.seen()) != 1 {
			t.Errorf("%s of a client with %s: Do = %v after %d calls, asked %v", c.ask, c.caps, err, len(r.seen()), p.asked)
		}
	}
}

// A URL gets the id that 2025-11-25 wants. A server that sends the user there
// again is answered without another question, and at last the client is told
// to try later.
func TestAUserIsSentToAURLOnce(t *testing.T) {
	t.Parallel()
	visit := `{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"url","url":"https://x/y","message":"m"}}},"requestState":"s"}`
	agree := func(ids *[]string) *peer {
		return &peer{answer: func(_ string, params []byte) ([]byte, error) {
			id, _ := mcpwire.FieldText(params, "elicitationId")
			*ids = append(*ids, id)
			return []byte(`{"action":"accept"}`), nil
		}}
	}
	var ids []string
	r := &rounds{turns: []string{visit, visit, done}}
	reply, err := older(ableToAll).crosses(t, r, agree(&ids))
	if err != nil || len(ids) != 1 || ids[0] == "" || len(r.seen()) != 3 {
		t.Errorf("Do = %s %v, asked with the ids %v, %d calls; want one id and 3 calls", reply.Result, err, ids, len(r.seen()))
	}
	ids = nil
	r = &rounds{turns: []string{visit}}
	reply, err = older(ableToAll).crosses(t, r, agree(&ids))
	if err != nil || reply.Error == nil || reply.Error.Code != mcpwire.CodeURLElicitationRequired || len(ids) != 1 ||
		!strings.Contains(string(reply.Error.Data), `"elicitationId":"`+ids[0]+`"`) {
		t.Errorf("Do = %v %v, asked %v, want -32042 with the id that the client knows", reply.Error, err, ids)
	}
}

// A call that ends while its client is asked withdraws the question.
func TestACallMayEndWhileItsClientIsAsked(t *testing.T) {
	r := &rounds{turns: []string{fmt.Sprintf(askForm, "")}}
	s := newSet(t, nil, script{modern: true, caps: `{"tools":{}}`, answer: r.answer}.up(t))
	ctx, cancel := context.WithCancel(t.Context())
	p := &hesitant{asked: make(chan struct{})}
	go func() { <-p.asked; cancel() }()
	_, err := s.Do(ctx, older(ableToAll).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x"}`), p)
	if e := durward.AsError(err); e.Code != durward.Cancelled || !p.withdrawn {
		t.Errorf("Do = %v, withdrawn %v, want cancelled and withdrawn", err, p.withdrawn)
	}
}

// hesitant never answers.
type hesitant struct {
	asked     chan struct{}
	withdrawn bool
}

func (*hesitant) Notify(string, []byte) {}

func (h *hesitant) Ask(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	close(h.asked)
	<-ctx.Done()
	h.withdrawn = true
	return nil, ctx.Err()
}

// A server of 2025-11-25 that refuses until its user was at some URLs is put
// to a stateless client as questions; an older client gets the error itself.
func TestURLsThatAnOlderServerWantsVisited(t *testing.T) {
	refusing := script{caps: `{"tools":{}}`, answer: func(m *mcpwire.Message) string {
		if m.Method == mcpwire.MethodToolsList {
			return `{"tools":[]}`
		}
		return `error {"code":-32042,"message":"visit","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x","message":"m"}]}}`
	}}
	s := newSet(t, nil, refusing.up(t))
	ask := func(a agent) (durward.Reply, error) {
		r := a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`)
		r.Answers = r.Modern
		return s.Do(brief(t), r, &peer{})
	}
	reply, err := ask(agent{revision: mcpwire.V20260728, name: "a", caps: elicits})
	if err != nil || !reply.Modern || string(reply.Result) != `{"resultType":"input_required","inputRequests":{"url1":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"[up] m"}}}}` {
		t.Errorf("Do = %s %v %v, want the URL as an input request", reply.Result, reply.Error, err)
	}
	reply, err = ask(agent{revision: mcpwire.V20260728, name: "a", caps: `{"elicitation":{}}`})
	if err != nil || reply.Error == nil || reply.Error.Code != mcpwire.CodeMissingCapability {
		t.Errorf("a client that visits no URLs gets %s %v %v, want -32021", reply.Result, reply.Error, err)
	}
	reply, err = ask(older(elicits))
	if err != nil || reply.Error == nil || reply.Error.Code != mcpwire.CodeURLElicitationRequired {
		t.Errorf("an older client gets %s %v %v, want the error as it is", reply.Result, reply.Error, err)
	}
}
