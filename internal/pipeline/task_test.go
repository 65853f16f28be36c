package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/identity"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
)

// taskHouse is a house whose upstreams answer with tasks: crm of 2026-07-28,
// old of 2025-11-25. The agents bot and eve may use both.
func taskHouse(t *testing.T) (h *house, eve string) {
	t.Helper()
	h = newHouse(t)
	modern, old := listing("crm", "get", "add", "delete"), listing("old", "add", "plain")
	modern.Modern, modern.Capabilities = true, []byte(`{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`)
	old.Capabilities = []byte(`{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}}`)
	old.Tools[0] = []byte(`{"name":"add","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}`)
	h.up.listings = []*upstream.Listing{modern, old}
	h.up.answer = func(r *upstream.Request) (durward.Reply, error) {
		result := `{"resultType":"complete"}`
		switch {
		case r.Method == mcpwire.MethodToolsCall && r.Upstream == "crm":
			result = `{"resultType":"task","taskId":"t-1","status":"working","ttlMs":1000}`
		case r.Method == mcpwire.MethodToolsCall:
			result = `{"task":{"taskId":"t-1","status":"working","ttl":1000}}`
		case r.Method == mcpwire.MethodTasksGet:
			result = `{"resultType":"complete","taskId":"t-1","status":"working"}`
		case r.Method == mcpwire.MethodTasksResult:
			result = `{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t-1"}}}`
		}
		return durward.Reply{Result: []byte(result), Modern: r.Upstream == "crm"}, nil
	}
	secret, key := identity.Mint(pepper, time.Now())
	key.Agent = "eve"
	s := snapshotOf(h)
	s.Agents = append(s.Agents, durward.Agent{Name: "eve", Roles: []string{"crm"}})
	s.Agents[0].Roles = []string{"crm"}
	s.Keys = append(s.Keys, key)
	s.Roles[0].Allow = []string{"crm__*", "old__*"}
	s.Upstreams = []durward.Upstream{{Name: "crm"}, {Name: "old"}}
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	return h, secret
}

func (h *house) taskCall(t *testing.T, revision, method, params string) *durward.Call {
	t.Helper()
	c := h.call(t, method, params)
	c.Wire.Revision, c.Wire.Modern = revision, mcpwire.Modern(revision)
	c.Client.Capabilities = []byte(`{"extensions":{"io.modelcontextprotocol/tasks":{}}}`)
	if id, ok := mcpwire.Text(c.Input.TaskID.Of(c.Input.Raw)); ok {
		c.Asked = id
	}
	return c
}

