package relay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"durward/internal/edge/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// scene is a client, a relay, and gateways that say what the test wants.
type scene struct {
	in     *io.PipeWriter
	out    *lines
	coming chan *lines // connections to gateways
	ended  chan error
	stop   context.CancelFunc
}

// lines is one side of a conversation, a message a line.
type lines struct {
	io.WriteCloser // of a gateway
	read           chan string
}

func listen(r io.Reader, w io.WriteCloser) *lines {
	l := &lines{WriteCloser: w, read: make(chan string, 100)}
	go func() {
		defer close(l.read)
		for s := bufio.NewScanner(r); s.Scan(); {
			l.read <- s.Text()
		}
	}()
	return l
}

func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// next is the next line, "" at the end.
func (l *lines) next(t *testing.T) string { t.Helper(); return within(t, l.read, "line") }

func (l *lines) wants(t *testing.T, want string) {
	t.Helper()
	if got := l.next(t); got != want {
		t.Errorf("line = %s\nwant %s", got, want)
	}
}

func (l *lines) say(t *testing.T, msg string) {
	t.Helper()
	if _, err := io.WriteString(l, msg+"\n"); err != nil {
		t.Error(err)
	}
}

// begin starts a relay whose gateways come when the test takes them.
func begin(t *testing.T, o relay.Options) *scene {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return beginOver(t, o, func() (relay.Conn, io.ReadWriteCloser, error) {
		conn, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			return nil, nil, err
		}
		there, err := ln.Accept()
		return conn.(*net.UnixConn), there, err
	})
}

// pipe is one end of a connection in memory, for tests in which time passes.
type pipe struct {
	*io.PipeReader
	*io.PipeWriter
}

func (p pipe) Close() error      { return errors.Join(p.PipeReader.Close(), p.PipeWriter.Close()) }
func (p pipe) CloseWrite() error { return p.PipeWriter.Close() }

func pipes() (relay.Conn, io.ReadWriteCloser, error) {
	here, say := io.Pipe()
	hear, there := io.Pipe()
	return pipe{here, there}, pipe{hear, say}, nil
}

func beginOver(t *testing.T, o relay.Options, dial func() (relay.Conn, io.ReadWriteCloser, error)) *scene {
	t.Helper()
	s := &scene{coming: make(chan *lines), ended: make(chan error, 1)}
	o.Connect = func(ctx context.Context) (relay.Conn, error) {
		conn, there, err := dial()
		if err != nil {
			return nil, err
		}
		select {
		case s.coming <- listen(there, there):
			return conn, nil
		case <-ctx.Done():
			return nil, errors.Join(errors.New("nobody there"), conn.Close(), there.Close())
		}
	}
	r, in := io.Pipe()
	out, w := io.Pipe()
	s.in, s.out = in, listen(out, nil)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		s.ended <- relay.Run(ctx, r, w, o)
		r.Close()
		w.Close()
	}()
	t.Cleanup(func() {
		in.Close()
		stop()
		for range s.out.read {
		}
	})
	return s
}

func (s *scene) gateway(t *testing.T) *lines {
	t.Helper()
	g := within(t, s.coming, "connection")
	t.Cleanup(func() { g.Close() })
	return g
}

func (s *scene) send(t *testing.T, msgs ...string) {
	t.Helper()
	for _, m := range msgs {
		if _, err := io.WriteString(s.in, m+"\n"); err != nil {
			t.Fatal(err)
		}
	}
}

// end has the client leave.
func (s *scene) end(t *testing.T, g *lines) {
	t.Helper()
	s.in.Close()
	g.wants(t, "")
	g.Close()
	if err := within(t, s.ended, "end"); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func request(id, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, params)
}

func result(id, raw string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, raw)
}

const (
	greeting    = `{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}`
	told        = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"prompts":{},"resources":{"listChanged":true,"subscribe":true}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	notBegun    = `{"begun":false,"jsonrpc":"2.0","id":%s,"error":{"code":503,"message":"later","data":{"reason":"not_begun"}}}`
	cutOff      = `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"The connection to the gateway ended while this was under way. Whether it had an effect is not known: look before you ask for it again.","data":{"reason":"cut_off"}}}`
)

