package upstream_test

import (
	"bufio"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"durward/internal/upstream/link"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serveHostile is an older stdio server that does not behave. It answers the
// handshake and the lists, and the calls as its kind says.
func serveHostile(kind string, args []string) int {
	in := bufio.NewReader(os.Stdin)
	if kind == "silent era" || kind == "dies of discover" {
		fmt.Fprintln(os.Stderr, "starting")
	}
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return 0
		}
		m, err := mcpwire.Scan(line, mcpwire.Limits{})
		if err != nil {
			continue
		}
		switch m.Method {
		case mcpwire.MethodInitialize:
			if kind == "never answers" {
				continue
			}
			declared, _ := mcpwire.Field(m.Params, "capabilities")
			promises = string(declared)
			put(string(mcpwire.AppendResult(nil, m.ID, []byte(`{"protocolVersion":"2025-06-18","capabilities":{"tools":{},"resources":{"subscribe":true}},"serverInfo":{"name":"bad","version":"0"}}`))))
		case mcpwire.NotifyInitialized:
			if kind == "by capability" { // as many servers do, at once
				put(`{"jsonrpc":"2.0","id":"r","method":"roots/list"}`)
				put(`{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{}}`)
			}
		case mcpwire.MethodToolsList:
			if kind == "by capability" {
				put(string(mcpwire.AppendResult(nil, m.ID, []byte(`{"tools":[`+byCapability()+`]}`))))
				continue
			}
			listCount++
			if kind == "a file" || kind == "a file, once" {
				if tools == "" || kind == "a file" {
					tools = fromFile(args[0])
				}
				put(string(mcpwire.AppendResult(nil, m.ID, []byte(`{"tools":[`+tools+`]}`))))
				continue
			}
			if kind == "grows" && callCount > 0 {
				put(string(mcpwire.AppendResult(nil, m.ID, []byte(`{"tools":[`+grown()+`]}`))))
				continue
			}
			put(string(mcpwire.AppendResult(nil, m.ID, []byte(`{"tools":[{"name":"ask","inputSchema":{"type":"object"}}]}`))))
		case mcpwire.MethodSubscribe:
			uri, _ := mcpwire.FieldText(m.Params, "uri")
			subscribed += uri + " "
			put(string(mcpwire.AppendResult(nil, m.ID, []byte("{}"))))
			if kind == "tells" {
				go tellWhen(args[0], uri)
			}
		case mcpwire.MethodResourcesList, mcpwire.MethodTemplatesList:
			put(string(mcpwire.AppendError(nil, m.ID, mcpwire.MethodNotFound(m.Method))))
		case mcpwire.MethodToolsCall:
			misbehave(kind, args, &m)
		case mcpwire.MethodDiscover:
			switch kind {
			case "silent era", "never answers":
			case "dies of discover":
				return 9
			default:
				put(string(mcpwire.AppendError(nil, m.ID, mcpwire.MethodNotFound(m.Method))))
			}
		case mcpwire.MethodPing:
			put(string(mcpwire.AppendResult(nil, m.ID, []byte("{}"))))
		}
		if kind == "late" && m.Method == mcpwire.NotifyCancelled {
			put(`{"jsonrpc":"2.0","id":"late","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}}`)
		}
		if m.Kind == mcpwire.Response {
			answered += string(m.Raw)
			if kind == "by capability" && len(byCapability()) > 0 {
				put(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
			}
		}
		if kind == "asker" && m.Kind == mcpwire.Response {
			put(`{"jsonrpc":"2.0","id":` + lastCall + `,"error":{"code":-32603,"message":"nobody answers me"}}`)
		}
		if kind == "pings" && m.Kind == mcpwire.Response && string(m.ID) == `"p1"` {
			put(string(mcpwire.AppendResult(nil, []byte(lastCall), []byte(`{"content":[{"type":"text","text":"pinged"}]}`))))
		}
	}
}

