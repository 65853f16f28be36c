package hostile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
)

// A caller whose connection breaks in the middle of a call that must not be
// made twice asks again: the first call goes on, and it gets that one's result.
// When the gateway dies instead, nobody knows, and that is what it hears.
func TestACallWhoseStreamBreaksIsMadeOnce(t *testing.T) {
	g := durwardtest.Serve(t, fmt.Sprintf("bad: {command: %q}", durwardtest.Build(t, durwardtest.Scoundrel)), "once: {tools: [\"bad__slow\"]}\n")
	c := durwardtest.Caller{URL: g.Endpoint(), Key: durwardtest.Key}
	c.Call(t, "bad__echo", `{"text":"warm"}`)

	dir := t.TempDir()
	file := func(text, what string) string { return filepath.Join(dir, text+" "+what) }
	call := func(ctx context.Context, text string) (durwardtest.Answer, error) {
		body, header := durwardtest.Modern("1", "tools/call", "bad__slow",
			fmt.Sprintf(`{"name":"bad__slow","arguments":{"text":%q,"began":%q,"until":%q}}`, text, file(text, "began"), file(text, "ends")))
		return c.Try(ctx, body, header)
	}
	underWay := func(text string) {
		t.Helper()
		g.WaitFor(t, "making the call", func() bool { _, err := os.Stat(file(text, "began")); return err == nil })
	}

	short, hangUp := context.WithCancel(t.Context())
	broken := make(chan error, 1)
	go func() {
		_, err := call(short, "pay")
		broken <- err
	}()
	underWay("pay")
	hangUp()
	if err := <-broken; err == nil {
		t.Fatal("the connection did not break")
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = os.WriteFile(file("pay", "ends"), nil, 0o600) }) // as a rule when it was issued again
	a, err := call(t.Context(), "pay")
	if err != nil || a.Error != nil {
		t.Fatalf("issued again: %v, %v", a, err)
	}
	if text, isError := a.Text(); text != "pay" || isError {
		t.Errorf("issued again: %v, want the answer of the first call", a)
	}
	if raw, err := os.ReadFile(file("pay", "began")); err != nil || strings.Count(string(raw), "began") != 1 {
		t.Errorf("the server was called so often: %q %v, want once", raw, err)
	}
	g.Record(t, "the call, which went on", func(r durward.Record) bool {
		return r.Tool == "slow" && r.Outcome == durward.OutcomeOK && r.Reason != durward.ReasonAnsweredBefore
	})
	g.Record(t, "the answer that was given again", func(r durward.Record) bool { return r.Reason == durward.ReasonAnsweredBefore })

	go func() { _, _ = call(context.Background(), "pay twice") }()
	underWay("pay twice")
	g.Kill()
	g.Restart(t)
	c.Call(t, "bad__echo", `{"text":"warm"}`)
	a, err = call(t.Context(), "pay twice")
	if err != nil {
		t.Fatal(err)
	}
	if text, isError := a.Text(); !isError || !strings.Contains(text, "may have been made") {
		t.Errorf("after the gateway died: %v, want to hear that the end is unknown", a)
	}
}
