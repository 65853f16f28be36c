package link_test

import (
	"context"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.LeakFree(m)) }

// server is the other end of a mux.
type server struct {
	*link.Mux
	counters link.Counters
	mu       sync.Mutex
	sent     []string
}

func newServer(change func(*link.MuxOptions)) *server {
	s := &server{}
	o := link.MuxOptions{Counters: &s.counters, Log: slog.New(slog.DiscardHandler)}
	o.Send = func(_ context.Context, m []byte) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent = append(s.sent, string(m))
		return nil
	}
	if change != nil {
		change(&o)
	}
	s.Mux = link.NewMux(o)
	return s
}

func (s *server) got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.sent, "\n")
}

func (s *server) end() {
	s.Fail(errors.New("over"))
	s.Wait()
}

type outcome struct {
	link.Answer
	err error
}

// do starts a call; its end comes through the channel.
func (s *server) do(ctx context.Context, c *link.Call) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		a, err := s.Do(ctx, c)
		done <- outcome{a, err}
	}()
	synctest.Wait()
	return done
}

type peer struct {
	mu    sync.Mutex
	notes []string
	block chan struct{}
	ask   func(ctx context.Context) ([]byte, error)
}

func (p *peer) Notify(method string, params []byte) {
	if p.block != nil {
		<-p.block
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, method+string(params))
}

func (p *peer) Ask(ctx context.Context, _ string, _ []byte) ([]byte, error) { return p.ask(ctx) }

func TestAnswersFindTheirCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(nil)
		defer s.end()
		one := s.do(t.Context(), &link.Call{ID: 1, Method: "a"})
		two := s.do(t.Context(), &link.Call{ID: 2, Method: "b"})
		for _, m := range []string{
			`{"jsonrpc":"2.0","id":3,"result":{}}`,      // never asked
			`{"jsonrpc":"2.0","id":"2","result":{}}`,    // another type
			`{"jsonrpc":"2.0","id":2,"result":{"n":2}}`, //
			`{"jsonrpc":"2.0","id":2,"result":{"n":9}}`, // again
			`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}}`,
		} {
			s.Receive([]byte(m))
		}
		if o := <-two; string(o.Result) != `{"n":2}` || o.err != nil {
			t.Errorf("second call = %s %v, want its first answer", o.Result, o.err)
		}
		if o := <-one; o.Error == nil || o.Error.Code != -1 {
			t.Errorf("first call = %+v, want the error", o)
		}
		s.Receive([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`)) // late
		if n := s.counters.Foreign.Load(); n != 4 {
			t.Errorf("%d messages counted as foreign, want 4", n)
		}
	})
}

func TestTheOrderOfNotificationsAndAnswerStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(nil)
		defer s.end()
		p := &peer{block: make(chan struct{})}
		done := s.do(t.Context(), &link.Call{ID: 1, Method: "a", Progress: []byte("7"), Peer: p})
		for i := range 5 {
			s.Receive(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":%d}}`, i))
		}
		s.Receive([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
		close(p.block)
		if o := <-done; o.err != nil || !o.Streamed {
			t.Errorf("Do = %+v, want an answer after notifications", o)
		}
		if len(p.notes) != 5 || !strings.Contains(p.notes[4], `"progressToken":7,"progress":4`) {
			t.Errorf("heard %v, want five in order under the token 7", p.notes)
		}
	})
}

// A caller that is slow to listen loses notifications; nobody waits for it.
func TestASlowCallerHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(nil)
		defer s.end()
		slow := &peer{block: make(chan struct{})}
		first := s.do(t.Context(), &link.Call{ID: 1, Method: "a", Progress: []byte(`"x"`), Peer: slow})
		second := s.do(t.Context(), &link.Call{ID: 2, Method: "b"})
		for range 1000 {
			s.Receive([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`))
		}
		s.Receive([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","id":2,"result":{}}`))
		if o := <-second; o.err != nil {
			t.Errorf("the other call = %v", o.err)
		}
		close(slow.block)
		if o := <-first; o.err != nil {
			t.Errorf("the slow call = %v", o.err)
		}
		if s.counters.Overflow.Load() == 0 || len(slow.notes) == 0 {
			t.Errorf("%d dropped and %d heard, want some of both", s.counters.Overflow.Load(), len(slow.notes))
		}
	})
}