// idOf is the id of a request that must begin like this.
func idOf(t *testing.T, line, method, params string) string {
	t.Helper()
	rest, ok := strings.CutPrefix(line, `{"jsonrpc":"2.0","id":`)
	id, after, _ := strings.Cut(rest, ",")
	if want := fmt.Sprintf(`"method":%q,"params":%s}`, method, params); !ok || after != want {
		t.Errorf("request = %s, want %s", line, want)
	}
	return id
}

// introduced is a client that its first gateway knows.
func introduced(t *testing.T, o relay.Options) (*scene, *lines) {
	t.Helper()
	s := begin(t, o)
	s.send(t, request("0", "initialize", greeting))
	g := s.gateway(t)
	g.wants(t, request("0", "initialize", greeting))
	g.say(t, result("0", told))
	s.out.wants(t, result("0", told))
	s.send(t, initialized)
	g.wants(t, initialized)
	return s, g
}

// again answers what a relay says to the next gateway.
func again(t *testing.T, g *lines) {
	t.Helper()
	g.say(t, result(idOf(t, g.next(t), "initialize", greeting), told))
	g.wants(t, initialized)
}

const (
	toolsChanged     = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	resourcesChanged = `{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`
)

// What has no effect is asked again, what may have had one is not; what the
// gateway did not begin waits, in the order in which it came.
func TestTheNextGateway(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	s.send(t, request("1", "logging/setLevel", `{"level":"error"}`), request("2", "resources/subscribe", `{"uri":"a:b"}`))
	g.next(t)
	g.next(t)
	g.say(t, result("1", "{}"))
	g.say(t, result("2", "{}"))
	s.out.wants(t, result("1", "{}"))
	s.out.wants(t, result("2", "{}"))
	call, list := request(`"c"`, "tools/call", `{"name":"x"}`), request("3", "tools/list", "{}")
	early, late, gone := request("4", "tools/call", `{"name":"y"}`), request("5", "ping", "{}"), request("6", "ping", "{}")
	s.send(t, call, list, early)
	for range 3 {
		g.next(t)
	}
	g.say(t, fmt.Sprintf(notBegun, "4"))
	g.say(t, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`)
	s.out.next(t) // by now the refusal was read
	s.send(t, late, gone, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}`)
	s.send(t, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progressToken":1}}`)
	g.next(t) // the last is for this gateway, if for any
	g.Close()
	s.out.wants(t, fmt.Sprintf(cutOff, `"c"`))

	g = s.gateway(t)
	again(t, g)
	idOf(t, g.next(t), "logging/setLevel", `{"level":"error"}`)
	idOf(t, g.next(t), "resources/subscribe", `{"uri":"a:b"}`)
	for _, want := range []string{list, early, late} {
		g.wants(t, want)
	}
	s.out.wants(t, toolsChanged)
	s.out.wants(t, resourcesChanged)
	s.out.wants(t, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`)
	g.say(t, result("4", "{}"))
	s.out.wants(t, result("4", "{}"))
	s.end(t, g)
}

// Gateways number their questions alike. An answer goes to the one that asked.
func TestQuestionsOfTwoGateways(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	question := request(`"durward-1"`, "elicitation/create", `{"message":"Delete it?"}`)
	g.say(t, question)
	s.out.wants(t, question)
	g.Close()
	s.out.wants(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"durward-1"}}`)
	g = s.gateway(t)
	again(t, g)
	s.out.wants(t, toolsChanged)
	s.out.wants(t, resourcesChanged)
	g.say(t, question)
	s.out.wants(t, request(`"durward-1.2"`, "elicitation/create", `{"message":"Delete it?"}`))
	yes, no := `{"action":"accept"}`, `{"action":"decline"}`
	s.send(t, result(`"durward-1"`, yes), result(`"durward-1.2"`, no)) // the first is for who has left
	g.wants(t, result(`"durward-1"`, no))
	g.say(t, question)
	s.out.next(t)
	g.say(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"durward-1"}}`)
	s.out.wants(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"durward-1.2"}}`)
	s.end(t, g)
}

