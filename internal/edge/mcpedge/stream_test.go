package mcpedge_test

import (
	"bufio"
	"context"
	"durward"
	"durward/internal/edge"
	"durward/internal/edge/mcpedge"
	"durward/internal/httpwire"
	"durward/internal/mcpwire"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// wire is an answer that is read while it comes.
type wire struct {
	*http.Response
	events *mcpwire.EventReader
	leave  context.CancelFunc
}

// stream sends a request whose answer is read in parts.
func (h *house) stream(t testing.TB, method, path, body string, hs ...string) *wire {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := h.client.Do(h.requestTo(t, method, path, body, hs).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() })
	return &wire{resp, mcpwire.NewEventReader(resp.Body, 8<<20), cancel}
}

// next returns the data of the next event that has some, "EOF" at the end.
func (w *wire) next(t testing.TB) string {
	t.Helper()
	for {
		if e := w.event(t); len(e.Data) > 0 {
			return string(e.Data)
		}
	}
}

// event returns the next event, even one that only primes.
func (w *wire) event(t testing.TB) mcpwire.Event {
	t.Helper()
	e, err := w.events.Next()
	if errors.Is(err, io.EOF) {
		return mcpwire.Event{Data: []byte("EOF")}
	}
	if err != nil {
		t.Fatalf("next event: %v", err)
	}
	return e
}

func (w *wire) wants(t testing.TB, want string) {
	t.Helper()
	if got := w.next(t); got != want {
		t.Errorf("next event = %s, want %s", got, want)
	}
}

// within fails the test when a channel stays silent.
func within[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		t.Fatalf("%s did not happen", what)
	}
	return v
}

// soon waits until something is so.
func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

func TestNotificationsTurnTheAnswerIntoAStream(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	r := h.post(t, call(`"x"`, "progress"), s)
	want := []string{
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":0}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":2}}`,
		`{"jsonrpc":"2.0","id":"x","result":{"content":[{"type":"text","text":"done"}]}}`,
	}
	if got := events(t, r.body); !slices.Equal(got, want) {
		t.Errorf("events = %q, want %q", got, want)
	}
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Cache-Control": "no-store"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestWhoTakesOnlyJSONGetsTheAnswerAlone(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	r := h.post(t, call("1", "progress"), s, "Accept:", "Accept: application/json")
	if want := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`; r.body != want {
		t.Errorf("= %s, want %s", r.body, want)
	}
}

func TestWhoTakesOnlyEventsGetsEvents(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	r := h.post(t, call("1", "echo"), s, "Accept:", "Accept: text/event-stream")
	if got := events(t, r.body); len(got) != 1 || !strings.Contains(got[0], `"id":1`) {
		t.Errorf("events = %q, want the answer", got)
	}
}