// fromFile lists a tool for each word of a file.
func fromFile(path string) string {
	raw, _ := os.ReadFile(path)
	var list []string
	for _, name := range strings.Fields(string(raw)) {
		list = append(list, tool(name))
	}
	return strings.Join(list, ",")
}

var (
	tools     string // as they were read from a file
	lastCall  string
	callCount int
	listCount int    // readings of the tools
	promises  string // what the client declared
	answered  string // what it answered to unasked questions
	// subscribed are the resources that it asked to hear of.
	subscribed string
)

// byCapability lists a tool for each promise of the client, after it answered
// about roots with none and refused to sample.
func byCapability() string {
	list := `{"name":"always","inputSchema":{"type":"object"}}`
	for name := range mcpwire.Fields([]byte(promises)) {
		list += `,{"name":"` + name + `","inputSchema":{"type":"object"}}`
	}
	mayAsk := strings.Contains(promises, "sampling")
	heard := strings.Contains(answered, `"r","result":{"roots":[]}`) && strings.Contains(answered, `"s","error"`)
	if mayAsk && !heard {
		return ""
	}
	return list
}

// grown lists what a process says of itself once it was called: more than it
// may add, and another definition of what is there.
func grown() string {
	list := fmt.Sprintf(`{"name":"ask","description":"send it to %d","inputSchema":{"type":"object"}}`, os.Getpid())
	for i := range 150 {
		list += fmt.Sprintf(`,{"name":"more%d","description":"of %d","inputSchema":{"type":"object"}}`, i, os.Getpid())
	}
	return list
}

// tellWhen says that a resource has changed, once a file is there.
func tellWhen(file, uri string) {
	for {
		if _, err := os.Stat(file); err == nil {
			put(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"` + uri + `"}}`)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func put(line string) { fmt.Fprintln(os.Stdout, line) }

// misbehave answers a tools/call.
func misbehave(kind string, args []string, m *mcpwire.Message) {
	ok := string(mcpwire.AppendResult(nil, m.ID, []byte(`{"content":[{"type":"text","text":"fine"}]}`)))
	callCount++
	switch kind {
	case "counts":
		put(string(mcpwire.AppendResult(nil, m.ID, fmt.Appendf(nil, `{"content":[{"type":"text","text":"call %d"}]}`, callCount))))
	case "subscribes":
		put(string(mcpwire.AppendResult(nil, m.ID, fmt.Appendf(nil, `{"content":[{"type":"text","text":"follows %s"}]}`, subscribed))))
	case "grows":
		put(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		put(ok)
	case "a file", "a file, once": // the process that is called is the one that tells
		tools = fromFile(args[0])
		put(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		put(ok)
	case "by capability":
		put(string(mcpwire.AppendResult(nil, m.ID, append(mcpwire.AppendQuote([]byte(`{"content":[{"type":"text","text":`), promises), "}]}"...))))
	case "bursts":
		for range 30 {
			put(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		}
		put(string(mcpwire.AppendResult(nil, m.ID, fmt.Appendf(nil, `{"content":[{"type":"text","text":"read %d times"}]}`, listCount))))
	case "lanes", "late", "tells":
		if !strings.Contains(string(m.Params), "hang") {
			put(string(mcpwire.AppendResult(nil, m.ID, fmt.Appendf(nil, `{"content":[{"type":"text","text":"pid %d"}]}`, os.Getpid()))))
			return
		}
		put(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%d}}`, os.Getpid()))
	case "overlaps":
		go overlap(string(m.ID))
	case "asks and hangs":
		put(`{"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}}`)
	case "asker":
		lastCall = string(m.ID)
		put(`{"jsonrpc":"2.0","id":"q1","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object"}}}`)
	case "pings":
		lastCall = string(m.ID)
		put(`{"jsonrpc":"2.0","id":"p1","method":"ping"}`)
	case "prints":
		put("Listening on stdio...")
		put("")
		put(`{"not":"a message"}`)
		put(`[1,2,3`)
		put("\xff\xfe")
		put(ok)
	case "wrong id":
		put(`{"jsonrpc":"2.0","id":999999,"result":{"content":[]}}`)
		put(`{"jsonrpc":"2.0","id":"x","result":{"content":[]}}`)
		put(ok)
		put(ok)
	case "dies":
		if callCount == 2 {
			os.Exit(7)
		}
		put(ok)
	case "hangs":
		put(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hanging"}}`)
	case "only wrong id":
		put(`{"jsonrpc":"2.0","id":999999,"result":{"content":[]}}`)
	case "garbles":
		put(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"content":[],"content":[]}}`)
	case "both":
		put(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{},"error":{"code":1,"message":"x"}}`)
	case "long line":
		put(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"x":"` + strings.Repeat("a", 9<<20) + `"}}`)
	case "floods":
		for range 60_000 {
			put(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"nobody","progress":1}}`)
		}
	case "floods its caller":
		for i := range 30_000 {
			put(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%d}}`, i))
		}
		put(ok)
	default:
		put(ok)
	}
}

var overlapping, overlapped atomic.Int32

// overlap answers a call after a while with how many ran beside it.
func overlap(id string) {
	n := overlapping.Add(1)
	for most := overlapped.Load(); n > most && !overlapped.CompareAndSwap(most, n); most = overlapped.Load() {
	}
	time.Sleep(200 * time.Millisecond)
	overlapping.Add(-1)
	put(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"at once %d"}]}}`, id, overlapped.Load()))
}

