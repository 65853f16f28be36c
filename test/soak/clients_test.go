package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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
	answered   map[kind]int
	sessions   []time.Time // when each was opened
}

func newTally() *tally { return &tally{ended: map[string]int{}, answered: map[kind]int{}} }

// unsent is the SDK's own code for what it could not send.
const unsent = -32005

// add sorts the end of a call. excuse tells why it may have got no answer.
func (a *tally) add(k kind, what, excuse string, isError bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var refused *jsonrpc.Error
	switch {
	case err == nil && isError:
		_, tool, _ := strings.Cut(what, "__")
		a.ended["error of the tool "+tool]++
	case err == nil:
		a.ended["answered"]++
		a.answered[k]++
	case errors.As(err, &refused) && refused.Code == unsent && strings.Contains(err.Error(), "Service Unavailable"):
		a.ended["refused: HTTP 503"]++ // the SDK keeps the reason to itself
	case errors.As(err, &refused) && refused.Message != "" && refused.Code != unsent:
		a.ended["refused: "+reason(refused)]++
	case excuse != "":
		a.ended[excuse]++
	default:
		a.ended["NOT ANSWERED"]++
		if len(a.unanswered) < 10 {
			a.unanswered = append(a.unanswered, fmt.Sprintf("%s of %s: %v", what, k, err))
		}
	}
}

// opened notes that a session was.
func (a *tally) opened() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions = append(a.sessions, time.Now())
}

func (a *tally) openedWithin(d time.Duration) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range a.sessions {
		if time.Since(at) < d {
			n++
		}
	}
	return n
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
	for _, k := range kinds {
		fmt.Fprintf(&b, "\n  %6d answered over %s", a.answered[k], k)
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
	for _, k := range kinds {
		if a.answered[k] < 10 {
			t.Errorf("only %d calls over %s were answered", a.answered[k], k)
		}
	}
}

// live is what one client after another does.
func live(ctx context.Context, t *testing.T, g *box, k kind, r *rand.Rand, all *tally) {
	for ctx.Err() == nil {
		c := &client{kind: k, rand: r, flaky: k.over != "stdio" && r.IntN(2) == 0}
		if err := c.connect(ctx, g); err != nil {
			c.leave()
			if ctx.Err() == nil && c.broken.Load() == 0 {
				t.Errorf("connect %s: %v", k, err)
			}
			continue
		}
		if !k.modern {
			all.opened()
		}
		for range 10 + r.IntN(60) {
			if ctx.Err() != nil || !c.act(ctx, all) {
				break
			}
			sleep(ctx, time.Duration(r.IntN(30))*time.Millisecond)
		}
		c.leave()
	}
}

// arguments of the tools that want some.
var arguments = map[string]map[string]any{
	"test_elicitation": {"message": "Who?"},
	"test_sampling":    {"prompt": "Write."},
}

// act does one thing, and often does not wait for its end. false means that
// the connection is no longer of use.
func (c *client) act(ctx context.Context, all *tally) bool {
	s, r := c.session, c.rand
	call, cancel := context.WithTimeout(ctx, time.Minute)
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
	var refused *jsonrpc.Error
	excuse := ""
	switch {
	case call.Err() != nil && (impatient || ctx.Err() != nil):
		excuse = "given up"
	case c.broken.Load() > c.known:
		excuse = "lost with its connection"
	}
	if c.over != "sse" { // which has one for all
		c.known = c.broken.Load()
	}
	all.add(c.kind, what, excuse, isError, err)
	return err == nil || errors.As(err, &refused) || excuse == "given up"
}
