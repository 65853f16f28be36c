package audit_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"durward"
	"durward/internal/audit"
)

// varied writes a log of records that differ in what can be searched for.
func varied(t testing.TB, n int) (string, []durward.Record) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(7, 8))
	dir := t.TempDir()
	l := open(t, dir, audit.Options{SegmentBytes: 256 << 10})
	var all []durward.Record
	for i := range n {
		r := *numbered(i)
		r.ID = fmt.Sprintf("id-%d-%x", i, rnd.Uint64())
		r.Agent = fmt.Sprintf("agent-%d", rnd.IntN(40)*rnd.IntN(2))
		r.Tool = []string{"read", "write", "Überweisung", `odd"tool`}[rnd.IntN(4)]
		if i%97 == 0 {
			r.User, r.Verdict, r.Reason, r.Rule, r.Outcome = "alice@example.com", "deny", "rule_denies", "role x: deny y", durward.OutcomeRefused
		}
		if i%501 == 3 {
			r.Args = fmt.Appendf(nil, `{"customer":"Nr %d","agent":"agent-99","rule":"role x: deny y"}`, i)
		}
		put(t, l, &r, []audit.Mode{audit.Batched, audit.Written}[min(i%50, 1)^1])
		all = append(all, r)
	}
	shut(t, l)
	return dir, all
}

func found(t testing.TB, dir string, q audit.Query) []string {
	t.Helper()
	var out []string
	for e, err := range audit.Search(t.Context(), dir, q) {
		if err != nil {
			t.Fatalf("Search: %v", err)
		}
		r, err := e.Record()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.ID)
	}
	return out
}

// TestSearchFindsTheSameWithAndWithoutIndex compares searches with what looking
// at every record gives.
func TestSearchFindsTheSameWithAndWithoutIndex(t *testing.T) {
	dir, all := varied(t, 6000)
	text := func(s string) func(r durward.Record) bool {
		return func(r durward.Record) bool {
			b := strings.ToLower(string(audit.AppendJSON(nil, &r)))
			_, b, _ = strings.Cut(b, `"lane"`)
			return strings.Contains(b, strings.ToLower(s)) || r.ID == s
		}
	}
	cases := map[string]struct {
		f    audit.Filter
		want func(durward.Record) bool
	}{
		"agent":         {audit.Filter{Agent: "agent-17"}, func(r durward.Record) bool { return r.Agent == "agent-17" }},
		"agent in args": {audit.Filter{Agent: "agent-99"}, func(durward.Record) bool { return false }},
		"user":          {audit.Filter{User: "alice@example.com"}, func(r durward.Record) bool { return r.User != "" }},
		"tool":          {audit.Filter{Tool: `odd"tool`, Agent: "agent-3"}, func(r durward.Record) bool { return r.Tool == `odd"tool` && r.Agent == "agent-3" }},
		"verdict":       {audit.Filter{Verdict: "deny"}, func(r durward.Record) bool { return r.Verdict == "deny" }},
		"rule":          {audit.Filter{Rule: "role x: deny y"}, func(r durward.Record) bool { return r.Rule != "" }},
		"reason":        {audit.Filter{Reason: "rule_denies"}, func(r durward.Record) bool { return r.Reason != "" }},
		"outcome":       {audit.Filter{Outcome: "refused"}, func(r durward.Record) bool { return r.Outcome == "refused" }},
		"time": {audit.Filter{Since: numbered(1000).Time, Until: numbered(1100).Time}, func(r durward.Record) bool {
			return !r.Time.Before(numbered(1000).Time) && r.Time.Before(numbered(1100).Time)
		}},
		"id":           {audit.Filter{ID: all[777].ID}, func(r durward.Record) bool { return r.ID == all[777].ID }},
		"text":         {audit.Filter{Text: "nr 504"}, text("nr 504")},
		"text in case": {audit.Filter{Text: "ALICE@"}, text("ALICE@")},
		"short text":   {audit.Filter{Text: "x:", Verdict: "deny"}, func(r durward.Record) bool { return r.Rule != "" }},
		"id as text":   {audit.Filter{Text: all[4321].ID}, text(all[4321].ID)},
		"nothing":      {audit.Filter{Text: "not in there"}, func(durward.Record) bool { return false }},
		"quoted text":  {audit.Filter{Text: `odd"t`, Agent: "agent-5"}, func(r durward.Record) bool { return r.Tool == `odd"tool` && r.Agent == "agent-5" }},
	}
	check := func(state string) {
		for name, c := range cases {
			var want []string
			for _, r := range all {
				if c.want(r) {
					want = append(want, r.ID)
				}
			}
			if got := found(t, dir, audit.Query{Filter: c.f}); !slices.Equal(got, want) {
				t.Errorf("%s, %s: found %d, want %d", state, name, len(got), len(want))
			}
			want = want[max(0, len(want)-7):]
			if got := found(t, dir, audit.Query{Filter: c.f, Limit: 7}); !slices.Equal(got, want) {
				t.Errorf("%s, %s: the last 7 are %v, want %v", state, name, got, want)
			}
		}
	}
	check("without index")
	n, err := audit.Index(t.Context(), dir, false)
	if err != nil || n < 5 || n != len(segments(t, dir))-1 {
		t.Fatalf("Index = %d, %v", n, err)
	}
	check("with index")
	if n, err = audit.Index(t.Context(), dir, false); n != 0 || err != nil {
		t.Errorf("Index again = %d, %v, want nothing to do", n, err)
	}
	idx, err := filepath.Glob(filepath.Join(dir, "index", "*.idx"))
	if err != nil || len(idx) == 0 {
		t.Fatal(err)
	}
	b := read(t, idx[0])
	b[len(b)/2] ^= 1
	write(t, idx[0], b)
	if err := os.Remove(idx[1]); err != nil {
		t.Fatal(err)
	}
	check("with a broken index")
	if n, err = audit.Index(t.Context(), dir, false); n != 2 || err != nil {
		t.Errorf("Index mends %d, %v, want 2", n, err)
	}
	if n, err = audit.Index(t.Context(), dir, true); n != len(idx) || err != nil {
		t.Errorf("rebuild = %d, %v, want %d", n, err, len(idx))
	}
	check("rebuilt")
}

func BenchmarkSearch(b *testing.B) {
	dir, all := varied(b, 100_000)
	if _, err := audit.Index(b.Context(), dir, false); err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]audit.Filter{"id": {ID: all[31_415].ID}, "text": {Text: "nr 50103"}, "deny": {Verdict: "deny"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if found(b, dir, audit.Query{Filter: f, Limit: 20}) == nil {
					b.Fatal("nothing found")
				}
			}
		})
	}
}
