package hostile

import (
	"context"
	"fmt"
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

	call := func(ctx context.Context, text string, ms int) (durwardtest.Answer, error) {
		body, header := durwardtest.Modern("1", "tools/call", "bad__slow", fmt.Sprintf(`{"name":"bad__slow","arguments":{"text":%q,"ms":%d}}`, text, ms))
		return c.Try(ctx, body, header)
	}
	began := time.Now()
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if a, err := call(short, "pay", 1500); err == nil {
		t.Fatalf("the connection did not break: %v", a)
	}
	a, err := call(t.Context(), "pay", 1500)
	if err != nil || a.Error != nil {
		t.Fatalf("issued again: %v, %v", a, err)
	}
	if took := time.Since(began); took < 1400*time.Millisecond || took > 2800*time.Millisecond {
		t.Errorf("the answer came after %s, want that of the first call, after about 1.5 s", took)
	}
	g.Record(t, "the call, which went on", func(r durward.Record) bool {
		return r.Tool == "slow" && r.Outcome == durward.OutcomeOK && r.UpstreamUS > 1_000_000
	})
	g.Record(t, "the answer that was given again", func(r durward.Record) bool { return r.Reason == durward.ReasonAnsweredBefore })

	go func() { _, _ = call(context.Background(), "pay twice", 6_000) }()
	time.Sleep(time.Second) // the call is under way, and noted
	g.Kill()
	g.Restart(t)
	c.Call(t, "bad__echo", `{"text":"warm"}`)
	a, err = call(t.Context(), "pay twice", 6_000)
	if err != nil {
		t.Fatal(err)
	}
	if text, isError := a.Text(); !isError || !strings.Contains(text, "may have been made") {
		t.Errorf("after the gateway died: %v, want to hear that the end is unknown", a)
	}
}
