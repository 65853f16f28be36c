package durwardtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.Main(m)) }

func TestWireRecordsAndValidatesRealPeers(t *testing.T) {
	for _, era := range []string{"true", "false"} {
		t.Run("stateless="+era, func(t *testing.T) {
			wire := durwardtest.NewWire(t)
			addr := durwardtest.StartHTTP(t, durwardtest.StartOptions{}, durwardtest.Build(t, durwardtest.EverythingServer),
				"-http", "{ADDR}", "-stateless="+era)
			url := wire.HTTP(t, "client to server", "http://"+addr+"/")
			call(t, &mcp.StreamableClientTransport{Endpoint: url})
			expectMethods(t, wire, "tools/list", "tools/call")
		})
	}
}

func TestWireRecordsStdio(t *testing.T) {
	wire := durwardtest.NewWire(t) // fails when it saw nothing
	command := wire.Stdio(t, "client to server", durwardtest.Build(t, durwardtest.EverythingServer))
	call(t, &mcp.CommandTransport{Command: exec.Command(command[0], command[1:]...)})
}

func call(t *testing.T, transport mcp.Transport) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(ctx, transport, nil)
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.ListTools(ctx, nil); err != nil {
		t.Fatalf("ListTools: %v", err)
	}
	res, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "test_simple_text"})
	if err != nil || res.IsError {
		t.Fatalf("CallTool = %v, %v", res, err)
	}
}

func expectMethods(t *testing.T, wire *durwardtest.Wire, methods ...string) {
	t.Helper()
	answered := map[string]bool{}
	for _, m := range wire.Messages() {
		if m.Response {
			answered[m.Method] = true
		}
	}
	for _, m := range methods {
		if !answered[m] {
			t.Errorf("the recorder saw no answer to %s", m)
		}
	}
}

// A recorder that finds nothing wrong in anything would pass every other test.
func TestWireFindsFaults(t *testing.T) {
	if _, ok := durwardtest.Shared(t, "schema", "mcp"); !ok {
		durwardtest.Missing(t, "../shared/schema/mcp does not lie beside the project")
	}
	const header, list = "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	tests := []struct {
		name, request, answer, want string
	}{
		{"a result without its required field", list, `{"jsonrpc":"2.0","id":1,"result":{}}`, "ListToolsResult"},
		{"another id", list, `{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}`, "no open request"},
		{"the same id as another type", list, `{"jsonrpc":"2.0","id":"1","result":{"tools":[]}}`, "no open request"},
		{"a method of another revision", `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}`, `{"jsonrpc":"2.0","id":1,"result":{}}`, "does not know the method"},
		{"a modern request without its metadata", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"x"}}`, "CallToolRequest"},
		{"a modern result without resultType", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`, "resultType"},
		{"an error code that is no integer", list, `{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"x"}}`, "code"},
		{"a batch", "[" + list + "]", `[{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}]`, "a batch in revision"},
		{"progress of nothing", list, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n", "progress of no open request"},
		{"half a JSON", list, `{"jsonrpc":"2.0","id":1,`, "unexpected end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if strings.HasPrefix(tt.answer, "event:") {
					w.Header().Set("Content-Type", "text/event-stream")
				}
				_, _ = w.Write([]byte(tt.answer))
			}))
			defer server.Close()
			verdict := &judged{TB: t}
			wire := durwardtest.NewWire(verdict)
			r, _ := http.NewRequest(http.MethodPost, wire.HTTP(verdict, "line", server.URL), strings.NewReader(tt.request))
			r.Header.Set("Mcp-Protocol-Version", header)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 1<<10)
			for err == nil {
				_, err = res.Body.Read(buf)
			}
			_ = res.Body.Close()
			verdict.end()
			if got := strings.Join(verdict.errors, "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("the recorder said %q, want something with %q", got, tt.want)
			}
		})
	}
}

// judged is a test whose errors are kept instead of reported.
type judged struct {
	testing.TB
	errors  []string
	cleanup []func()
}

func (j *judged) Error(args ...any) {
	j.errors = append(j.errors, strings.TrimSpace(fmt.Sprint(args...)))
}
func (j *judged) Errorf(format string, args ...any) {
	j.errors = append(j.errors, fmt.Sprintf(format, args...))
}
func (j *judged) Cleanup(f func()) { j.cleanup = append(j.cleanup, f) }
func (j *judged) Failed() bool     { return false }
func (j *judged) end() {
	for i := len(j.cleanup) - 1; i >= 0; i-- {
		j.cleanup[i]()
	}
}
