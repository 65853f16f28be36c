// Package hostile drives the gateway with callers and upstreams that lie,
// break off, flood and hang. Each test shows three things: what the caller is
// told, what the record keeps, and that other calls go on.
package hostile

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/durwardtest"
)

func TestMain(m *testing.M) { os.Exit(durwardtest.Main(m)) }

// box is a gateway before two upstreams: one that may be bad, and a good one.
type box struct {
	*durwardtest.Gateway
	durwardtest.Caller
}

func newBox(t *testing.T, bad, more string) box {
	t.Helper()
	scoundrel := durwardtest.Build(t, durwardtest.Scoundrel)
	if bad == "" {
		bad = "{command: " + scoundrel + ", timeout: 3s}"
	}
	g := durwardtest.Serve(t, fmt.Sprintf("bad: %s\ngood: {command: %s}", bad, scoundrel), more)
	b := box{g, durwardtest.Caller{URL: g.Endpoint(), Key: durwardtest.Key}}
	b.goesOn(t)
	return b
}

// goesOn shows that calls to the good upstream still work, in both eras.
func (b box) goesOn(t *testing.T) {
	t.Helper()
	good := durwardtest.Caller{URL: b.Endpoint(), Key: durwardtest.Key}
	a := good.Call(t, "good__echo", `{"text":"still here"}`)
	if text, isError := a.Text(); text != "still here" || isError {
		t.Errorf("another call answers %v, want it to go on", a)
	}
	a = good.Open(t, "2025-11-25").Call(t, "good__echo", `{"text":"still here too"}`)
	if text, isError := a.Text(); text != "still here too" || isError {
		t.Errorf("another call in a session answers %v, want it to go on", a)
	}
}

// kept finds the record of a call by what was asked for.
func (b box) kept(t *testing.T, asked string, verdict string, reason durward.Reason, outcome durward.Outcome) {
	t.Helper()
	r := b.Record(t, asked, func(r durward.Record) bool { return r.Asked == asked && r.Reason == reason })
	if r.ID == "" {
		return
	}
	if r.Verdict != verdict || r.Outcome != outcome {
		t.Errorf("the record of %s says verdict %s, outcome %s; want %s, %s", asked, r.Verdict, r.Outcome, verdict, outcome)
	}
}

// refused finds the record of a refusal by its reason.
func (b box) refused(t *testing.T, reason durward.Reason) durward.Record {
	t.Helper()
	r := b.Record(t, "a refusal for "+string(reason), func(r durward.Record) bool { return r.Reason == reason })
	if r.ID != "" && (r.Verdict != "deny" || r.Outcome != durward.OutcomeRefused) {
		t.Errorf("the record of the refusal says verdict %s, outcome %s", r.Verdict, r.Outcome)
	}
	return r
}

// refusedSince finds a refusal of a request that arrived after a moment.
func (b box) refusedSince(t *testing.T, moment time.Time) {
	t.Helper()
	b.Record(t, "the refusal", func(r durward.Record) bool {
		return r.Time.After(moment) && r.Verdict == "deny" && r.Outcome == durward.OutcomeRefused && r.Reason != ""
	})
}

// silent fails when the answer tells what only operators may know.
func silent(t *testing.T, a durwardtest.Answer, secrets ...string) {
	t.Helper()
	for _, s := range append(secrets, "/tmp/", "goroutine", ".go:") {
		if strings.Contains(a.Body, s) {
			t.Errorf("the answer gives %q away: %v", s, a)
		}
	}
}