// A question belongs to the only call in flight, our own aside; with several
// nobody is asked.
func TestWhoIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(func(o *link.MuxOptions) {
			o.Orphan = func(method string) []byte {
				if method == "roots/list" {
					return []byte(`{"roots":[]}`)
				}
				return nil
			}
		})
		defer s.end()
		own := s.do(t.Context(), &link.Call{ID: 1, Method: "tools/list", Own: true})
		s.Receive([]byte(`{"jsonrpc":"2.0","id":"a","method":"roots/list"}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","id":"b","method":"sampling/createMessage"}`))
		asked := &peer{ask: func(context.Context) ([]byte, error) { return []byte(`{"ok":true}`), nil }}
		call := s.do(t.Context(), &link.Call{ID: 2, Method: "x", Peer: asked})
		s.Receive([]byte(`{"jsonrpc":"2.0","id":"c","method":"sampling/createMessage"}`))
		synctest.Wait()
		second := s.do(t.Context(), &link.Call{ID: 3, Method: "y", Peer: asked})
		s.Receive([]byte(`{"jsonrpc":"2.0","id":"d","method":"sampling/createMessage"}`))
		synctest.Wait()
		for _, want := range []string{
			`"id":"a","result":{"roots":[]}`, `"id":"b","error":{"code":-32601`,
			`"id":"c","result":{"ok":true}`, `"id":"d","error":{"code":-32601`,
		} {
			if !strings.Contains(s.got(), want) {
				t.Errorf("sent\n%s\nwant %s in it", s.got(), want)
			}
		}
		s.Fail(errors.New("gone"))
		for _, c := range []<-chan outcome{own, call, second} {
			if o := <-c; o.err == nil {
				t.Error("a call outlived the conversation")
			}
		}
	})
}

// A question that the server withdraws, and one whose call ends, end; both are answered.
func TestQuestionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(nil)
		defer s.end()
		p := &peer{ask: func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		done := s.do(t.Context(), &link.Call{ID: 1, Method: "x", Peer: p})
		s.Receive([]byte(`{"jsonrpc":"2.0","id":"w","method":"elicitation/create"}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","id":"w","method":"elicitation/create"}`)) // the id is in use
		synctest.Wait()
		s.Receive([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"w"}}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","id":8,"method":"elicitation/create"}`))
		synctest.Wait()
		s.Receive([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
		if o := <-done; o.err != nil {
			t.Errorf("Do = %v", o.err)
		}
		synctest.Wait()
		if got := s.got(); strings.Count(got, `"id":"w","error"`) != 2 || strings.Count(got, `"id":8,"error"`) != 1 {
			t.Errorf("sent\n%s\nwant an error for each question", got)
		}
	})
}

func TestALeavingCallerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(nil)
		defer s.end()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := s.do(ctx, &link.Call{ID: 5, Method: "x"})
		if o := <-done; !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("Do = %v, want the deadline", o.err)
		}
		synctest.Wait()
		if !strings.Contains(s.got(), `"method":"notifications/cancelled","params":{"requestId":5`) {
			t.Errorf("sent\n%s\nwant the call withdrawn", s.got())
		}
	})
}

// Subscriptions share the stream; what bears their mark is theirs alone.
func TestSubscriptionsShareTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		s := newServer(func(o *link.MuxOptions) { o.Event = func(method string, _ []byte) { events = append(events, method) } })
		defer s.end()
		ctx, cancel := context.WithCancel(t.Context())
		listen, call := &peer{}, &peer{}
		sub := s.do(ctx, &link.Call{ID: 1, Method: mcpwire.MethodListen, Own: true, Standing: true, Peer: listen})
		done := s.do(t.Context(), &link.Call{ID: 2, Method: "x", Peer: call})
		s.Receive([]byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":2}}}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{}}`))
		s.Receive([]byte(`{"jsonrpc":"2.0","id":2,"result":{}}`))
		<-done
		cancel()
		<-sub
		if len(listen.notes) != 1 || len(call.notes) != 1 || len(events) != 2 {
			t.Errorf("%d, %d, %d notifications; want one for the subscription, one for the call and two for the link", len(listen.notes), len(call.notes), len(events))
		}
	})
}

// Whatever comes, the mux neither panics nor hangs, and its calls end.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`,
		`{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"mode":"url"}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`,
		`[{"jsonrpc":"2.0","method":"ping","id":1},{"jsonrpc":"2.0","id":1,"result":{}}]`, `{"id":1`, `null`, "\xff",
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := newServer(nil)
		p := &peer{ask: func(context.Context) ([]byte, error) { return []byte("{}"), nil }}
		done := make(chan outcome, 1)
		go func() {
			a, err := s.Do(context.Background(), &link.Call{ID: 1, Method: "x", Progress: []byte("9"), Peer: p})
			done <- outcome{a, err}
		}()
		for !strings.Contains(s.got(), `"method":"x"`) {
			time.Sleep(10 * time.Microsecond)
		}
		s.Receive(raw)
		s.Receive([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
		if o := <-done; o.err == nil && o.Error == nil && o.Result == nil {
			t.Errorf("the call ended with nothing after %q", raw)
		}
		s.end()
	})
}
