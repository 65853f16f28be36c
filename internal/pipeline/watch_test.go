package pipeline_test

import (
	"testing"

	"durward"
)

func TestAWatchIsJudgedAgainWhenThePlanChanges(t *testing.T) {
	h := newHouse(t)
	begin := snapshotOf(h)
	begin.Roles[0].Deny = []string{"resource:crm__secret:*"}
	if err := h.Load(begin); err != nil {
		t.Fatal(err)
	}
	w, err := h.Watch(t.Context(), h.call(t, "subscriptions/listen", `{}`), durward.Topics{URIs: []string{"crm://1", "secret://1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := w.Granted().URIs; len(got) != 1 || got[0] != "crm://1" {
		t.Fatalf("granted %v, want crm://1 alone", got)
	}
	if r, _ := h.ledger.last(t); r.Verdict != "deny" || r.Asked != "secret://1" || r.Method != "subscriptions/listen" || r.Agent != "bot" {
		t.Errorf("record of what was not granted: %+v", r)
	}

	// The upstream is another server now: the old subscription is worth nothing.
	s := snapshotOf(h)
	s.Revision, s.Upstreams[0].URL = 8, "http://elsewhere/mcp"
	first := h.up.opened
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	if h.up.opened != first+1 || len(h.up.watched) != 1 {
		t.Errorf("after the upstream changed: %d subscriptions opened, %d open; want one anew", h.up.opened-first, len(h.up.watched))
	}

	// The role loses the resource.
	s = snapshotOf(h)
	s.Revision, s.Roles[0].Deny = 9, []string{"resource:crm__*"}
	if err := h.Load(s); err != nil {
		t.Fatal(err)
	}
	if got := w.Granted().URIs; len(got) != 0 || len(h.up.watched) != 0 {
		t.Errorf("after the role lost it: granted %v, subscriptions left %d", got, len(h.up.watched))
	}
}

// What an upstream has no room for is not granted, and the record says why.
func TestAWatchThatIsTooMuchForItsUpstream(t *testing.T) {
	h := newHouse(t)
	h.up.full = "bot"
	w, err := h.Watch(t.Context(), h.call(t, "subscriptions/listen", `{}`), durward.Topics{URIs: []string{"crm://1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := w.Granted().URIs; len(got) != 0 {
		t.Errorf("granted %v, want nothing", got)
	}
	if r, _ := h.ledger.last(t); r.Reason != durward.ReasonOverloaded || r.Asked != "crm://1" {
		t.Errorf("record of what was not granted: %+v", r)
	}
}
