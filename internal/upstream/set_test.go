package upstream_test

import (
	"context"
	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
	"durward/internal/upstream"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Plain calls work in every combination of agent and server.
func TestEveryKindAnswersEveryAgent(t *testing.T) {
	agents := map[string]agent{"modern": modernAgent, "legacy": legacyAgent}
	calls := []struct{ method, params, want string }{
		{mcpwire.MethodToolsCall, `{"name":"echo","arguments":{"text":"hé\u00e9 1.0"}}`, `"text":"héé 1.0"`},
		{mcpwire.MethodResourcesRead, `{"uri":"test://one"}`, `"text":"1"`},
		{mcpwire.MethodResourcesRead, `{"uri":"test://t/5"}`, `"uri":"test://t/5"`},
		{mcpwire.MethodPromptsGet, `{"name":"hello"}`, `"text":"hi"`},
		{mcpwire.MethodComplete, `{"ref":{"type":"ref/prompt","name":"hello"},"argument":{"name":"x","value":"y"}}`, `"y!"`},
	}
	for kind, up := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := newSet(t, nil, up(t, kit()))
			for name, a := range agents {
				for _, c := range calls {
					p := &peer{}
					reply, err := s.Do(brief(t), a.request(t, "up", c.method, c.params), p)
					if err != nil {
						t.Fatalf("%s agent, %s: %v", name, c.method, err)
					}
					if reply.Error != nil || !strings.Contains(string(reply.Result), c.want) {
						t.Errorf("%s agent, %s = %s %v, want %s in it", name, c.method, reply.Result, reply.Error, c.want)
					}
					if _, typed := mcpwire.Field(reply.Result, "resultType"); typed != reply.Modern {
						t.Errorf("%s agent, %s: Modern = %v of %s", name, c.method, reply.Modern, reply.Result)
					}
				}
			}
			st := s.Status()[0]
			if st.State != "ready" || st.Server != "kit 3" || st.Error != "" {
				t.Errorf("Status = %+v, want ready and kit 3", st)
			}
		})
	}
}

func TestListingsHoldWhatIsOffered(t *testing.T) {
	for kind, up := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := newSet(t, nil, up(t, kit()))
			l, err := s.Listing(brief(t), "up")
			if err != nil {
				t.Fatal(err)
			}
			if len(l.Tools) != 4 || len(l.Resources) != 1 || len(l.Templates) != 1 || len(l.Prompts) != 1 || l.Err != nil {
				t.Errorf("listing has %d tools, %d resources, %d templates, %d prompts, %v; want 4, 1, 1, 1",
					len(l.Tools), len(l.Resources), len(l.Templates), len(l.Prompts), l.Err)
			}
			if l.Instructions != "be kind" || l.Fetched.IsZero() || l.Generation != 1 || !mcpwire.IsObject(l.Capabilities) {
				t.Errorf("listing = %+v, want instructions, a time, generation 1 and capabilities", l)
			}
			if want := kind == "modern" || kind == "stdio"; l.Modern != want {
				t.Errorf("Modern = %v, want %v", l.Modern, want)
			}
			if all := s.Listings(); len(all) != 1 || all[0] != l {
				t.Errorf("Listings = %v, want the same listing", all)
			}
		})
	}
}

// Progress comes back under the caller's own token, and log messages from the
// level on that the caller asked for.
func TestProgressAndLogMessagesReachTheirCaller(t *testing.T) {
	for kind, up := range kinds {
		for _, a := range []agent{
			{revision: mcpwire.V20260728, name: "a", level: "warning"},
			{revision: mcpwire.V20251125, name: "a", session: "s", level: "warning"},
		} {
			t.Run(kind+" "+a.revision, func(t *testing.T) {
				s := newSet(t, nil, up(t, kit()))
				p := &peer{}
				params := `{"name":"talk","arguments":{}}`
				if !mcpwire.Modern(a.revision) {
					params = `{"name":"talk","arguments":{},"_meta":{"progressToken":"mine","vendor/x":1.0}}`
				}
				if _, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, params), p); err != nil {
					t.Fatal(err)
				}
				progress := p.of(mcpwire.NotifyProgress)
				if len(progress) != 3 {
					t.Errorf("%d progress notifications, want 3", len(progress))
				}
				for _, n := range progress {
					if token, _ := mcpwire.Field([]byte(n), "progressToken"); string(token) != `"mine"` {
						t.Errorf("progress %s, want the token that the caller sent", n)
					}
				}
				if logs := p.of(mcpwire.NotifyMessage); len(logs) != 1 || !strings.Contains(logs[0], "careful") {
					t.Errorf("log messages %v, want the warning alone", logs)
				}
			})
		}
	}
}

