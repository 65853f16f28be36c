package upstream_test

import (
	"bufio"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"fmt"
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

// tellWhen says that a resource has changed, at the time that a file tells once
// it is there, and that it waits for that with a file of its own.
func tellWhen(file, uri string) {
	_ = os.WriteFile(fmt.Sprint(file, ".", os.Getpid()), nil, 0o600)
	for {
		if raw, err := os.ReadFile(file); err == nil {
			var at time.Time
			_ = at.UnmarshalText(raw)
			time.Sleep(time.Until(at))
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
	case "garbles in a batch":
		put(`[{"jsonrpc":"2.0","method":"notifications/message","params":{}},{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":7}]`)
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

// overlap answers a call, when four run or after a while, with how many ran beside it.
func overlap(id string) {
	n := overlapping.Add(1)
	for most := overlapped.Load(); n > most && !overlapped.CompareAndSwap(most, n); most = overlapped.Load() {
	}
	for end := time.Now().Add(1500 * time.Millisecond); overlapped.Load() < 4 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	overlapping.Add(-1)
	put(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"at once %d"}]}}`, id, overlapped.Load()))
}

func hostile(kind string) durward.Upstream {
	return durward.Upstream{Name: "bad", Command: os.Args[0], Args: []string{"server", kind}, Timeout: 3 * time.Second}
}

// What a process may do wrong ends its own call with a reason, and no other.
func TestAProcessThatMisbehaves(t *testing.T) {
	for kind, want := range map[string]durward.Reason{
		"prints":             durward.ReasonNone,
		"wrong id":           durward.ReasonNone,
		"pings":              durward.ReasonNone,
		"floods its caller":  durward.ReasonNone, // what is too much is dropped
		"only wrong id":      durward.ReasonUpstreamTimeout,
		"hangs":              durward.ReasonUpstreamTimeout,
		"garbles in a batch": durward.ReasonUpstreamProtocol,
		"garbles":            durward.ReasonUpstreamProtocol,
		"both":               durward.ReasonUpstreamProtocol,
		"long line":          durward.ReasonUpstreamProtocol,
		"floods":             durward.ReasonUpstreamProtocol,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			good := kinds["modern"](t, kit())
			up := hostile(kind)
			if want != durward.ReasonUpstreamTimeout {
				up.Timeout = time.Minute
			}
			s := newSet(t, nil, up, good)
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
	t.Parallel()
	s := newSet(t, nil, hostile("dies"))
	r := legacyAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`)
	if _, err := s.Do(brief(t), r, nil); err != nil {
		t.Fatalf("first call: %v", err)
	}
	alive := time.Now() // it dies after that
	_, err := s.Do(brief(t), r, nil)
	if e := durward.AsError(err); e.Reason != durward.ReasonUpstreamUnavailable || !strings.Contains(e.Error(), "exit status 7") {
		t.Errorf("the call in which it died = %v, want upstream_unavailable with the exit status", err)
	}
	if _, err = s.Do(brief(t), r, nil); err == nil && time.Since(alive) > time.Second {
		t.Log("this machine is too slow to call at once")
	} else if err == nil || durward.AsError(err).Reason != durward.ReasonUpstreamUnavailable {
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
