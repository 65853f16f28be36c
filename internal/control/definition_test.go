package control_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"durward"
	"durward/internal/control"
)

var (
	digestOne = strings.Repeat("1a", 32)
	digestTwo = strings.Repeat("2b", 32)
)

func defined(state, digest string) durward.Definition {
	return durward.Definition{Upstream: "crm", Kind: durward.PinTool, Name: "add", State: state, Digest: digest, Now: json.RawMessage(`{"name":"add"}`)}
}

func wants(digest string) []control.Approval {
	return []control.Approval{{Kind: durward.PinTool, Name: "add", Digest: digest}}
}

func (h *house) pins(t *testing.T) []durward.Pin {
	t.Helper()
	s, err := h.db.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Pins
}

func TestApprove(t *testing.T) {
	h := open(t)
	if _, err := h.Approve(t.Context(), operator, "crm", wants(digestOne)); err == nil {
		t.Error("what was never read is approved")
	}
	h.defined = []durward.Definition{defined(durward.DefinitionWithheld, digestOne)}
	for what, a := range map[string][]control.Approval{
		"nothing":          nil,
		"another digest":   wants(digestTwo),
		"a short digest":   wants(digestOne[:7]),
		"another tool":     {{Kind: durward.PinTool, Name: "sub", Digest: digestOne}},
		"another kind":     {{Kind: durward.PinPrompt, Name: "add", Digest: digestOne}},
		"one of two wrong": append(wants(digestOne), wants(digestTwo)...),
	} {
		if _, err := h.Approve(t.Context(), operator, "crm", a); err == nil || len(h.pins(t)) != 0 {
			t.Errorf("%s is approved: %v", what, err)
		}
	}
	if _, err := h.Approve(t.Context(), durward.Actor{Name: "nobody"}, "crm", wants(digestOne)); durward.AsError(err).Code != durward.Forbidden {
		t.Errorf("who is no operator: %v", err)
	}
	done, err := h.Approve(t.Context(), operator, "crm", wants(digestOne[:12]))
	if err != nil || len(done) != 1 || done[0].Missing != 0 {
		t.Fatalf("Approve = %+v, %v", done, err)
	}
	p := h.pins(t)[0]
	if p.Digest != digestOne || p.By != "tester" || !p.At.Equal(h.now) || string(p.Definition) != `{"name":"add"}` {
		t.Errorf("pin %+v", p)
	}
	h.file.Pins = []durward.Pin{{Upstream: "crm", Kind: durward.PinTool, Name: "other", Digest: digestTwo, Origin: durward.FromFile}}
	if _, err := h.Approve(t.Context(), operator, "crm", wants(digestOne)); durward.AsError(err).Reason != durward.ReasonReadOnly {
		t.Errorf("what a lock file decides: %v", err)
	}
}

// What the server does not show any more is not put in force, though it was a
// moment ago.
func TestApproveReadsAnew(t *testing.T) {
	h := open(t)
	h.defined = []durward.Definition{defined(durward.DefinitionWithheld, digestOne)}
	h.reread = func() { h.defined = []durward.Definition{defined(durward.DefinitionApproved, digestTwo)} }
	if _, err := h.Approve(t.Context(), operator, "crm", wants(digestOne)); durward.AsError(err).Code != durward.Conflict || len(h.pins(t)) != 0 {
		t.Errorf("what is not shown any more: %v", err)
	}
}

func TestTwoPeopleApprove(t *testing.T) {
	h := open(t)
	h.file.Guarding.People = 2
	h.defined = []durward.Definition{defined(durward.DefinitionWithheld, digestOne)}
	ada, bob := durward.Actor{Name: "ada", Key: "k_a", Operator: true}, durward.Actor{Name: "bob", Key: "k_b", Operator: true}
	for _, by := range []durward.Actor{{Name: "local", Operator: true}, {Name: "key k_x", Key: "k_x", Operator: true}} {
		if _, err := h.Approve(t.Context(), by, "crm", wants(digestOne)); durward.AsError(err).Reason != durward.ReasonNotApprover || len(h.pins(t)) != 0 {
			t.Errorf("%s, who has no name, approves as one of two: %v", by.Name, err)
		}
	}
	done, err := h.Approve(t.Context(), ada, "crm", wants(digestOne))
	if err != nil || done[0].Missing != 1 || h.pins(t)[0].Digest != "" {
		t.Fatalf("the first: %+v, %v", done, err)
	}
	if _, err := h.Approve(t.Context(), ada, "crm", wants(digestOne)); durward.AsError(err).Code != durward.Conflict {
		t.Errorf("the same once more: %v", err)
	}
	// It changes meanwhile: what ada approved does not count for the other one.
	h.defined[0] = defined(durward.DefinitionWithheld, digestTwo)
	if done, err := h.Approve(t.Context(), bob, "crm", wants(digestTwo)); err != nil || done[0].Missing != 1 {
		t.Errorf("another definition: %+v, %v", done, err)
	}
	late := durward.Actor{Name: "cora", Key: "k_c", Since: h.now.Add(time.Second), Operator: true}
	if _, err := h.Approve(t.Context(), late, "crm", wants(digestTwo)); durward.AsError(err).Reason != durward.ReasonNotApprover {
		t.Errorf("a key that was made after the first approval: %v", err)
	}
	if done, err := h.Approve(t.Context(), ada, "crm", wants(digestTwo)); err != nil || done[0].Missing != 0 {
		t.Errorf("the second: %+v, %v", done, err)
	}
	if p := h.pins(t)[0]; p.Digest != digestTwo || p.By != "bob and ada" || p.Proposal != nil {
		t.Errorf("pin %+v", p)
	}
}

