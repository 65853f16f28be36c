package upstream_test

import (
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// script serves an era's handshake and answers everything else by a function
// of method and message; "" is method not found.
type script struct {
	modern  bool
	caps    string
	answer  func(m *mcpwire.Message) string
	request func(r *http.Request, m *mcpwire.Message)
}

func (s script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m, err := mcpwire.Scan(body, mcpwire.Limits{Bytes: 64 << 20})
	if s.request != nil {
		s.request(r, &m)
	}
	if err != nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if m.Kind != mcpwire.Request {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	var result string
	switch {
	case m.Method == mcpwire.MethodDiscover && s.modern:
		result = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":` + s.caps + `,"ttlMs":60000,"cacheScope":"private"}`
	case m.Method == mcpwire.MethodInitialize && !s.modern:
		w.Header().Set(mcpwire.HeaderSession, "s1")
		result = `{"protocolVersion":"2025-11-25","capabilities":` + s.caps + `,"serverInfo":{"name":"script","version":"0"}}`
	default:
		result = s.answer(&m)
	}
	switch {
	case strings.HasPrefix(result, "error "):
		respond(w, 200, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"error":`+result[6:]+`}`)
	case result == "":
		respond(w, 404, string(mcpwire.AppendError(nil, m.ID, mcpwire.MethodNotFound(m.Method))))
	default:
		respond(w, 200, string(mcpwire.AppendResult(nil, m.ID, []byte(result))))
	}
}

func (s script) up(t testing.TB) durward.Upstream {
	return durward.Upstream{Name: "up", URL: serveHTTP(t, s)}
}

func tool(name string) string {
	return `{"name":"` + name + `","inputSchema":{"type":"object"},"x":1.0}`
}

func TestPagesAreReadToTheEnd(t *testing.T) {
	for _, modern := range []bool{true, false} {
		s := newSet(t, nil, script{modern: modern, caps: `{"tools":{},"prompts":{}}`, answer: func(m *mcpwire.Message) string {
			cursor, has := mcpwire.FieldText(m.Params, "cursor")
			switch {
			case m.Method == mcpwire.MethodPromptsList:
				return `{"prompts":[],"ttlMs":5}`
			case m.Method != mcpwire.MethodToolsList:
				return ""
			case !has:
				return `{"tools":[` + tool("a") + `],"nextCursor":""}`
			case cursor == "": // an empty cursor is one
				return `{"tools":[` + tool("b") + `],"nextCursor":"é\u0001"}`
			case cursor == "é\x01":
				return `{"tools":[` + tool("c") + `]}`
			}
			return `error {"code":-32602,"message":"no such cursor"}`
		}}.up(t))
		l, err := s.Listing(brief(t), "up")
		if err != nil || names(l.Tools) != "a b c" || l.Err != nil {
			t.Errorf("modern %v: tools %q %v %v, want a b c", modern, names(l.Tools), l.Err, err)
		}
		if string(l.Tools[0]) != tool("a") {
			t.Errorf("item %s, want it byte for byte", l.Tools[0])
		}
	}
}

func TestAListWithoutEndIsCutOff(t *testing.T) {
	for name, next := range map[string]func(n int) string{
		"the same cursor for ever": func(int) string { return "c" },
		"new cursors for ever":     func(n int) string { return fmt.Sprint(n) },
	} {
		t.Run(name, func(t *testing.T) {
			var pages atomic.Int32
			s := newSet(t, nil, script{modern: true, caps: `{"tools":{},"prompts":{}}`, answer: func(m *mcpwire.Message) string {
				if m.Method == mcpwire.MethodPromptsList {
					return `{"prompts":[{"name":"p"}]}`
				}
				n := int(pages.Add(1))
				return `{"tools":[` + tool(fmt.Sprint("t", n)) + `],"nextCursor":"` + next(n) + `"}`
			}}.up(t))
			l, err := s.Listing(brief(t), "up")
			if err != nil || l.Err == nil || durward.AsError(l.Err).Reason != durward.ReasonUpstreamProtocol {
				t.Fatalf("Listing = %v %v, want a listing with trouble", l, err)
			}
			if len(l.Tools) == 0 || len(l.Prompts) != 1 || pages.Load() > 1001 {
				t.Errorf("%d tools, %d prompts, %d pages; want what could be read", len(l.Tools), len(l.Prompts), pages.Load())
			}
		})
	}
}

// One bad item or one refused list costs no other.
func TestWhatCannotBeOfferedIsLeftOut(t *testing.T) {
	items := []string{
		tool("good"), `{"name":"no schema"}`, `{"name":"twice","name":"thrice","inputSchema":{}}`, `7`,
		`{"name":"bad header","inputSchema":{"type":"object","properties":{"n":{"type":"number","x-mcp-header":"N"}}}}`,
		`{"name":"task","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}`,
	}
	for modern, want := range map[bool]string{true: "good task", false: "good bad header"} {
		s := newSet(t, nil, script{modern: modern, caps: `{"tools":{},"prompts":{},"resources":{}}`, answer: func(m *mcpwire.Message) string {
			switch m.Method {
			case mcpwire.MethodToolsList:
				return `{"tools":[` + strings.Join(items, ",") + `]}`
			case mcpwire.MethodPromptsList:
				return `error {"code":-32603,"message":"broken"}`
			case mcpwire.MethodResourcesList:
				return `{"resources":[{"uri":"a:b","name":"r"}]}`
			}
			return "" // no templates
		}}.up(t))
		l, err := s.Listing(brief(t), "up")
		if err != nil || names(l.Tools) != want || len(l.Resources) != 1 || l.Err == nil {
			t.Errorf("modern %v: tools %q, %d resources, %v %v; want %q, 1 and trouble", modern, names(l.Tools), len(l.Resources), l.Err, err, want)
		}
		if left := s.Status()[0].LeftOut; len(left) < 3 || !strings.Contains(strings.Join(left, "\n"), "duplicate key") {
			t.Errorf("modern %v: %q is said of what is left out", modern, left)
		}
	}
}

// Items that are left out are items: a list of nothing else has its bound, too.
func TestAListOfBadItemsIsCutOff(t *testing.T) {
	var pages atomic.Int32
	page := `{"tools":[` + strings.Repeat("{},", 1999) + `{}],"nextCursor":"`
	s := newSet(t, nil, script{modern: true, caps: `{"tools":{}}`, answer: func(*mcpwire.Message) string {
		return page + fmt.Sprint(pages.Add(1)) + `"}`
	}}.up(t))
	l, err := s.Listing(brief(t), "up")
	if err != nil || l.Err == nil || pages.Load() != 11 {
		t.Errorf("Listing = %v, %d pages; want trouble after 20,000 items", err, pages.Load())
	}
}

// A stale listing stays when it cannot be read anew, and says so.
func TestAStaleListingStays(t *testing.T) {
	var broken atomic.Bool
	sc := script{modern: true, caps: `{"tools":{}}`, answer: func(*mcpwire.Message) string {
		return `{"tools":[` + tool("a") + `]}`
	}}
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		sc.ServeHTTP(w, r)
	}))
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
	if _, err := s.Listing(brief(t), "up"); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	s.Refresh("up")
	until(t, s, "the failure shows", func() bool { return s.Listings()[0].Err != nil })
	l := s.Listings()[0]
	if names(l.Tools) != "a" || l.Generation != 1 || s.Status()[0].State != "failed" {
		t.Errorf("listing %q of generation %d, %s; want the old one", names(l.Tools), l.Generation, s.Status()[0].State)
	}
	broken.Store(false)
	until(t, s, "it is read again", func() bool { return s.Listings()[0].Err == nil })
	if l := s.Listings()[0]; l.Generation != 1 {
		t.Errorf("generation %d of what did not change, want 1", l.Generation)
	}
}

