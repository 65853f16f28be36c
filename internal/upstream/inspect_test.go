package upstream_test

import (
	"strings"
	"testing"

	"durward"
)

// Whoever looks at an upstream sees the lines that calls use, what was said on
// them, and what went wrong last.
func TestInspect(t *testing.T) {
	s := newSet(t, nil, lanes, durward.Upstream{Name: "off", Command: "x", Disabled: true}, durward.Upstream{Name: "gone", URL: "http://127.0.0.1:1/"})
	pid, end := hang(t, s, inSession(1))
	other := call(t, s, inSession(2), "x", "{}")
	d, ok := s.Inspect("up")
	if !ok || d.Calls != 1 || d.Status.Era != "legacy" {
		t.Fatalf("Inspect = %+v %v, want one call of the older era", d, ok)
	}
	busy, agents := 0, 0
	for _, v := range d.Sessions {
		if v.For != "agent a" {
			continue
		}
		agents++
		busy += v.Calls
		if v.PID == 0 || v.Revision != "2025-06-18" || v.Opened.IsZero() || !v.Single || string(v.Declared) != elicits {
			t.Errorf("session %+v, want a process of one call at a time", v)
		}
	}
	if agents != 2 || busy != 1 {
		t.Errorf("sessions %+v, want two of the agent (processes %s and %s) with one call", d.Sessions, pid, other)
	}
	_ = end()
	if d, ok = s.Inspect("off"); !ok || d.Status.State != "disabled" {
		t.Errorf("Inspect of a disabled upstream = %+v %v", d, ok)
	}
	_, _ = s.Listing(brief(t), "gone")
	if d, ok = s.Inspect("gone"); !ok || !strings.Contains(d.LastError, "cannot be reached") || d.LastErrorAt.IsZero() || len(d.Sessions) != 0 {
		t.Errorf("Inspect of a dead upstream = %+v %v, want its last error", d, ok)
	}
	if _, ok = s.Inspect("nope"); ok {
		t.Error("Inspect of what does not exist finds something")
	}
}
