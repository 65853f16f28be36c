package upstream_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// FuzzBridge: whatever a server of 2026-07-28 answers to the call of a client
// with a session, and whatever that client answers to what is asked then, the
// client is asked only what it can be asked, the server gets back its state
// and an answer for each of its questions, and the call ends.
func FuzzBridge(f *testing.F) {
	for _, result := range []string{
		done, `{"resultType":"input_required","requestState":"s"}`, `{"resultType":"task","taskId":"t"}`, `{}`, `{"content":[]}`,
		`{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"form","message":"?","requestedSchema":{"type":"object"}}}},"requestState":"a\u00e9"}`,
		`{"resultType":"input_required","inputRequests":{"":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m"}},"r":{"method":"roots/list"}}}`,
		`{"resultType":"input_required","inputRequests":{"\"":{"method":"sampling/createMessage","params":{"messages":[],"tools":[{"name":"t"}],"maxTokens":1}}},"requestState":{"not":"text"}}`,
		`{"resultType":"input_required","inputRequests":{"a":{"method":"ping"}}}`, `{"resultType":"input_required","inputRequests":[]}`,
		`{"resultType":"input_required","inputRequests":{"a":7,"a":{"method":"roots/list","params":[]}}}`,
	} {
		for _, answer := range []string{`{"action":"accept","content":{"n":1.0}}`, `{"roots":[]}`, `[]`, `{"action":"decline"}`, ``} {
			f.Add([]byte(result), []byte(answer))
		}
	}
	f.Fuzz(func(t *testing.T, result, answer []byte) {
		if mcpwire.Value(result, mcpwire.Limits{}) != nil || len(answer) > 0 && mcpwire.Value(answer, mcpwire.Limits{}) != nil {
			return // what is no JSON ends at the scanners
		}
		r := &rounds{turns: []string{strings.ReplaceAll(string(result), "\n", " "), done}}
		up := script{modern: true, caps: `{"tools":{}}`, answer: r.answer}.up(t)
		up.Prefix = "none"
		asked := 0
		p := &peer{answer: func(method string, params []byte) ([]byte, error) {
			asked++
			if !mcpwire.Questions(method) || params != nil && (!json.Valid(params) || !mcpwire.IsObject(params)) {
				t.Errorf("the client was asked %s %s", method, params)
			}
			if len(answer) == 0 {
				return nil, &durward.RPCError{Code: -1, Message: "no"}
			}
			return answer, nil
		}}
		p.serial = true
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		reply, err := newSet(t, nil, up).Do(ctx, older(ableToAll).request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), p)
		if err == nil && reply.Error == nil && (!json.Valid(reply.Result) || mcpwire.ResultType(reply.Result) != "complete") {
			t.Errorf("the call ended with %s", reply.Result)
		}
		for _, again := range r.seen()[min(1, len(r.seen())):] {
			state, had := mcpwire.Field(result, "requestState")
			if back, has := mcpwire.Field([]byte(again), "requestState"); has != had || string(back) != string(state) {
				t.Errorf("the state %s came back as %s", state, back)
			}
			answers, _ := mcpwire.Field([]byte(again), "inputResponses")
			n := 0
			for range mcpwire.Fields(answers) {
				n++
			}
			if n != asked {
				t.Errorf("%d questions, %d answers in %s", asked, n, again)
			}
		}
	})
}
