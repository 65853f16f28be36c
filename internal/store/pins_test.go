package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"durward"
	"durward/internal/store"
)

func pinned(upstream, name, text string) durward.Pin {
	def, _ := json.Marshal(map[string]string{"name": name, "description": text})
	return durward.Pin{
		Upstream: upstream, Kind: durward.PinTool, Name: name, Digest: strings.Repeat("ab", 32),
		Groups: map[string]string{"name": strings.Repeat("cd", 32)}, Definition: def, By: "ada", Origin: durward.FromStore,
	}
}

func TestPinsAreKeptAndGoWithTheirUpstream(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1000) // a name longer than a key may be
	one, two, three := pinned("crm", long, "<&>\u200b"), pinned("crm2", "add", "x"), pinned("crm", "big", strings.Repeat("y", 200<<10))
	one.Proposal = &durward.Proposal{Digest: "ef", By: []string{"ada"}}
	if _, err := db.Apply(t.Context(), 0, "ada", []durward.Change{{PutPin: &one}, {PutPin: &two}, {PutPin: &three}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(dir, store.Options{}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.State(t.Context())
	if err != nil || len(s.Pins) != 3 {
		t.Fatalf("State = %+v, %v", s, err)
	}
	got := s.Pins[1] // by upstream, kind and name
	if got.Name != long || got.Digest != one.Digest || got.Proposal == nil || got.Proposal.By[0] != "ada" || got.Groups["name"] != one.Groups["name"] {
		t.Errorf("pin = %+v", got)
	}
	var was, is map[string]string
	if json.Unmarshal(one.Definition, &was) != nil || json.Unmarshal(got.Definition, &is) != nil || was["description"] != is["description"] {
		t.Errorf("definition = %s, want %s", got.Definition, one.Definition)
	}
	if s.Pins[0].Name != "big" || s.Pins[0].Definition != nil || s.Pins[0].Digest == "" {
		t.Errorf("of a large definition is kept %+v", s.Pins[0])
	}
	journal, err := db.Journal(t.Context(), 0, 10)
	if err != nil || len(journal) != 1 || journal[0].By != "ada" || journal[0].Changes[0].PutPin.Definition != nil || journal[0].Changes[0].PutPin.Digest == "" {
		t.Errorf("journal = %+v, %v", journal, err)
	}
	if _, err := db.Apply(t.Context(), s.Revision, "ada", []durward.Change{{DeleteUpstream: "crm"}}); err != nil {
		t.Fatal(err)
	}
	if s, err = db.State(t.Context()); err != nil || len(s.Pins) != 1 || s.Pins[0].Upstream != "crm2" {
		t.Errorf("after its upstream has gone: %+v, %v", s, err)
	}
}

func BenchmarkPins(b *testing.B) {
	db, err := store.Open(b.TempDir(), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var changes []durward.Change
	for i := range 1000 {
		p := pinned("crm", fmt.Sprintf("tool_%d", i), strings.Repeat("Does one thing. ", 60))
		changes = append(changes, durward.Change{PutPin: &p})
	}
	rev, err := db.Apply(b.Context(), 0, "x", changes)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if rev, err = db.Apply(b.Context(), rev, "x", []durward.Change{{PutRole: &durward.Role{Name: "r"}}}); err != nil {
			b.Fatal(err)
		}
		if _, err := db.State(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