// A server that says that headers and body disagree has its tool read again
// and gets the call once more; one that goes on saying so is at fault.
func TestAHeaderMismatchIsMendedOnce(t *testing.T) {
	for _, stubborn := range []bool{false, true} {
		var mu sync.Mutex
		var sent []string
		sc := script{modern: true, caps: `{"tools":{}}`}
		sc.answer = func(m *mcpwire.Message) string {
			switch m.Method {
			case mcpwire.MethodToolsList:
				return `{"tools":[{"name":"t","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"Region"}}}}]}`
			case mcpwire.MethodToolsCall:
				mu.Lock()
				defer mu.Unlock()
				if last := sent[len(sent)-1]; last == "" || stubborn {
					return `error {"code":-32020,"message":"Header mismatch"}`
				}
				return `{"resultType":"complete","content":[]}`
			}
			return ""
		}
		sc.request = func(r *http.Request, m *mcpwire.Message) {
			if m.Method == mcpwire.MethodToolsCall {
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, r.Header.Get("Mcp-Param-Region"))
			}
		}
		s := newSet(t, nil, sc.up(t))
		reply, err := s.Do(brief(t), modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"t","arguments":{"r":"eu"}}`), nil)
		if stubborn {
			if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamProtocol {
				t.Errorf("a stubborn server: %v, want upstream_protocol", err)
			}
		} else if err != nil || reply.Error != nil {
			t.Errorf("Do = %v %v, want an answer", reply.Error, err)
		}
		if fmt.Sprintf("%q", sent) != `["" "eu"]` {
			t.Errorf("headers sent %q, want none and then eu", sent)
		}
	}
}

// A server that stops speaking our revision is spoken to in one of its own.
func TestAnUnsupportedVersionIsNegotiatedAgain(t *testing.T) {
	var older atomic.Bool
	modern := script{modern: true, caps: `{"tools":{}}`, answer: func(m *mcpwire.Message) string { return `{"resultType":"complete","content":[],"tools":[]}` }}
	legacy := script{caps: `{"tools":{}}`, answer: func(m *mcpwire.Message) string {
		if m.Method == mcpwire.MethodDiscover || strings.Contains(string(m.Params), mcpwire.MetaProtocolVersion) {
			return `error {"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2025-11-25"],"requested":"2026-07-28"}}`
		}
		return `{"content":[],"tools":[]}`
	}}
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if older.Load() {
			legacy.ServeHTTP(w, r)
			return
		}
		modern.ServeHTTP(w, r)
	}))
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: url})
	r := modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"t","arguments":{}}`)
	for _, want := range []bool{true, false} {
		older.Store(!want)
		reply, err := s.Do(brief(t), r, nil)
		if err != nil || reply.Error != nil || reply.Modern != want {
			t.Errorf("Do = %+v %v, want an answer with Modern %v", reply, err, want)
		}
	}
}