func TestTrustReplacesNothing(t *testing.T) {
	h := open(t)
	pin := func(kind, digest string) durward.Pin {
		return durward.Pin{Upstream: "crm", Kind: kind, Name: map[string]string{durward.PinTool: "add"}[kind], Digest: digest, By: "first sight"}
	}
	trust := func(pins ...durward.Pin) {
		t.Helper()
		if err := h.Trust(t.Context(), operator, pins); err != nil {
			t.Fatal(err)
		}
	}
	trust(pin(durward.PinTool, digestOne), pin(durward.PinServer, digestOne), durward.Pin{Upstream: "gone", Kind: durward.PinTool, Name: "x", Digest: digestOne})
	trust(pin(durward.PinTool, digestTwo), pin(durward.PinServer, digestTwo))
	got := h.pins(t)
	if len(got) != 2 || got[0].Kind != durward.PinServer || got[0].Digest != digestTwo || got[1].Digest != digestOne {
		t.Errorf("pins %+v, want the first tool and the newest server", got)
	}
}

// One operator does not get around the other by adding the upstream again.
func TestPinsOutliveTheirUpstreamWhereTwoPeopleApprove(t *testing.T) {
	for people, kept := range map[int]int{0: 0, 2: 1} {
		h := open(t)
		h.file.Guarding.People = people
		if err := h.AddUpstream(t.Context(), operator, durward.Upstream{Name: "wiki", URL: "https://wiki.example"}); err != nil {
			t.Fatal(err)
		}
		if err := h.Trust(t.Context(), operator, []durward.Pin{{Upstream: "wiki", Kind: durward.PinTool, Name: "add", Digest: digestOne}}); err != nil {
			t.Fatal(err)
		}
		if err := h.RemoveUpstream(t.Context(), operator, "wiki"); err != nil {
			t.Fatal(err)
		}
		if got := h.pins(t); len(got) != kept || kept > 0 && got[0].Digest != digestOne {
			t.Errorf("with %d people: pins %+v, want %d", people, got, kept)
		}
	}
}

// What an upstream shows to others is approved beside what the gateway lists,
// in one go also where two people have to.
func TestApproveVariants(t *testing.T) {
	three := strings.Repeat("3c", 32)
	shown := defined(durward.DefinitionWithheld, digestOne)
	shown.Variants = []durward.DefinitionVariant{{Who: "agent a", Digest: digestTwo}, {Who: "another client", Digest: three}}
	all := append(append(wants(digestOne), wants(digestTwo)...), wants(three[:12])...)

	h := open(t)
	h.defined = []durward.Definition{shown}
	if _, err := h.Approve(t.Context(), operator, "crm", wants(digestTwo)); err == nil || len(h.pins(t)) != 0 {
		t.Errorf("what others are shown is approved alone: %v", err)
	}
	if done, err := h.Approve(t.Context(), operator, "crm", all); err != nil || len(done) != 3 {
		t.Fatalf("Approve = %+v, %v", done, err)
	}
	if p := h.pins(t)[0]; p.Digest != digestOne || !p.Approves(digestTwo) || !p.Approves(three) || p.Approves("") {
		t.Errorf("pin %+v", p)
	}
	if done, err := h.Approve(t.Context(), operator, "crm", all); err != nil || !done[0].Already {
		t.Errorf("the same again: %+v, %v", done, err)
	}
	// What nobody is shown any more is not approved for ever.
	shown.Digest, shown.Variants = strings.Repeat("4d", 32), shown.Variants[:1]
	h.defined = []durward.Definition{shown}
	if _, err := h.Approve(t.Context(), operator, "crm", wants(shown.Digest)); err != nil {
		t.Fatal(err)
	}
	if p := h.pins(t)[0]; p.Digest != shown.Digest || p.Before != digestOne || !p.Approves(digestTwo) || p.Approves(three) || p.Approves(digestOne) {
		t.Errorf("pin %+v", p)
	}

	two := open(t)
	two.file.Guarding.People = 2
	two.defined = []durward.Definition{defined(durward.DefinitionWithheld, digestOne)}
	two.defined[0].Variants = []durward.DefinitionVariant{{Who: "agent a", Digest: digestTwo}}
	both := append(wants(digestOne), wants(digestTwo)...)
	for i, by := range []durward.Actor{{Name: "ada", Key: "k_a", Operator: true}, {Name: "bob", Key: "k_b", Operator: true}} {
		if done, err := two.Approve(t.Context(), by, "crm", both); err != nil || done[0].Missing != 1-i {
			t.Fatalf("%s: %+v, %v", by.Name, done, err)
		}
	}
	if p := two.pins(t)[0]; p.Digest != digestOne || !p.Approves(digestTwo) || p.By != "ada and bob" {
		t.Errorf("pin %+v", p)
	}
}