// A subscription goes on at the next gateway, also when the last one ended it
// before it left; one that ends for another reason has ended.
func TestSubscriptionsGoOn(t *testing.T) {
	s := begin(t, relay.Options{})
	listen := request(`"L"`, "subscriptions/listen", `{"notifications":{"toolsListChanged":true}}`)
	acknowledged := `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"},"notifications":{"toolsListChanged":true}}}`
	s.send(t, listen)
	g := s.gateway(t)
	g.wants(t, listen)
	g.say(t, acknowledged)
	s.out.wants(t, acknowledged)
	for range 2 {
		g.say(t, result(`"L"`, `{"resultType":"complete"}`))
		ping := g.next(t)
		id, _, _ := strings.Cut(strings.TrimPrefix(ping, `{"jsonrpc":"2.0","id":`), ",")
		g.say(t, fmt.Sprintf(notBegun, id))
		g.Close()
		g = s.gateway(t)
		g.wants(t, listen)
		g.say(t, acknowledged)
		s.out.wants(t, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"L"}}}`)
	}
	g.say(t, result(`"L"`, `{"resultType":"complete"}`))
	id, _, _ := strings.Cut(strings.TrimPrefix(g.next(t), `{"jsonrpc":"2.0","id":`), ",")
	g.say(t, result(id, "{}"))
	s.out.wants(t, result(`"L"`, `{"resultType":"complete"}`))
	s.end(t, g)
}

// How long a subscription waited for one gateway does not count when it waits for
// another, days later.
func TestASubscriptionThatWaitsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := beginOver(t, relay.Options{}, pipes)
		listen := request(`"L"`, "subscriptions/listen", `{"notifications":{"toolsListChanged":true}}`)
		s.send(t, listen)
		g := s.gateway(t)
		g.wants(t, listen)
		for range 3 {
			g.Close()
			time.Sleep(40 * time.Second)
			g = s.gateway(t)
			g.say(t, toolsChanged)
			s.out.wants(t, toolsChanged)
			g.wants(t, listen)
			time.Sleep(24 * time.Hour)
		}
		s.end(t, g)
	})
}

// A batch is never sent twice, and each of its requests is answered.
func TestBatches(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	batch := `[` + request("1", "ping", "{}") + `,` + initialized + `,` + request("2", "ping", "{}") + `]`
	s.send(t, batch)
	g.wants(t, batch)
	g.say(t, `[`+result("1", "{}")+`]`)
	s.out.wants(t, `[`+result("1", "{}")+`]`)
	g.Close()
	s.out.wants(t, fmt.Sprintf(cutOff, "2"))
	g = s.gateway(t)
	again(t, g)
	s.end(t, g)
}

// An id that a client uses for two calls says nothing about which of them was not
// begun: the one that is under way is not made again. Nor is it when it was
// cancelled, and the answer to it was on its way.
func TestAnIDForTwoCalls(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	pay, other := request("1", "tools/call", `{"name":"pay"}`), request("1", "tools/call", `{"name":"other"}`)
	s.send(t, pay, other)
	g.wants(t, pay)
	g.wants(t, other)
	g.say(t, fmt.Sprintf(notBegun, "1"))
	s.out.wants(t, fmt.Sprintf(cutOff, "1"))
	g.Close()
	s.out.wants(t, fmt.Sprintf(cutOff, "1"))

	g = s.gateway(t)
	again(t, g)
	s.out.wants(t, toolsChanged)
	s.out.wants(t, resourcesChanged)
	list, withdrawn := request("2", "tools/list", "{}"), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`
	call := request("2", "tools/call", `{"name":"pay"}`)
	s.send(t, list, withdrawn, call)
	for _, want := range []string{list, withdrawn, call} {
		g.wants(t, want)
	}
	g.say(t, fmt.Sprintf(notBegun, "2")) // the list
	s.out.wants(t, fmt.Sprintf(cutOff, "2"))
	g.Close()
	g = s.gateway(t)
	again(t, g)
	s.end(t, g)
}

