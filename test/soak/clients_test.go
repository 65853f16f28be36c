package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// fickle runs a server over HTTP, and kills and starts it again until ctx ends.
func fickle(ctx context.Context, bin, addr string, stateless bool) {
	for life := context.Background(); ctx.Err() == nil; {
		c := exec.CommandContext(life, bin, "-http", addr, fmt.Sprintf("-stateless=%t", stateless))
		if c.Start() != nil {
			return
		}
		sleep(ctx, 2*mishap+rand.N(2*mishap))
		_ = c.Process.Kill()
		_ = c.Wait()
		sleep(ctx, rand.N(mishap/2))
	}
}

// overHTTP tells the servers of fickle from those that the gateway started.
func overHTTP(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err != nil || bytes.Contains(raw, []byte("-http"))
}

// tally counts how calls ended.
type tally struct {
	mu         sync.Mutex
	ended      map[string]int // guarded by mu
	unanswered []string
}

func newTally() *tally { return &tally{ended: map[string]int{}} }

// add sorts the end of a call. givenUp tells that its client did not wait.
func (a *tally) add(what string, givenUp, isError bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var refused *jsonrpc.Error
	switch {
	case err == nil && isError:
		_, tool, _ := strings.Cut(what, "__")
		a.ended["error of the tool "+tool]++
	case err == nil:
		a.ended["answered"]++
	case givenUp:
		a.ended["given up"]++
	case errors.As(err, &refused) && refused.Message != "":
		a.ended["refused: "+reason(refused)]++
	default:
		a.ended["NOT ANSWERED"]++
		if len(a.unanswered) < 10 {
			a.unanswered = append(a.unanswered, fmt.Sprintf("%s: %v", what, err))
		}
	}
}

// reason is the gateway's word for it, where it is the gateway's refusal.
func reason(e *jsonrpc.Error) string {
	_, after, ok := strings.Cut(string(e.Data), `"reason":"`)
	if !ok {
		return fmt.Sprint(e.Code)
	}
	word, _, _ := strings.Cut(after, `"`)
	return word
}

func (a *tally) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(a.ended)) {
		fmt.Fprintf(&b, "\n  %6d %s", a.ended[k], k)
	}
	return b.String()
}

func (a *tally) judge(t *testing.T) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, what := range a.unanswered {
		t.Errorf("not answered: %s", what)
	}
	for how, n := range a.ended {
		if strings.HasPrefix(how, "refused: -") {
			t.Errorf("%d calls ended as %s, which no mishap here explains", n, how)
		}
	}
	if a.ended["answered"] < 100 {
		t.Errorf("only %d calls were answered", a.ended["answered"])
	}
}

// live is what one client after another does.
func live(ctx context.Context, t *testing.T, url string, r *rand.Rand, all *tally) {
	for ctx.Err() == nil {
		web := &http.Transport{}
		s, err := connect(ctx, url, web, r.IntN(2) == 0)
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("connect: %v", err)
			}
			return
		}
		for range 10 + r.IntN(60) {
			if ctx.Err() != nil {
				break
			}
			act(ctx, s, r, all)
			sleep(ctx, time.Duration(r.IntN(30))*time.Millisecond)
		}
		if r.IntN(4) == 0 { // gone without a word: the session stays behind
			web.DisableKeepAlives = true
			web.CloseIdleConnections()
		}
		_ = s.Close()
		web.CloseIdleConnections()
	}
}

func connect(ctx context.Context, url string, web *http.Transport, modern bool) (*mcp.ClientSession, error) {
	c := mcp.NewClient(&mcp.Implementation{Name: "soak", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"username": "ada", "name": "ada", "confirmed": true}}, nil
		},
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "a poem"}}, nil
		},
		ToolListChangedHandler:      func(context.Context, *mcp.ToolListChangedRequest) {},
		ResourceUpdatedHandler:      func(context.Context, *mcp.ResourceUpdatedNotificationRequest) {},
		ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationClientRequest) {},
	})
	o := &mcp.ClientSessionOptions{}
	if !modern {
		o.ProtocolVersion = "2025-11-25"
	}
	return c.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: web}}, o)
}

// arguments of the tools that want some.
var arguments = map[string]map[string]any{
	"test_elicitation": {"message": "Who?"},
	"test_sampling":    {"prompt": "Write."},
}

// act does one thing, and often does not wait for its end.
func act(ctx context.Context, s *mcp.ClientSession, r *rand.Rand, all *tally) {
	call, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	impatient := r.IntN(5) == 0
	if impatient {
		timer := time.AfterFunc(time.Duration(r.IntN(60))*time.Millisecond, cancel)
		defer timer.Stop()
	}
	up := []string{"new", "old", "newpipe", "oldpipe"}[r.IntN(4)]
	asking := map[bool][]string{
		true:  {"test_input_required_result_elicitation", "test_input_required_result_sampling"},
		false: {"test_elicitation", "test_sampling"},
	}[strings.HasPrefix(up, "new")]
	var err error
	var what string
	var isError bool
	switch n := r.IntN(10); {
	case n < 8:
		tool := [...]string{"test_simple_text", "test_simple_text", "test_tool_with_progress", "test_multiple_content_types", "test_tool_with_logging", "test_error_handling", asking[0], asking[1]}[n]
		what = up + "__" + tool
		var res *mcp.CallToolResult
		params := &mcp.CallToolParams{Name: what, Arguments: map[string]any{}}
		if args := arguments[tool]; args != nil {
			params.Arguments = args
		}
		params.SetProgressToken(what)
		if res, err = s.CallTool(call, params); err == nil {
			isError = res.IsError
		}
	case n == 8:
		what = "read"
		_, err = s.ReadResource(call, &mcp.ReadResourceParams{URI: "test://static-text"})
	default:
		what = "subscribe"
		if err = s.Subscribe(call, &mcp.SubscribeParams{URI: "test://watched-resource"}); err == nil {
			_ = s.Unsubscribe(call, &mcp.UnsubscribeParams{URI: "test://watched-resource"})
		}
	}
	all.add(what, call.Err() != nil && (impatient || ctx.Err() != nil), isError, err)
}