// A server that refuses our revision and offers the very same is asked again.
func TestAnOfferOfOurOwnRevisionIsTaken(t *testing.T) {
	var asked atomic.Int32
	modern := script{modern: true, caps: `{"tools":{}}`, answer: func(m *mcpwire.Message) string { return `{"resultType":"complete","content":[],"tools":[]}` }}
	refuses := script{answer: func(m *mcpwire.Message) string {
		return `error {"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2026-07-28"],"requested":"2026-07-28"}}`
	}}
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			refuses.ServeHTTP(w, r)
			return
		}
		modern.ServeHTTP(w, r)
	}))})
	reply, err := s.Do(brief(t), modernAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"t","arguments":{}}`), nil)
	if err != nil || reply.Error != nil || !reply.Modern {
		t.Errorf("Do = %+v %v, want an answer", reply, err)
	}
}

// An introspection says that it can do everything, so that all tools are
// listed, and lets nobody be asked anything.
func TestAServerThatListsByCapability(t *testing.T) {
	up := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "by capability"}, Era: "legacy"}
	s := newSet(t, nil, up)
	until(t, s, "every tool is listed", func() bool { return names(s.Listings()[0].Tools) == "always elicitation roots sampling extensions" })
	// An agent's process gets the agent's own promises, no more.
	if text := call(t, s, agent{revision: mcpwire.V20251125, name: "a", caps: `{"roots":{"listChanged":true},"experimental":{"x":{}},"tasks":{}}`}, "always", "{}"); !strings.Contains(text, `{\"roots\":{}}`) {
		t.Errorf("declared: %s, want the roots alone", text)
	}
	if text := call(t, s, modernAgent, "always", "{}"); !strings.Contains(text, `"text":"{}"`) {
		t.Errorf("declared for a modern agent: %s, want nothing", text)
	}
	able := agent{revision: mcpwire.V20260728, name: "a", caps: `{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`}
	r := able.request(t, "up", mcpwire.MethodToolsCall, `{"name":"always"}`)
	r.Answers = true
	if reply, err := s.Do(brief(t), r, &peer{}); err != nil || !strings.Contains(string(reply.Result), `{\"elicitation\":{}}`) {
		t.Errorf("declared for a modern agent that can be asked: %s %v, want elicitation", reply.Result, err)
	}
}

