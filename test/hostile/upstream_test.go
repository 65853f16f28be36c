package hostile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
)

// What a bad upstream may do to a call, and what the caller is then told.
var deeds = []struct {
	tool    string
	where   string // "" for both transports
	fine    bool   // the call succeeds all the same
	outcome durward.Outcome
	reasons []durward.Reason // one of them; none for a call that succeeds
}{
	{tool: "die", reasons: []durward.Reason{durward.ReasonUpstreamUnavailable, durward.ReasonUpstreamProtocol}},
	{tool: "hang", reasons: []durward.Reason{durward.ReasonUpstreamTimeout}},
	{tool: "flood", reasons: []durward.Reason{durward.ReasonUpstreamProtocol, durward.ReasonUpstreamUnavailable}},
	{tool: "flood_notifications", fine: true},
	{tool: "garbage", where: "http", reasons: []durward.Reason{durward.ReasonUpstreamProtocol}},
	{tool: "garbage", where: "stdio", reasons: []durward.Reason{durward.ReasonUpstreamTimeout, durward.ReasonUpstreamProtocol}},
	{tool: "html", where: "http", reasons: []durward.Reason{durward.ReasonUpstreamProtocol}},
	{tool: "wrong_id", reasons: []durward.Reason{durward.ReasonUpstreamTimeout, durward.ReasonUpstreamProtocol}},
	{tool: "wrong_then_right", fine: true},
	{tool: "noise", where: "stdio", fine: true},
	{tool: "half", reasons: []durward.Reason{durward.ReasonUpstreamProtocol, durward.ReasonUpstreamUnavailable}},
	{tool: "both", reasons: []durward.Reason{durward.ReasonUpstreamProtocol, durward.ReasonUpstreamTimeout}},
	{tool: "null_result", reasons: []durward.Reason{durward.ReasonUpstreamProtocol, durward.ReasonUpstreamTimeout}},
	{tool: "twice", fine: true},
	{tool: "invalid_utf8", reasons: []durward.Reason{durward.ReasonUpstreamProtocol, durward.ReasonUpstreamTimeout}},
	{tool: "deep", reasons: []durward.Reason{durward.ReasonUpstreamProtocol, durward.ReasonUpstreamTimeout}},
	{tool: "status_500", where: "http", reasons: []durward.Reason{durward.ReasonUpstreamUnavailable, durward.ReasonUpstreamProtocol}},
	{tool: "redirect", where: "http", reasons: []durward.Reason{durward.ReasonUpstreamUnavailable, durward.ReasonUpstreamProtocol}},
	{tool: "ask", where: "stdio", fine: true},
}

func TestUpstreamsThatMisbehave(t *testing.T) {
	scoundrel := durwardtest.Build(t, durwardtest.Scoundrel)
	for _, transport := range []string{"stdio", "http"} {
		for _, era := range []string{"legacy", "modern"} {
			t.Run(transport+" "+era, func(t *testing.T) {
				t.Parallel() // mostly they wait
				bad := fmt.Sprintf("{command: %s, era: %s, timeout: 5s}", scoundrel, era)
				if transport == "http" {
					addr := durwardtest.StartHTTP(t, durwardtest.StartOptions{}, scoundrel, "-http", "{ADDR}")
					bad = fmt.Sprintf("{url: http://%s/mcp, era: %s, timeout: 5s}", addr, era)
				}
				misbehave(t, newBox(t, bad, ""), transport)
			})
		}
	}
}

func misbehave(t *testing.T, b box, transport string) {
	for _, d := range deeds {
		if d.where != "" && d.where != transport {
			continue
		}
		t.Run(d.tool, func(t *testing.T) {
			began := time.Now()
			a := b.Call(t, "bad__"+d.tool, `{"text":"mine"}`)
			if took := time.Since(began); took > time.Minute {
				t.Errorf("the answer took %v although the timeout is 5 s", took)
			}
			silent(t, a, "/var/secret", "not for you", "169.254")
			text, isError := a.Text()
			if d.fine {
				if isError || a.Error != nil || text != "mine" && text != "first" {
					t.Errorf("the call answers %.300s, want it to succeed", a.String())
				}
			} else {
				if a.Error == nil && !isError {
					t.Errorf("the call answers %.300s, want an error", a.String())
				}
				b.failed(t, "bad__"+d.tool, d.reasons)
			}
			b.goesOn(t)
			b.recovers(t)
		})
	}
}

// failed finds the record of a call that was allowed and came to nothing.
func (b box) failed(t *testing.T, asked string, reasons []durward.Reason) {
	t.Helper()
	r := b.Record(t, asked, func(r durward.Record) bool { return r.Asked == asked })
	for _, reason := range reasons {
		if r.Reason == reason {
			if r.Verdict != "allow" || r.Outcome != durward.OutcomeError && r.Outcome != durward.OutcomeUnknown {
				t.Errorf("the record of %s says verdict %s, outcome %s", asked, r.Verdict, r.Outcome)
			}
			return
		}
	}
	t.Errorf("the record of %s says reason %q, want one of %v", asked, r.Reason, reasons)
}

