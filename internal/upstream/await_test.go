package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
)

// tasker is a stateless server some of whose tools answer only with tasks.
func tasker(t *testing.T) durward.Upstream {
	t.Helper()
	addr := durwardtest.StartHTTP(t, durwardtest.StartOptions{}, durwardtest.Build(t, durwardtest.Tasker), "-http", "{ADDR}")
	return durward.Upstream{Name: "up", URL: "http://" + addr + "/"}
}

// A client of an older era calls a tool that a stateless server runs only as a
// task as any other: what is asked before and within the task is asked of it.
func TestOlderClientsCallWhatRunsAsATask(t *testing.T) {
	s := newSet(t, nil, tasker(t))
	for _, revision := range []string{mcpwire.V20251125, mcpwire.V20250618} {
		a := agent{revision: revision, name: "a", session: "s", caps: ableToAll}
		for tool, want := range map[string]string{
			"failing_job": `"isError":true`, "test_tool_with_task": "Ada", "ask_within": "Ada", "confirm_delete": "done at once", "greet": "Hello",
		} {
			p := obliging(t)
			reply, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"`+tool+`","arguments":{}}`), p)
			if err != nil || reply.Error != nil || !strings.Contains(string(reply.Result), want) || mcpwire.ResultType(reply.Result) != "complete" {
				t.Errorf("%s: %s = %s %v %v, want %s", revision, tool, reply.Result, reply.Error, err, want)
			}
		}
	}
	// A stateless client is told, and may say that it understands tasks.
	reply, err := s.Do(brief(t), modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"failing_job","arguments":{}}`), nil)
	if err != nil || reply.Error == nil || reply.Error.Code != mcpwire.CodeMissingCapability {
		t.Errorf("failing_job for a stateless client = %+v %v, want -32021", reply, err)
	}
}

// Nobody who was not promised answers is asked, and the task is given up.
func TestATaskThatAsksWhoCannotBeAsked(t *testing.T) {
	s := newSet(t, nil, tasker(t))
	reply, err := s.Do(brief(t), legacyAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask_within","arguments":{}}`), &peer{})
	var e *durward.Error
	if !errors.As(err, &e) || e.Reason != durward.ReasonCapabilityMissing {
		t.Errorf("Do = %s %v, want that a capability is missing", reply.Result, err)
	}
}

// Whoever goes away while we wait takes the task along.
func TestATaskEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cancelled := make(chan struct{}, 1)
	s := newSet(t, nil, script{modern: true, caps: `{"tools":{}}`, answer: func(m *mcpwire.Message) string {
		switch m.Method {
		case mcpwire.MethodToolsCall:
			if !mcpwire.ExtendsTasks(capsIn(m)) {
				return `error {"code":-32021,"message":"x","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}`
			}
			return `{"resultType":"task","taskId":"t","status":"working","pollIntervalMs":20}`
		case mcpwire.MethodTasksGet:
			cancel()
			return `{"resultType":"complete","taskId":"t","status":"working","pollIntervalMs":20}`
		case mcpwire.MethodTasksCancel:
			cancelled <- struct{}{}
			return `{"resultType":"complete"}`
		}
		return `{"resultType":"complete","tools":[]}`
	}}.up(t))
	if _, err := s.Do(ctx, legacyAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"t","arguments":{}}`), nil); err == nil {
		t.Error("Do = nil, want that its caller is gone")
	}
	within(t, "the task is cancelled", cancelled)
}

func capsIn(m *mcpwire.Message) []byte {
	var params struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	_ = json.Unmarshal(m.Params, &params)
	return params.Meta[mcpwire.MetaClientCapabilities]
}