// A peer that bridges is asked what an older server asks a modern client.
func TestAPeerThatBridgesIsAsked(t *testing.T) {
	s := newSet(t, nil, kinds["legacy"](t, kit()))
	a := agent{revision: mcpwire.V20260728, name: "a", caps: elicits}
	r := a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`)
	r.Answers = true
	p := &peer{answer: func(string, []byte) ([]byte, error) { return []byte(`{"action":"decline"}`), nil }}
	reply, err := s.Do(brief(t), r, p)
	if err != nil || !strings.Contains(string(reply.Result), "user said decline") {
		t.Errorf("Do = %s %v %v, want that the user declined", reply.Result, reply.Error, err)
	}
}

// While a process may ask its client something, one call runs at a time, so
// that its questions have an owner; without such promises calls run side by side.
func TestOneCallAtATimeWhereQuestionsNeedAnOwner(t *testing.T) {
	t.Parallel()
	for caps, want := range map[string]int{"{}": 4, elicits: 1} {
		up := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "overlaps"}, Era: "legacy"}
		s := newSet(t, nil, up)
		a := agent{revision: mcpwire.V20251125, name: "a", session: "s", caps: caps}
		results := make(chan string, 4)
		for range 4 {
			go func() { results <- call(t, s, a, "overlaps", "{}") }()
		}
		most := 0
		for range 4 {
			var n int
			_, text, _ := strings.Cut(<-results, "at once ")
			_, _ = fmt.Sscan(text, &n)
			most = max(most, n)
		}
		if most != want {
			t.Errorf("capabilities %s: %d calls at once, want %d", caps, most, want)
		}
	}
}

// Idle processes end, and start again when they are needed.
func TestIdleProcessesEnd(t *testing.T) {
	up := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "counts"}, Era: "legacy"}
	s := newSet(t, func(o *upstream.Options) { o.Idle = 200 * time.Millisecond }, up)
	if text := call(t, s, legacyAgent, "ask", "{}"); !strings.Contains(text, "call 1") {
		t.Errorf("first call = %s", text)
	}
	until(t, s, "all processes have ended", func() bool { return s.Status()[0].State == "idle" })
	if text := call(t, s, legacyAgent, "ask", "{}"); !strings.Contains(text, "call 1") {
		t.Errorf("a call after a pause = %s, want the first of a new process", text)
	}
	if l := s.Listings()[0]; names(l.Tools) != "ask" || l.Err != nil {
		t.Errorf("listing %q %v, want what was read", names(l.Tools), l.Err)
	}
}