func TestBytesPassUnchanged(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	const result = "{\n  \"content\": [], \"n\": 1.0,\r\n \"big\": 12345678901234567890 }"
	for _, id := range []string{"9007199254740993", `"a\u0062\/"`, "-0", `""`} {
		r := h.post(t, call(id, "raw"), s)
		if want := `{"jsonrpc":"2.0","id":` + id + `,"result":` + result + `}`; r.body != want {
			t.Errorf("= %s, want %s", r.body, want)
		}
	}
	r := h.post(t, call("1", "broken"), s)
	if want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32099,"message":"upstream's own","data":{"x":1.0}}}`; r.body != want {
		t.Errorf("= %s, want %s", r.body, want)
	}
}

func TestLogLevels(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	count := func(r reply) int { return strings.Count(r.body, "notifications/message") }
	if n := count(h.post(t, call("1", "logs"), s)); n != 3 {
		t.Errorf("messages without a level = %d, want all 3", n)
	}
	h.post(t, `{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":"info"}}`, s)
	if n := count(h.post(t, call("1", "logs"), s)); n != 2 {
		t.Errorf("messages from info on = %d, want 2", n)
	}
	body, hs := modern("1", "tools/call", `"name":"logs"`)
	if n := count(h.post(t, body, hs...)); n != 0 {
		t.Errorf("messages of a modern call without level = %d, want 0", n)
	}
	body = strings.Replace(body, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"error",`, 1)
	if n := count(h.post(t, body, hs...)); n != 1 {
		t.Errorf("messages of a modern call from error on = %d, want 1", n)
	}
}

func TestResultsAreConvertedBetweenEras(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-06-18")
	if r := h.post(t, call("1", "modern"), s); strings.Contains(r.body, "resultType") || strings.Contains(r.body, "structuredContent") {
		t.Errorf("legacy agent got %s", r.body)
	}
	if r := h.post(t, call("1", "needy"), s); !strings.Contains(r.body, `"code":-32603`) {
		t.Errorf("legacy agent got %s for input_required, want an error", r.body)
	}
	body, hs := modern("1", "tools/call", `"name":"old"`)
	if r := h.post(t, body, hs...); !strings.Contains(r.body, `"resultType":"complete"`) {
		t.Errorf("modern agent got %s", r.body)
	}
}

func TestModernDisconnectCancels(t *testing.T) {
	h := open(t, mcpedge.Options{})
	body, hs := modern("1", "tools/call", `"name":"wait"`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		r, _ := http.NewRequestWithContext(ctx, "POST", h.url+"/mcp", strings.NewReader(body))
		asAlice.set(r)
		hs.set(r)
		if resp, err := h.client.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	within(t, h.begun, "the call")
	cancel()
	within(t, h.ended, "the end of the call")
}

func TestLegacyDisconnectDoesNot(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r, _ := http.NewRequestWithContext(ctx, "POST", h.url+"/mcp", strings.NewReader(call("1", "wait")))
		asAlice.set(r)
		header{s}.set(r)
		if resp, err := h.client.Do(r); err == nil {
			resp.Body.Close()
		}
	}()
	within(t, h.begun, "the call")
	cancel()
	within(t, gone, "the disconnect")
	select {
	case err := <-h.ended:
		t.Errorf("the call ended: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(h.release) // the answer has nowhere to go
	if r := h.post(t, call("2", "echo"), s); r.StatusCode != 200 {
		t.Errorf("next call = %d %s", r.StatusCode, r.body)
	}
}

func TestCancelledByNotification(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s, other := h.session(t, "2025-11-25"), h.session(t, "2025-11-25")
	answered := make(chan reply, 1)
	go func() { answered <- h.post(t, call(`"w"`, "wait"), s) }()
	within(t, h.begun, "the call")
	h.post(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}}`, other)
	h.post(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, s)
	select {
	case err := <-h.ended:
		t.Fatalf("a foreign cancellation ended the call: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	h.post(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0077"}}`, s)
	within(t, h.ended, "the end of the call")
	if r := within(t, answered, "the answer"); !strings.Contains(r.body, "cancelled") {
		t.Errorf("answer = %s", r.body)
	}
}

func TestSessionLimitsCalls(t *testing.T) {
	h := open(t, mcpedge.Options{SessionCalls: 2})
	s := h.session(t, "2025-11-25")
	done := make(chan reply, 2)
	for range 2 {
		go func() { done <- h.post(t, call("1", "wait"), s) }()
		within(t, h.begun, "the call")
	}
	if r := h.post(t, call("3", "echo"), s); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("third call = %d %s, want 503 with Retry-After", r.StatusCode, r.body)
	}
	if r := h.post(t, call("3", "echo"), h.session(t, "2025-11-25")); r.StatusCode != 200 {
		t.Errorf("call of another session = %d", r.StatusCode)
	}
	close(h.release)
	for range 2 {
		within(t, done, "the answer")
	}
	if r := h.post(t, call("3", "echo"), s); r.StatusCode != 200 {
		t.Errorf("call after the others = %d", r.StatusCode)
	}
}

func TestGatewayLimitsCalls(t *testing.T) {
	h := open(t, mcpedge.Options{Calls: 1})
	body, hs := modern("1", "tools/call", `"name":"wait"`)
	done := make(chan reply, 1)
	go func() { done <- h.post(t, body, hs...) }()
	within(t, h.begun, "the call")
	if r := h.post(t, strings.Replace(body, `"id":1`, `"id":2`, 1), hs...); r.StatusCode != 503 {
		t.Errorf("second call = %d %s, want 503", r.StatusCode, r.body)
	}
	close(h.release)
	within(t, done, "the answer")
}

func TestSilentCallsAreKeptAlive(t *testing.T) {
	h := open(t, mcpedge.Options{KeepAlive: 10 * time.Millisecond})
	s := h.session(t, "2025-11-25")
	w := h.stream(t, "POST", "/mcp", call("1", "wait"), s) // returns because the header comes
	if got := w.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type = %s", got)
	}
	close(h.release)
	w.wants(t, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"released"}]}}`)
}