func hostile(kind string) durward.Upstream {
	return durward.Upstream{Name: "bad", Command: os.Args[0], Args: []string{"server", kind}, Timeout: 3 * time.Second}
}

// What a process may do wrong ends its own call with a reason, and no other.
func TestAProcessThatMisbehaves(t *testing.T) {
	for kind, want := range map[string]durward.Reason{
		"prints":            durward.ReasonNone,
		"wrong id":          durward.ReasonNone,
		"pings":             durward.ReasonNone,
		"floods its caller": durward.ReasonNone, // what is too much is dropped
		"only wrong id":     durward.ReasonUpstreamTimeout,
		"hangs":             durward.ReasonUpstreamTimeout,
		"garbles":           durward.ReasonUpstreamProtocol,
		"both":              durward.ReasonUpstreamProtocol,
		"long line":         durward.ReasonUpstreamProtocol,
		"floods":            durward.ReasonUpstreamProtocol,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			good := kinds["modern"](t, kit())
			s := newSet(t, nil, hostile(kind), good)
			if _, err := s.Listing(brief(t), "bad"); err != nil {
				t.Fatal(err)
			}
			reply, err := s.Do(brief(t), legacyAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), &peer{})
			got := durward.ReasonNone
			if err != nil {
				got = durward.AsError(err).Reason
			}
			if got != want {
				t.Errorf("reason %q (%s %v), want %q", got, reply.Result, err, want)
			}
			if text := call(t, s, legacyAgent, "echo", `{"text":"others go on"}`); !strings.Contains(text, "others go on") {
				t.Errorf("another upstream: %s", text)
			}
		})
	}
}