// A reason may come from an upstream. Only the gateway's own word makes that a
// request is made again, and the client does not see it.
func TestWhatIsSaidToBeNotBegun(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	call := request("1", "tools/call", `{"name":"x"}`)
	s.send(t, call)
	g.wants(t, call)
	said := fmt.Sprintf(strings.Replace(notBegun, `"begun":false,`, "", 1), "1")
	g.say(t, said)
	s.out.wants(t, said)
	g.say(t, fmt.Sprintf(notBegun, "null"))
	s.out.wants(t, fmt.Sprintf(strings.Replace(notBegun, `"begun":false,`, "", 1), "null"))
	s.send(t, call)
	g.wants(t, call)
	g.say(t, fmt.Sprintf(notBegun, "9")) // nobody asked
	s.out.wants(t, fmt.Sprintf(strings.Replace(notBegun, `"begun":false,`, "", 1), "9"))
	s.in.Close()
	g.wants(t, "")
	g.say(t, fmt.Sprintf(notBegun, "1")) // the client has left: it will not be made
	s.out.wants(t, said)
	g.Close()
	if err := within(t, s.ended, "end"); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// Who was told one revision is not served in another.
func TestAnotherRevision(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	g.Close()
	g = s.gateway(t)
	g.say(t, result(idOf(t, g.next(t), "initialize", greeting), strings.Replace(told, "2025-06-18", "2024-11-05", 1)))
	if err := within(t, s.ended, "end"); err == nil || !strings.Contains(err.Error(), `speaks revision "2024-11-05" now, and the client was told "2025-06-18"`) {
		t.Errorf("Run = %v", err)
	}
}

// What waits is answered when no gateway comes back, and the relay ends.
func TestNobodyComesBack(t *testing.T) {
	s, g := introduced(t, relay.Options{Return: 3 * time.Second})
	g.Close()
	s.send(t, request("1", "tools/call", `{"name":"x"}`))
	if line := s.out.next(t); !strings.Contains(line, `"id":1,"error":{"code":503`) || !strings.Contains(line, "nothing was begun") {
		t.Errorf("line = %s", line)
	}
	if err := within(t, s.ended, "end"); err == nil || !strings.Contains(err.Error(), "none was there again within 3s: nobody there") {
		t.Errorf("Run = %v", err)
	}
}

// What waits is bounded.
func TestTooMuchWaits(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	g.Close()
	long := strings.Repeat("x", 20<<20)
	s.send(t, request("1", "tools/call", `{"name":"`+long+`"}`), request("2", "tools/call", `{"name":"`+long+`"}`))
	s.out.wants(t, `{"jsonrpc":"2.0","id":2,"error":{"code":503,"message":"Too much waits for the gateway to be there again; nothing was begun.","data":{"reason":"not_begun"}}}`)
	s.in.Close()
	s.out.wants(t, fmt.Sprintf(leftBefore, "1"))
	if err := within(t, s.ended, "end"); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// Everything may be said before a gateway is found, the end too.
func TestAClientThatDoesNotWait(t *testing.T) {
	s := begin(t, relay.Options{})
	all := []string{request("0", "initialize", greeting), initialized, `{"half`, request("1", "tools/list", "{}")}
	s.send(t, all...)
	s.in.Close()
	g := s.gateway(t)
	for _, want := range append(all, "") {
		g.wants(t, want)
	}
	g.say(t, result("1", "{}"))
	s.out.wants(t, result("1", "{}"))
	g.Close()
	if err := within(t, s.ended, "end"); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// Who is told to stop lets the call under way end.
func TestStop(t *testing.T) {
	s, g := introduced(t, relay.Options{})
	s.send(t, request("1", "tools/call", `{"name":"x"}`))
	g.next(t)
	s.stop()
	g.wants(t, "")
	g.say(t, result("1", "{}"))
	s.out.wants(t, result("1", "{}"))
	g.Close()
	if err := within(t, s.ended, "end"); err != nil {
		t.Errorf("Run = %v", err)
	}
}