// A caller that leaves is told to the server in the way of its era, and the
// next call goes on.
func TestCancellingReachesTheServer(t *testing.T) {
	for _, kind := range []string{"modern", "legacy", "sse"} {
		for _, a := range []agent{modernAgent, legacyAgent} {
			t.Run(kind+" "+a.revision, func(t *testing.T) {
				s := newSet(t, nil, kinds[kind](t, kit()))
				id := waits.id(t)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					<-waits.of(waits.begun, id)
					cancel()
				}()
				_, err := s.Do(ctx, a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"wait","arguments":{"text":"`+id+`"}}`), &peer{})
				if e := durward.AsError(err); e.Code != durward.Cancelled || e.Reason != durward.ReasonCancelled {
					t.Errorf("Do = %v, want cancelled", err)
				}
				within(t, "the server hears of it", waits.of(waits.ended, id))
				if text := call(t, s, a, "echo", `{"text":"still here"}`); !strings.Contains(text, "still here") {
					t.Errorf("the next call = %s", text)
				}
			})
		}
	}
}

func call(t testing.TB, s *upstream.Set, a agent, tool, args string) string {
	t.Helper()
	reply, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"`+tool+`","arguments":`+args+`}`), &peer{})
	if err != nil {
		t.Fatalf("call %s: %v", tool, err)
	}
	if reply.Error != nil {
		return reply.Error.Error()
	}
	return string(reply.Result)
}

func TestACallEndsWithItsTimeout(t *testing.T) {
	for kind, up := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			declared := up(t, kit())
			declared.Timeout = 3 * time.Second
			declared.Sharing = "shared" // so that the start of a process is not counted
			s := newSet(t, nil, declared)
			if _, err := s.Listing(brief(t), "up"); err != nil {
				t.Fatal(err)
			}
			call(t, s, legacyAgent, "echo", `{"text":"x"}`)
			_, err := s.Do(brief(t), legacyAgent.request(t, "up", mcpwire.MethodToolsCall, `{"name":"wait","arguments":{"text":"`+waits.id(t)+`"}}`), &peer{})
			if e := durward.AsError(err); e.Code != durward.Timeout || e.Reason != durward.ReasonUpstreamTimeout {
				t.Errorf("Do = %v, want upstream_timeout", err)
			}
		})
	}
}

const elicits = `{"elicitation":{"form":{},"url":{}}}`

// Within the older era a server's question reaches the client that declared
// that it answers such questions, and nobody else.
func TestElicitationReachesTheClientThatDeclaredIt(t *testing.T) {
	for _, kind := range []string{"legacy", "sse", "stdio legacy"} {
		t.Run(kind, func(t *testing.T) {
			s := newSet(t, nil, kinds[kind](t, kit()))
			able := agent{revision: mcpwire.V20251125, name: "a", session: "s", caps: elicits}
			p := &peer{answer: func(method string, params []byte) ([]byte, error) {
				if method != mcpwire.MethodElicit || !strings.Contains(string(params), "sure?") {
					t.Errorf("asked %s %s", method, params)
				}
				return []byte(`{"action":"accept","content":{"b":"x"}}`), nil
			}}
			reply, err := s.Do(brief(t), able.request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), p)
			if err != nil || !strings.Contains(string(reply.Result), "user said accept") {
				t.Errorf("Do = %s %v %v, want that the user accepted", reply.Result, reply.Error, err)
			}
			for _, unable := range []agent{
				legacyAgent,
				{revision: mcpwire.V20251125, name: "a", session: "s2", caps: `{"sampling":{}}`},
			} {
				q := &peer{answer: p.answer}
				reply, err := s.Do(brief(t), unable.request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), q)
				if err == nil && !strings.Contains(string(reply.Result), `"isError":true`) && reply.Error == nil {
					t.Errorf("an unable client got %s", reply.Result)
				}
				if len(q.asked) != 0 {
					t.Errorf("a client that did not declare it was asked %v", q.asked)
				}
			}
		})
	}
}

// What would need a bridge between the eras ends with a clear reason.
func TestAQuestionDoesNotCrossEras(t *testing.T) {
	t.Run("a server that asks anyway", func(t *testing.T) {
		up := durward.Upstream{Name: "up", Command: os.Args[0], Args: []string{"server", "asker"}, Era: "legacy"}
		s := newSet(t, nil, up)
		a := agent{revision: mcpwire.V20260728, name: "a", caps: elicits}
		_, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), &peer{})
		if e := durward.AsError(err); e.Reason != durward.ReasonCapabilityMissing {
			t.Errorf("Do = %v, want capability_missing", err)
		}
	})
}

// Within the modern era it passes as it is.
func TestInputRequiredPassesWithinTheModernEra(t *testing.T) {
	for name, up := range map[string]durward.Upstream{
		"http":  everything(t, "-stateless=true"),
		"stdio": {Name: "up", Command: durwardtest.Build(t, durwardtest.EverythingServer)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSet(t, nil, up)
			a := agent{revision: mcpwire.V20260728, name: "a", caps: elicits}
			first, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, `{"name":"test_input_required_result_elicitation","arguments":{}}`), &peer{})
			if err != nil {
				t.Fatal(err)
			}
			requests, ok := mcpwire.Field(first.Result, "inputRequests")
			if kind, _ := mcpwire.FieldText(first.Result, "resultType"); kind != "input_required" || !ok || !first.Modern {
				t.Fatalf("first answer %s, want input_required", first.Result)
			}
			answers := "{"
			for key := range mcpwire.Fields(requests) {
				answers += `"` + key + `":{"action":"accept","content":{"name":"Ada"}},`
			}
			answers = strings.TrimSuffix(answers, ",") + "}"
			params := `{"name":"test_input_required_result_elicitation","arguments":{},"inputResponses":` + answers
			if state, ok := mcpwire.Field(first.Result, "requestState"); ok {
				params += `,"requestState":` + string(state)
			}
			second, err := s.Do(brief(t), a.request(t, "up", mcpwire.MethodToolsCall, params+"}"), &peer{})
			if kind, _ := mcpwire.FieldText(second.Result, "resultType"); err != nil || kind != "complete" {
				t.Errorf("second answer %s %v %v, want complete", second.Result, second.Error, err)
			}
		})
	}
}

// everything starts the SDK's conformance server over HTTP.
func everything(t testing.TB, flags ...string) durward.Upstream {
	t.Helper()
	bin := durwardtest.Build(t, durwardtest.EverythingServer)
	addr := durwardtest.FreeAddr(t)
	c := exec.Command(bin, append([]string{"-http", addr}, flags...)...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the everything server does not listen")
		}
	}
	return durward.Upstream{Name: "up", URL: "http://" + addr}
}