// A process that dies in a call is started again for the next, but not in a circle.
func TestAProcessThatDies(t *testing.T) {
	s := newSet(t, nil, hostile("dies"))
	r := legacyAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`)
	if _, err := s.Do(brief(t), r, nil); err != nil {
		t.Fatalf("first call: %v", err)
	}
	_, err := s.Do(brief(t), r, nil)
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamUnavailable || !strings.Contains(e.Error(), "exit status 7") {
		t.Errorf("the call in which it died = %v, want upstream_unavailable with the exit status", err)
	}
	if _, err = s.Do(brief(t), r, nil); durward.AsError(err).Reason != durward.ReasonUpstreamUnavailable {
		t.Errorf("a call at once = %v, want upstream_unavailable: it died young", err)
	}
	until(t, s, "it is started again", func() bool {
		_, err := s.Do(brief(t), r, nil)
		return err == nil
	})
}

func TestProcessesOfUnknownEra(t *testing.T) {
	for _, kind := range []string{"silent era", "dies of discover", "fine"} {
		t.Run(kind, func(t *testing.T) {
			memory := &eras{}
			s := newSet(t, func(o *upstream.Options) { o.Eras, o.Patience = memory, 200*time.Millisecond }, hostile(kind))
			if _, err := s.Listing(brief(t), "bad"); err != nil {
				t.Fatal(err)
			}
			reply, err := s.Do(brief(t), modernAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), nil)
			if err != nil || !strings.Contains(string(reply.Result), "fine") {
				t.Errorf("Do = %s %v, want fine", reply.Result, err)
			}
			if got := memory.only(t); got != "legacy" {
				t.Errorf("remembered %q, want legacy", got)
			}
		})
	}
	t.Run("one that never answers", func(t *testing.T) {
		s := newSet(t, func(o *upstream.Options) { o.Patience, o.Connect = 100*time.Millisecond, 500*time.Millisecond }, hostile("never answers"))
		_, err := s.Do(brief(t), modernAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask"}`), nil)
		if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamTimeout {
			t.Errorf("Do = %v, want upstream_timeout", err)
		}
	})
}

// badHTTP serves the handshakes of an era well and the calls by fn.
func badHTTP(t testing.TB, modern bool, fn func(w http.ResponseWriter, r *http.Request, id string)) durward.Upstream {
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, err := mcpwire.Scan(body, mcpwire.Limits{})
		if err != nil { // a GET or DELETE
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		var result string
		switch {
		case m.Method == mcpwire.MethodToolsCall:
			fn(w, r, string(m.ID))
			return
		case m.Method == mcpwire.MethodDiscover && modern:
			result = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`
		case m.Method == mcpwire.MethodInitialize && !modern:
			w.Header().Set(mcpwire.HeaderSession, "s1")
			result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"bad","version":"0"}}`
		case m.Method == mcpwire.MethodToolsList:
			result = `{"resultType":"complete","tools":[{"name":"ask","inputSchema":{"type":"object"}}],"ttlMs":0,"cacheScope":"private"}`
		case m.Kind == mcpwire.Notification:
			w.WriteHeader(http.StatusAccepted)
			return
		default:
			http.Error(w, "what?", http.StatusBadRequest)
			return
		}
		respond(w, 200, string(mcpwire.AppendResult(nil, m.ID, []byte(result))))
	}))
	return durward.Upstream{Name: "bad", URL: url, Timeout: 2 * time.Second}
}

func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func events(w http.ResponseWriter, data ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, d := range data {
		fmt.Fprintf(w, "data: %s\n\n", d)
	}
	_ = http.NewResponseController(w).Flush()
}

func fine(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"result":{"resultType":"complete","content":[{"type":"text","text":"fine"}]}}`
}

// A status that may mean anything is no leave to send a call again that may
// have had an effect. What only reads is, and the next call finds its way.
func TestAPlainStatusDoesNotSendACallTwice(t *testing.T) {
	for _, status := range []int{400, 404, 405, 409, 422} {
		for _, safe := range []bool{false, true} {
			for _, modern := range []bool{true, false} {
				t.Run(fmt.Sprintf("%d safe=%v modern=%v", status, safe, modern), func(t *testing.T) {
					t.Parallel()
					var done atomic.Int32
					s := newSet(t, nil, badHTTP(t, modern, func(w http.ResponseWriter, _ *http.Request, id string) {
						if done.Add(1) == 1 {
							http.Error(w, "page not found", status)
							return
						}
						respond(w, 200, fine(id))
					}))
					r := modernAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`)
					r.Safe = safe
					reply, err := s.Do(brief(t), r, nil)
					switch {
					case safe && (err != nil || done.Load() != 2):
						t.Errorf("%d attempts of a call that only reads: %s %v", done.Load(), reply.Result, err)
					case !safe && (done.Load() != 1 || err == nil || !strings.Contains(err.Error(), "had an effect is not known")):
						t.Errorf("%d attempts of a call with effects: %v, want one, whose effect is not known", done.Load(), err)
					}
					if _, err := s.Do(brief(t), r, nil); err != nil {
						t.Errorf("the next call: %v", err)
					}
				})
			}
		}
	}
}