// recovers shows that the bad upstream itself comes back.
func (b box) recovers(t *testing.T) {
	t.Helper()
	var a durwardtest.Answer
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		a = b.Call(t, "bad__echo", `{"text":"back"}`)
		if text, _ := a.Text(); text == "back" {
			return
		}
	}
	t.Errorf("the upstream does not come back: %.300s", a.String())
}

// While one call of an upstream misbehaves, others of the same upstream go on.
func TestOtherCallsOfTheSameUpstreamGoOn(t *testing.T) {
	b := newBox(t, "{command: "+durwardtest.Build(t, durwardtest.Scoundrel)+", timeout: 10m}", "")
	ctx, leave := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	var ended atomic.Int32
	began := filepath.Join(t.TempDir(), "began")
	for range 4 {
		calls.Go(func() {
			body, header := durwardtest.Modern("7", "tools/call", "bad__slow", fmt.Sprintf(`{"name":"bad__slow","arguments":{"began":%q,"until":"/never/there"}}`, began))
			_, _ = b.Try(ctx, body, header)
			ended.Add(1)
		})
	}
	b.WaitFor(t, "making four calls", func() bool { raw, _ := os.ReadFile(began); return strings.Count(string(raw), "began") == 4 })
	for range 20 {
		if text, _ := b.Call(t, "bad__echo", `{"text":"beside"}`).Text(); text != "beside" {
			t.Fatal("a call beside one that hangs fails")
		}
	}
	if n := ended.Load(); n > 0 {
		t.Errorf("%d of the calls that hang ended before 20 beside them did", n)
	}
	leave()
	calls.Wait()
}

// An upstream that is bad from the start hides nothing else and delays nothing.
func TestUpstreamsBadFromTheStart(t *testing.T) {
	scoundrel := durwardtest.Build(t, durwardtest.Scoundrel)
	for _, mode := range []string{"silent", "exit", "garbage", "list_garbage", "list_flood", "nobody"} {
		for _, transport := range []string{"stdio", "http"} {
			t.Run(mode+" over "+transport, func(t *testing.T) {
				bad := fmt.Sprintf("{command: %s, args: [-mode, %s], timeout: 3s}", scoundrel, mode)
				switch {
				case mode == "nobody" && transport == "stdio":
					bad = "{command: /nonexistent/server}"
				case mode == "nobody":
					bad = fmt.Sprintf("{url: http://%s/mcp}", durwardtest.FreeAddr(t))
				case transport == "http":
					bad = fmt.Sprintf("{url: http://%s/mcp, timeout: 3s}", durwardtest.StartHTTP(t, durwardtest.StartOptions{}, scoundrel, "-http", "{ADDR}", "-mode", mode))
				}
				began := time.Now()
				b := newBox(t, bad, "")
				body, header := durwardtest.Modern("1", "tools/list", "", `{}`)
				a := b.Post(t, body, header)
				if !strings.Contains(a.Body, "good__echo") {
					t.Errorf("tools/list = %.500s, want the good upstream's tools", a.String())
				}
				if took := time.Since(began); took > 30*time.Second { // who waited for it would wait a minute
					t.Errorf("start, call and list took %v", took)
				}
				if a := b.Call(t, "bad__echo", `{}`); a.Error == nil {
					if _, isError := a.Text(); !isError {
						t.Errorf("a call to it answers %.300s", a.String())
					}
				}
				b.seen(t)
			})
		}
	}
}

// seen shows that the operator sees the failure.
func (b box) seen(t *testing.T) {
	t.Helper()
	stdout, stderr, code := b.Run(t, "upstream", "list", "--data", b.Data, "-o", "json")
	if code != 0 || !strings.Contains(stdout, `"bad"`) {
		t.Errorf("durward upstream list = %d %s %s", code, stdout, stderr)
	}
}

// No process outlives the gateway, even when it is killed.
func TestNoOrphans(t *testing.T) {
	b := newBox(t, "", "")
	b.Call(t, "bad__echo", `{}`)
	pids := durwardtest.Children(t, b.Cmd.Process.Pid)
	if len(pids) < 2 {
		t.Fatalf("the gateway has %d children, want both upstreams", len(pids))
	}
	_ = b.Cmd.Process.Kill() // SIGKILL, and only the gateway itself
	<-b.Exited()
	deadline := time.Now().Add(time.Minute)
	for _, pid := range pids {
		for durwardtest.Alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("the upstream process %d outlived the gateway", pid)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