// The timer that turns a silent answer into a stream may fire at any moment of
// a call; the answer is sent in one form or the other.
func TestSilenceLosesNoAnswer(t *testing.T) {
	h := open(t, mcpedge.Options{KeepAlive: time.Nanosecond})
	s := h.session(t, "2025-11-25")
	forms := map[string]int{}
	for range 500 {
		r := h.post(t, call("1", "echo"), s)
		if !strings.Contains(r.body, `"id":1,"result"`) {
			t.Fatalf("answer = %q", r.body)
		}
		forms[r.Header.Get("Content-Type")]++
	}
	t.Log(forms)
}

func TestFloodIsBounded(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	r := h.post(t, call("1", "flood"), s)
	all := events(t, r.body)
	if last := all[len(all)-1]; !strings.Contains(last, "flooded") {
		t.Errorf("last event = %.200s, want the answer", last)
	}
}

func TestStalledAgentHoldsUpNobody(t *testing.T) {
	limits := edge.Options{Body: httpwire.BodyOptions{WriteTimeout: 200 * time.Millisecond}}
	h := openWith(t, mcpedge.Options{}, limits)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	body, hs := modern("1", "tools/call", `"name":"flood"`)
	body = strings.Replace(body, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"info",`, 1)
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n\r\n%s",
		keyOf("alice"), len(body), strings.Join(hs, "\r\n"), body)
	soon(t, "the call", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.served) == 1 })
	list, listing := modern("2", "tools/list", "")
	if r := h.post(t, list, listing...); r.StatusCode != 200 {
		t.Errorf("another call = %d", r.StatusCode)
	}
	soon(t, "the end of the stalled connection", func() bool { return h.server.Conns() <= 1 })
}

func TestPanicEndsOneRequest(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-11-25")
	if r := h.post(t, call("1", "panic"), s); !strings.Contains(r.body, `"code":-32603`) || strings.Contains(r.body, "bug of ours") {
		t.Errorf("= %d %s, want -32603 without the cause", r.StatusCode, r.body)
	}
	if r := h.post(t, call("1", "echo"), s); r.StatusCode != 200 {
		t.Errorf("next call = %d", r.StatusCode)
	}
}

func TestBatchIsJoined(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-03-26")
	r := h.post(t, `[`+call("1", "echo")+`,{"jsonrpc":"2.0","method":"notifications/initialized"},`+call(`"2"`, "none")+`,{"jsonrpc":"2.0","id":3,"method":"ping"},`+strings.Replace(initialize, "REVISION", "2025-03-26", 1)+`]`, s)
	if !strings.HasPrefix(r.body, `[{"jsonrpc":"2.0","id":1,"result"`) || strings.Count(r.body, `"jsonrpc"`) != 4 || !strings.Contains(r.body, `"id":"2","error"`) || !strings.Contains(r.body, `"id":3,"result":{}`) {
		t.Errorf("= %s", r.body)
	}
	if !strings.Contains(r.body, `"id":0,"error":{"code":-32600`) {
		t.Errorf("initialize in a batch was not refused: %s", r.body)
	}
	all := events(t, h.post(t, `[`+call("1", "progress")+`,`+call(`2`, "echo")+`]`, s).body)
	if len(all) != 4 || !strings.HasPrefix(all[3], `[{"jsonrpc":"2.0","id":1,`) {
		t.Errorf("events = %q, want 3 notifications and an array", all)
	}
	many := strings.Repeat(call("1", "echo")+",", 65)
	if r := h.post(t, `[`+strings.TrimSuffix(many, ",")+`]`, s); r.StatusCode != 400 {
		t.Errorf("65 messages = %d, want 400", r.StatusCode)
	}
}

// TestBadMessageOfABatchHarmsNoOther: each is answered under its own id, or
// none (JSON-RPC 2.0, section 6).
func TestBadMessageOfABatchHarmsNoOther(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-03-26")
	r := h.post(t, `[`+call("1", "echo")+`,5,{"jsonrpc":"2.0","id":8,"id":9,"method":"ping"},{"id":7,"method":"ping"},`+call("2", "echo")+`]`, s)
	var got []struct {
		ID     any
		Result any
		Error  struct{ Code int }
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || len(got) != 5 {
		t.Fatalf("= %d %s, want five answers", r.StatusCode, r.body)
	}
	for i, want := range []any{1.0, nil, nil, 7.0, 2.0} {
		if got[i].ID != want || (got[i].Result != nil) != (i == 0 || i == 4) || got[i].Result == nil && got[i].Error.Code != -32600 {
			t.Errorf("answer %d = %+v, want id %v", i, got[i], want)
		}
	}
}

func TestInitialize(t *testing.T) {
	h := open(t, mcpedge.Options{Server: []byte(`{"name":"durward","version":"9"}`)})
	for asked, want := range map[string]string{
		"2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26", "2025-06-18": "2025-06-18", "2025-11-25": "2025-11-25",
		"2026-07-28": "2025-11-25", "1999-01-01": "2025-11-25", "latest": "2025-11-25",
	} {
		r := h.post(t, strings.Replace(initialize, "REVISION", asked, 1))
		want := `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"` + want + `","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"durward","version":"9"},"instructions":"Be <kind>."}}`
		if r.StatusCode != 200 || r.body != want {
			t.Errorf("initialize %s = %d %s, want %s", asked, r.StatusCode, r.body, want)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sessions {
		if got, want := string(s.Client.Info), `{"name":"tester","version":"1"}`; got != want {
			t.Errorf("session keeps %s of the client, want %s", got, want)
		}
	}
}

func TestCapabilitiesAreThoseOfTheRevision(t *testing.T) {
	h := open(t, mcpedge.Options{})
	const all = `{"roots":{},"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"tasks":{},"x":1.0}`
	for revision, want := range map[string]string{
		"2025-11-25": `{"roots":{},"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"x":1.0}`,
		"2025-06-18": `{"roots":{},"elicitation":{},"sampling":{},"x":1.0}`,
		"2025-03-26": `{"roots":{},"sampling":{},"x":1.0}`,
	} {
		init := strings.Replace(initialize, `{"roots":{},"elicitation":{}}`, all, 1)
		r := h.post(t, strings.Replace(init, "REVISION", revision, 1))
		h.mu.Lock()
		got := string(h.sessions[r.Header.Get("Mcp-Session-Id")].Client.Capabilities)
		h.mu.Unlock()
		if got != want {
			t.Errorf("capabilities in %s = %s, want %s", revision, got, want)
		}
	}
	init := strings.Replace(initialize, `{"roots":{},"elicitation":{}}`, `{"x":"`+strings.Repeat("x", 9000)+`"}`, 1)
	if r := h.post(t, strings.Replace(init, "REVISION", "2025-11-25", 1)); !strings.Contains(r.body, "-32602") {
		t.Errorf("huge capabilities = %s, want -32602", r.body)
	}
}

func TestDiscover(t *testing.T) {
	h := open(t, mcpedge.Options{Server: []byte(`{"name":"durward","version":"9"}`)})
	body, hs := modern(`"d"`, "server/discover", "")
	r := h.post(t, body, hs...)
	want := `{"jsonrpc":"2.0","id":"d","result":{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],` +
		`"capabilities":{"tools":{"listChanged":true}},"instructions":"Be <kind>.","ttlMs":60000,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"durward","version":"9"}}}}`
	if r.body != want {
		t.Errorf("discover = %s, want %s", r.body, want)
	}
}

func TestParamHeadersReachTheGateway(t *testing.T) {
	h := open(t, mcpedge.Options{})
	body, hs := modern("1", "tools/call", `"name":"echo","arguments":{"region":"eu"}`)
	h.post(t, body, append(hs, "Mcp-Param-Region: eu", "Mcp-Param-X: 1")...)
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.served[0].Params
	slices.SortFunc(got, func(a, b durward.ParamValue) int { return strings.Compare(a.Header, b.Header) })
	if want := []durward.ParamValue{{Header: "Region", Value: "eu"}, {Header: "X", Value: "1"}}; !slices.Equal(got, want) {
		t.Errorf("Params = %v, want %v", got, want)
	}
}

func TestStrangersMaySendLittle(t *testing.T) {
	h := open(t, mcpedge.Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A stranger announces 1 MiB and is refused before a byte of it was sent.
	fmt.Fprint(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "401") {
		t.Errorf("= %q, %v, want 401", line, err)
	}
	s := h.session(t, "2025-11-25")
	big := strings.Replace(call("1", "echo"), "1.0", `"`+strings.Repeat("x", 1<<20)+`"`, 1)
	if r := h.post(t, big, s); r.StatusCode != 200 || len(r.body) < 1<<20 {
		t.Errorf("a large call = %d with %d bytes, want 200", r.StatusCode, len(r.body))
	}
	if r := h.post(t, strings.Repeat(" ", 5<<20)+call("1", "echo"), s); r.StatusCode != 413 {
		t.Errorf("a call over the limit = %d, want 413", r.StatusCode)
	}
	if r := h.post(t, call("1", "echo"), s); r.StatusCode != 200 {
		t.Errorf("next call = %d", r.StatusCode)
	}
}