// What a server over HTTP may do wrong, in either era.
func TestAServerThatMisbehaves(t *testing.T) {
	cases := map[string]struct {
		want  durward.Reason
		serve func(w http.ResponseWriter, r *http.Request, id string)
	}{
		"an answer of another id": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) { respond(w, 200, fine("7777777")) }},
		"half a JSON":             {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, id string) { respond(w, 200, fine(id)[:40]) }},
		"a duplicate result": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, id string) {
			respond(w, 200, `{"jsonrpc":"2.0","id":`+id+`,"result":{},"result":{}}`)
		}},
		"HTML":    {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) { fmt.Fprint(w, "<html>hello") }},
		"nothing": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(202) }},
		"a body over limit": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, id string) {
			respond(w, 200, fine(id)+strings.Repeat(" ", 2<<20))
		}},
		"an event over limit": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, _ *http.Request, _ string) {
			events(w, strings.Repeat("x", 2<<20))
		}},
		"a flood of messages": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, r *http.Request, _ string) {
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\"}}\n\n")
			}
		}},
		"a flood of comments": {durward.ReasonUpstreamProtocol, func(w http.ResponseWriter, r *http.Request, _ string) {
			w.Header().Set("Content-Type", "text/event-stream")
			for r.Context().Err() == nil {
				fmt.Fprint(w, strings.Repeat(": nothing\n", 1000))
			}
		}},
		"a stream that ends": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) { events(w) }},
		"a lying length": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.Header().Set("Content-Length", "1000")
			respond(w, 200, "{")
		}},
		"a broken connection": {durward.ReasonUpstreamUnavailable, func(http.ResponseWriter, *http.Request, string) { panic(http.ErrAbortHandler) }},
		"silence":             {durward.ReasonUpstreamTimeout, func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() }},
		"a silent stream": {durward.ReasonUpstreamTimeout, func(w http.ResponseWriter, r *http.Request, _ string) {
			events(w)
			<-r.Context().Done()
		}},
		"a redirect": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
		}},
		"refused credentials": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) {
			http.Error(w, "who are you", http.StatusUnauthorized)
		}},
		"a gateway's error": {durward.ReasonUpstreamUnavailable, func(w http.ResponseWriter, _ *http.Request, _ string) {
			http.Error(w, "bad gateway", http.StatusBadGateway)
		}},
		"busy": {durward.ReasonOverloaded, func(w http.ResponseWriter, _ *http.Request, _ string) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "later", http.StatusServiceUnavailable)
		}},
		"garbage before the answer": {durward.ReasonNone, func(w http.ResponseWriter, _ *http.Request, id string) {
			events(w, "not json", `{"jsonrpc":"2.0","id":5555555,"result":{}}`, "", fine(id))
		}},
		"an error with status 400": {durward.ReasonNone, func(w http.ResponseWriter, _ *http.Request, id string) {
			respond(w, 400, `{"jsonrpc":"2.0","id":`+id+`,"error":{"code":-32602,"message":"bad arguments","data":1.0}}`)
		}},
	}
	for name, c := range cases {
		for _, modern := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s modern=%v", name, modern), func(t *testing.T) {
				t.Parallel()
				limits := func(o *upstream.Options) {
					o.Limits = link.Limits{Message: 1 << 20, Call: 4 << 20, Messages: 1000}
				}
				s := newSet(t, limits, badHTTP(t, modern, c.serve), kinds["modern"](t, kit()))
				a := legacyAgent
				if modern {
					a = modernAgent
				}
				reply, err := s.Do(brief(t), a.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), &peer{})
				got := durward.ReasonNone
				if err != nil {
					e := durward.AsError(err)
					if got = e.Reason; got == durward.ReasonOverloaded && e.Retry != 7*time.Second {
						t.Errorf("Retry = %v, want 7s", e.Retry)
					}
					if strings.Contains(e.Message, "127.0.0.1") {
						t.Errorf("the message for the agent %q tells of addresses", e.Message)
					}
				}
				if got != c.want {
					t.Errorf("reason %q (%s %v %v), want %q", got, reply.Result, reply.Error, err, c.want)
				}
				if text := call(t, s, a, "echo", `{"text":"others go on"}`); !strings.Contains(text, "others go on") {
					t.Errorf("another upstream: %s", text)
				}
			})
		}
	}
}