// start starts a task and returns its id.
func (h *house) start(t *testing.T, revision string) string {
	t.Helper()
	params, at := `{"name":"crm__add","arguments":{"text":"x"}}`, []string{"taskId"}
	if !mcpwire.Modern(revision) {
		params, at = `{"name":"old__add","arguments":{},"task":{"ttl":1000}}`, []string{"task", "taskId"}
	}
	reply, err := h.Serve(t.Context(), h.taskCall(t, revision, "tools/call", params), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := mcpwire.Path(reply.Result, at...)
	id, ok := mcpwire.Text(raw)
	if !ok || strings.Contains(id, "t-1") {
		t.Fatalf("the call answered %s, want a task under a name of ours", reply.Result)
	}
	return id
}

func TestATaskIsAskedAboutUnderItsNameAndRecorded(t *testing.T) {
	for revision, methods := range map[string][]string{
		"2026-07-28": {"tasks/get", "tasks/update", "tasks/cancel"},
		"2025-11-25": {"tasks/get", "tasks/result", "tasks/cancel"},
	} {
		h, _ := taskHouse(t)
		id := h.start(t, revision)
		started, mode := h.ledger.last(t)
		if started.Task != "t-1" || mode != audit.Durable {
			t.Errorf("%s: record %+v with mode %v", revision, started, mode)
		}
		for _, method := range methods {
			reply, err := h.Serve(t.Context(), h.taskCall(t, revision, method, `{"taskId":"`+id+`","inputResponses":{}}`), nil)
			if err != nil || strings.Contains(string(reply.Result), "t-1") {
				t.Errorf("%s %s: Serve = %s %v, want an answer that names the task as the agent does", revision, method, reply.Result, err)
			}
			if asked := h.up.asked[len(h.up.asked)-1]; asked.TaskID != "t-1" || asked.Name != "" {
				t.Errorf("%s %s: the upstream was asked %+v", revision, method, asked)
			}
			if r, _ := h.ledger.last(t); r.Method != method || r.Task != "t-1" || r.Tool != "add" || r.Verdict != "allow" {
				t.Errorf("%s %s: record %+v", revision, method, r)
			}
		}
	}
}

// Whose task it is not, in whatever way, hears what who made it up hears, and
// no upstream hears of it.
func TestATaskIsOfItsAgentAlone(t *testing.T) {
	h, eve := taskHouse(t)
	modern, old := h.start(t, "2026-07-28"), h.start(t, "2025-11-25")
	before := len(h.up.asked)
	by := func(secret string) func(*durward.Call) {
		return func(c *durward.Call) { c.Credential = durward.NewCredential(secret) }
	}
	for name, tc := range map[string]struct {
		revision, id string
		change       func(*durward.Call)
	}{
		"another agent":                 {"2026-07-28", modern, by(eve)},
		"another agent, older":          {"2025-11-25", old, by(eve)},
		"another endpoint":              {"2026-07-28", modern, func(c *durward.Call) { c.Endpoint = "old" }},
		"a newer agent's older task":    {"2026-07-28", old, nil},
		"an older agent's newer task":   {"2025-11-25", modern, nil},
		"the upstream's own id":         {"2026-07-28", "t-1", nil},
		"a name that somebody has bent": {"2026-07-28", bent(modern), nil},
		"a name that is far too long":   {"2026-07-28", strings.Repeat("A", 9000), nil},
		"no name":                       {"2026-07-28", "", nil},
	} {
		for _, method := range []string{"tasks/get", "tasks/cancel"} {
			c := h.taskCall(t, tc.revision, method, `{"taskId":"`+tc.id+`"}`)
			if tc.change != nil {
				tc.change(c)
			}
			_, err := h.Serve(t.Context(), c, nil)
			if e := durward.AsError(err); err == nil || e.Code != durward.NotFound || e.Message != "Unknown task." {
				t.Errorf("%s: %s = %v, want that it is unknown", name, method, err)
			}
			if r, _ := h.ledger.last(t); r.Verdict != "deny" || r.Method != method {
				t.Errorf("%s: record %+v", name, r)
			}
		}
	}
	if len(h.up.asked) != before {
		t.Errorf("upstreams were asked %d times", len(h.up.asked)-before)
	}
}

// A role that loses a tool loses the tasks that it runs.
func TestATaskIsDecidedLikeACallOfItsTool(t *testing.T) {
	h, _ := taskHouse(t)
	id := h.start(t, "2026-07-28")
	s := snapshotOf(h)
	s.Roles[0].Deny = []string{"crm__add"}
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	_, err := h.Serve(t.Context(), h.taskCall(t, "2026-07-28", "tasks/get", `{"taskId":"`+id+`"}`), nil)
	if e := durward.AsError(err); err == nil || e.Message != "Unknown task." {
		t.Errorf("tasks/get = %v, want that it is unknown", err)
	}
	if r, _ := h.ledger.last(t); r.Reason != durward.ReasonRuleDenies || r.Tool != "add" {
		t.Errorf("record %+v, want the rule that denies", r)
	}
}

// Who asks for a task where there is none hears so before anything is done.
func TestATaskThatCannotBeHadIsRefusedBefore(t *testing.T) {
	h, _ := taskHouse(t)
	_, err := h.Serve(t.Context(), h.taskCall(t, "2025-11-25", "tools/call", `{"name":"old__plain","arguments":{"text":"x"},"task":{}}`), nil)
	if durward.AsError(err).Reason != durward.ReasonRequestInvalid || len(h.up.asked) != 0 {
		t.Errorf("Serve = %v, upstream asked %+v", err, h.up.asked)
	}
	// A client of the stateless revision may still say so; nobody takes notice.
	if _, err := h.Serve(t.Context(), h.taskCall(t, "2026-07-28", "tools/call", `{"name":"crm__add","arguments":{"text":"x"},"task":{}}`), nil); err != nil {
		t.Error(err)
	}
	// The gateway makes a task of a call that has to be one.
	if _, err := h.Serve(t.Context(), h.taskCall(t, "2026-07-28", "tools/call", `{"name":"old__add","arguments":{}}`), nil); err != nil || !h.up.asked[1].NeedsTask || h.up.asked[1].AsTask {
		t.Errorf("Serve = %v, upstream asked %+v", err, h.up.asked[1])
	}
}

// A server must not answer with a task to who does not know what that is, and
// must not ask in a task what the client cannot give.
func TestATaskIsHeldAgainstWhatTheClientDeclared(t *testing.T) {
	h, _ := taskHouse(t)
	c := h.taskCall(t, "2026-07-28", "tools/call", `{"name":"crm__add","arguments":{"text":"x"}}`)
	c.Client.Capabilities = []byte(`{}`)
	if _, err := h.Serve(t.Context(), c, nil); durward.AsError(err).Reason != durward.ReasonUpstreamProtocol {
		t.Errorf("Serve = %v, want that the upstream misbehaves", err)
	}
	id := h.start(t, "2026-07-28")
	h.up.answer = func(*upstream.Request) (durward.Reply, error) {
		return durward.Reply{Modern: true, Result: []byte(`{"resultType":"complete","taskId":"t-1","status":"input_required","inputRequests":{"k":{"method":"sampling/createMessage","params":{}}}}`)}, nil
	}
	if _, err := h.Serve(t.Context(), h.taskCall(t, "2026-07-28", "tasks/get", `{"taskId":"`+id+`"}`), nil); durward.AsError(err).Reason != durward.ReasonUpstreamProtocol {
		t.Errorf("Serve = %v, want that the upstream misbehaves", err)
	}
}

// The capability and the extension are each for their own era, and only where
// an upstream of that era has them.
func TestTasksAreAdvertisedWithinAnEra(t *testing.T) {
	h, _ := taskHouse(t)
	for _, tc := range []struct {
		revision, endpoint string
		extension, core    bool
	}{
		{"2026-07-28", "", true, false}, {"2026-07-28", "old", false, false}, {"2026-07-28", "crm", true, false},
		{"2025-11-25", "", false, true}, {"2025-11-25", "old", false, true}, {"2025-11-25", "crm", false, false},
		{"2025-06-18", "old", false, false},
	} {
		c := h.taskCall(t, tc.revision, "server/discover", `{}`)
		c.Endpoint = tc.endpoint
		d, err := h.Describe(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if mcpwire.ExtendsTasks(d.Capabilities) != tc.extension || mcpwire.ServesTasks(d.Capabilities) != tc.core {
			t.Errorf("%s at %q: capabilities %s", tc.revision, tc.endpoint, d.Capabilities)
		}
	}
}

func bent(name string) string {
	if name[0] == 'A' {
		return "B" + name[1:]
	}
	return "A" + name[1:]
}

// What held the call, or looked at its arguments, was asked before there was a
// task; what is true of the agent now still decides.
func TestATasksRequestsAreNotHeldAgain(t *testing.T) {
	h, _ := taskHouse(t)
	id := h.start(t, "2026-07-28")
	get := func(rules ...durward.PolicyRule) error {
		s := snapshotOf(h)
		s.Upstreams = []durward.Upstream{{Name: "crm"}, {Name: "old"}}
		s.Roles[0].Hold = []string{"crm__add"}
		s.Policy = rules
		if err := h.Load(s); err != nil {
			t.Fatal(err)
		}
		_, err := h.Serve(t.Context(), h.taskCall(t, "2026-07-28", "tasks/get", `{"taskId":"`+id+`"}`), nil)
		return err
	}
	if err := get(); err != nil {
		t.Errorf("of a tool that is held: %v", err)
	}
	if err := get(durward.PolicyRule{Name: "much", When: `args.amount > 5`, Effect: "deny"}, durward.PolicyRule{Name: "asks", When: `agent.name == "bot"`, Effect: "hold"}); err != nil {
		t.Errorf("of a tool whose arguments matter: %v", err)
	}
	if err := get(durward.PolicyRule{Name: "nobody", When: `agent.name == "bot"`, Effect: "deny"}); durward.AsError(err).Code != durward.Forbidden {
		t.Errorf("of an agent that is denied now: %v", err)
	}
}