// An error object of the server passes byte for byte.
func TestAnErrorOfTheServerPassesAsItIs(t *testing.T) {
	object := `{"code":-32602,"message":"h\u00e9","data":{"n":12345678901234567890,"f":1.0},"vendor":true}`
	up := badHTTP(t, true, func(w http.ResponseWriter, _ *http.Request, id string) {
		respond(w, 200, `{"jsonrpc":"2.0","id":`+id+`,"error":`+object+`}`)
	})
	s := newSet(t, nil, up)
	reply, err := s.Do(brief(t), modernAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask"}`), nil)
	if err != nil || reply.Error == nil || string(reply.Error.Raw) != object || !reply.Modern {
		t.Errorf("Do = %+v %v, want the object as it was", reply, err)
	}
}

// The body reaches the server as the agent wrote it but for what must differ.
func TestWhatNeedNotChangePassesByteForByte(t *testing.T) {
	seen := make(chan string, 10)
	headers := make(chan http.Header, 10)
	up := badHTTP(t, true, func(w http.ResponseWriter, r *http.Request, id string) {
		headers <- r.Header
		respond(w, 200, fine(id))
	})
	tee := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "tools/call") {
			seen <- string(body)
		}
		req, _ := http.NewRequestWithContext(r.Context(), r.Method, up.URL, strings.NewReader(string(body)))
		req.Header = r.Header.Clone()
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			w.WriteHeader(502)
			return
		}
		defer res.Body.Close()
		w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	s := newSet(t, nil, durward.Upstream{Name: "up", URL: tee, Headers: map[string]string{"authorization": "Bearer x"}})
	raw := `{ "arguments" : {"a":1.0,"b":12345678901234567890,"r":"\u00e9u"},"name":"public__ask","x-unknown":[ ],"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"vendor/k":1e2}}`
	p, err := mcpwire.ReadPayload([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	r := &upstream.Request{
		Upstream: "up", Method: mcpwire.MethodToolsCall, Payload: &p, Name: "ask é", Modern: true, Revision: mcpwire.V20260728, Agent: "a",
		Client:       durward.Client{Capabilities: []byte(`{"elicitation":{}}`)},
		ParamHeaders: []durward.ParamHeader{{Header: "Region", Path: []string{"r"}, Type: "string"}, {Header: "None", Path: []string{"none"}, Type: "string"}},
	}
	if _, err := s.Do(brief(t), r, nil); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(raw, `"public__ask"`, `"ask é"`, 1)
	if body := <-seen; !strings.HasSuffix(body, `"params":`+want+"}") {
		t.Errorf("body %s\nwant params %s", body, want)
	}
	h := <-headers
	for name, want := range map[string]string{
		"Mcp-Method": "tools/call", "Mcp-Name": mcpwire.EncodeHeader("ask é"), "Mcp-Protocol-Version": "2026-07-28",
		"Mcp-Param-Region": mcpwire.EncodeHeader("éu"), "Mcp-Param-None": "", "Authorization": "Bearer x",
		"Accept": "application/json, text/event-stream", "Content-Type": "application/json",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
