package catalog_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"durward"
	"durward/internal/catalog"
)

// publics compiles the tools of one upstream and returns the public name of each.
func publics(t *testing.T, n *catalog.Names, own ...string) map[string]string {
	t.Helper()
	v := n.Compile([]catalog.Source{{Upstream: "up", Tools: tools(own...)}}).View("", viewer{})
	out, seen := map[string]string{}, map[string]string{}
	for _, name := range own {
		op, err := v.Named(durward.KindTool, name)
		if err != nil {
			t.Fatalf("Named(%q): %v", name, err)
		}
		if back, err := v.Named(durward.KindTool, op.Public); err != nil || back != op {
			t.Fatalf("Named(%q), the public name of %q: %v", op.Public, name, err)
		}
		if other, taken := seen[strings.ToLower(op.Public)]; taken || len(op.Public) > durward.MaxPublicName {
			t.Fatalf("%q is called %q, like %q", name, op.Public, other)
		}
		seen[strings.ToLower(op.Public)] = name
		out[name] = op.Public
	}
	return out
}

// restart is what the next process remembers.
func restart(t *testing.T, n *catalog.Names) *catalog.Names {
	t.Helper()
	next := catalog.NewNames()
	for key, raw := range n.Unsaved() {
		if raw == nil {
			continue
		}
		if err := next.Recall(key, raw); err != nil {
			t.Fatalf("Recall(%q): %v", key, err)
		}
	}
	return next
}

func TestWhoHadANameFirstKeepsIt(t *testing.T) {
	n := catalog.NewNames()
	if got := publics(t, n, "delete_all", "go"); got["delete_all"] != "up__delete_all" {
		t.Fatalf("alone it is called %v", got)
	}
	later := regexp.MustCompile(`^up__(Delete_all|DELETE_ALL)_[0-9a-f]{10}$`)
	var suffixed string
	for i, own := range [][]string{
		{"Delete_all", "delete_all", "go"}, // the newcomer first in the list, and in byte order
		{"go", "delete_all", "Delete_all"},
		{"DELETE_ALL", "Delete_all", "delete_all"},
		{"Delete_all"}, // who had it is away
		{"Delete_all", "DELETE_ALL", "delete_all"},
	} {
		if i == 3 {
			n = restart(t, n)
		}
		got := publics(t, n, own...)
		if p := got["delete_all"]; p != "" && p != "up__delete_all" {
			t.Errorf("list %d: delete_all is called %s now", i, p)
		}
		if !later.MatchString(got["Delete_all"]) || suffixed != "" && got["Delete_all"] != suffixed {
			t.Errorf("list %d: Delete_all is called %s, before %s", i, got["Delete_all"], suffixed)
		}
		suffixed = got["Delete_all"]
	}
}

func TestAnUpstreamThatIsGoneLeavesNoNames(t *testing.T) {
	n := catalog.NewNames()
	publics(t, n, "delete_all")
	n.Unsaved()
	n.Declare(nil)
	if got := n.Unsaved(); len(got) != 1 || slices.Collect(maps.Values(got))[0] != nil {
		t.Errorf("what is to be kept is %v, want that nothing is left", got)
	}
	if got := publics(t, n, "Delete_all", "delete_all"); got["Delete_all"] != "up__Delete_all" {
		t.Errorf("another upstream of that name: %v", got)
	}
}

// A server cannot make two of its tools be called the same by listing the very
// names that others would get.
func TestNamesThatForeseeOthersSuffixes(t *testing.T) {
	n := catalog.NewNames()
	own := []string{"x~y"}
	for range 4 {
		all := publics(t, catalog.NewNames(), own...)
		own = append(own, strings.TrimPrefix(all["x~y"], "up__"))
	}
	for range 2 {
		publics(t, n, own...)
		slices.Reverse(own)
	}
}

// What is remembered is bounded, and what is listed stays before what is not.
func TestNamesRememberedAreBounded(t *testing.T) {
	n := catalog.NewNames()
	publics(t, n, "delete_all", "aged")
	size := 0
	for round := range 6 {
		own := []string{"delete_all"}
		for i := range 1000 {
			own = append(own, fmt.Sprintf("t%d_%d", round, i))
		}
		publics(t, n, own...)
		for _, raw := range n.Unsaved() {
			size = len(raw)
		}
	}
	if size > 1+16*4096 {
		t.Errorf("%d bytes are kept of one list", size)
	}
	if got := publics(t, n, "Delete_all", "delete_all", "Aged", "aged"); got["delete_all"] != "up__delete_all" || got["Aged"] != "up__Aged" {
		t.Errorf("afterwards: %v", got)
	}
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf("n%d", i))
	}
	first := publics(t, n, many...)
	n.Unsaved()
	slices.Reverse(many)
	if again := publics(t, n, many...); !maps.Equal(first, again) || len(n.Unsaved()) != 0 {
		t.Error("a list that is longer than what is remembered is named anew each time")
	}
}

func FuzzRecall(f *testing.F) {
	n := catalog.NewNames()
	n.Compile([]catalog.Source{{Upstream: "up", Tools: tools("a", "A", "b")}})
	for key, raw := range n.Unsaved() {
		f.Add(key, raw)
	}
	f.Add("prompt up", []byte{1})
	f.Fuzz(func(t *testing.T, key string, raw []byte) {
		n := catalog.NewNames()
		if n.Recall(key, raw) == nil {
			publics(t, n, "a", "A", "b")
		}
	})
}

// A server that is added later does not answer in the place of one that was
// there before it, whatever it is called, restarts included.
func TestAURIIsTheElders(t *testing.T) {
	k1 := catalog.Source{Upstream: "k1", Capabilities: []byte(`{"resources":{}}`), Resources: resources("file:///same", "file:///k1")}
	aa := catalog.Source{Upstream: "aa", Capabilities: []byte(`{"resources":{}}`), Resources: resources("file:///aa", "file:///same")}
	owner := func(c *catalog.Catalog, uri string, v viewer) string {
		ops, _ := c.View("", v).Resource(uri)
		if len(ops) == 0 {
			return ""
		}
		return ops[0].Upstream
	}
	n := catalog.NewNames()
	n.Declare([]string{"k1"})
	n.Compile([]catalog.Source{k1})
	n.Declare([]string{"aa", "k1"})
	for _, when := range []string{"running", "restarted"} {
		c := n.Compile([]catalog.Source{aa, k1})
		if got := owner(c, "file:///same", viewer{}); got != "k1" {
			t.Errorf("%s: file:///same is read from %s", when, got)
		}
		if got := owner(c, "file:///never-listed", viewer{}); got != "k1" {
			t.Errorf("%s: what nobody listed is asked of %s first", when, got)
		}
		if got := listed(t, c.View("", viewer{}), durward.KindResource); !slices.Equal(got, []string{"file:///aa", "file:///same", "file:///k1"}) {
			t.Errorf("%s: resources = %v", when, got)
		}
		if got := owner(c, "file:///same", viewer{allow: func(op *durward.Operation) bool { return op.Upstream == "aa" }}); got != "aa" {
			t.Errorf("%s: for who may not read k1 it is read from %s", when, got)
		}
		if p := c.Problems(); len(p) != 1 || p[0].Upstream != "aa" || p[0].Item != "file:///same" {
			t.Errorf("%s: told of %v, want what of aa another answers for", when, p)
		}
		n = restart(t, n)
		n.Declare([]string{"k1", "aa"})
	}
	n.Declare([]string{"aa"})
	n.Declare([]string{"aa", "k1"})
	if got := owner(n.Compile([]catalog.Source{k1, aa}), "file:///same", viewer{}); got != "aa" {
		t.Errorf("declared anew, k1 comes after aa; it is read from %s", got)
	}
	for _, raw := range []string{"", "\x01", "\x01\x00", "\x02\x01", "\x01\xff\xff\xff\xff\xff\xff", "\x01\x01\x01"} {
		if n.Recall("rank x", []byte(raw)) == nil {
			t.Errorf("a rank kept as %q was recalled", raw)
		}
	}
}

// Nobody stands in for an elder that is away or whose resource is withheld,
// neither when it is read nor when a template of it is completed.
func TestNobodyStandsInForAnElder(t *testing.T) {
	template := [][]byte{[]byte(`{"uriTemplate":"db://{table}","name":"rows"}`)}
	k1 := catalog.Source{Upstream: "k1", Capabilities: []byte(`{"resources":{}}`), Resources: resources("file:///same"), Templates: template}
	aa := catalog.Source{Upstream: "aa", Capabilities: []byte(`{"resources":{}}`), Resources: resources("file:///same", "file:///own"), Templates: template}
	n := catalog.NewNames()
	n.Declare([]string{"k1"})
	n.Compile([]catalog.Source{k1})
	n.Declare([]string{"k1", "aa"})
	if op := n.Compile([]catalog.Source{aa, k1}).View("", viewer{}).Template("db://{table}"); op == nil || op.Upstream != "k1" {
		t.Errorf("the template is %v, want that of k1", op)
	}
	n = restart(t, n)
	n.Declare([]string{"k1", "aa"})
	away := n.Compile([]catalog.Source{aa, {Upstream: "k1", Trouble: "It does not answer."}})
	v := away.View("", viewer{})
	if _, err := v.Resource("file:///same"); reasonOf(err) != durward.ReasonUpstreamUnavailable {
		t.Errorf("while k1 is away: %v, want that it cannot be asked", err)
	}
	if got := listed(t, v, durward.KindResource); !slices.Equal(got, []string{"file:///own"}) {
		t.Errorf("while k1 is away the resources are %v", got)
	}
	if ops, err := away.View("", viewer{allow: func(op *durward.Operation) bool { return op.Upstream == "aa" }}).Resource("file:///same"); err != nil || ops[0].Upstream != "aa" {
		t.Errorf("for who may not read k1: %v, %v", ops, err)
	}
	k1.Standings = map[durward.PinKey]*durward.Standing{{Upstream: "k1", Kind: "resource", Name: "file:///same"}: {Withheld: true}}
	v = n.Compile([]catalog.Source{aa, k1}).View("", viewer{})
	if ops, err := v.Resource("file:///same"); err != nil || len(ops) != 1 || ops[0].Upstream != "k1" {
		t.Errorf("while k1's is withheld: %v, %v, want k1's all the same", ops, err)
	}
	if got := listed(t, v, durward.KindResource); !slices.Equal(got, []string{"file:///own"}) {
		t.Errorf("while k1's is withheld the resources are %v", got)
	}
}

// A cursor is good after a restart, too, where the seal is the same.
func TestCursorsOutliveARestart(t *testing.T) {
	var many []string
	for i := range 2500 {
		many = append(many, fmt.Sprintf("t%04d", i))
	}
	next := func(seal byte) (string, func(string) error) {
		n := catalog.NewNames()
		n.Seal([]byte{seal})
		v := n.Compile([]catalog.Source{{Upstream: "up", Tools: tools(many...)}}).View("", viewer{})
		cursor, _ := page(t, v, durward.KindTool, nil, modern)["nextCursor"].(string)
		return cursor, func(c string) error {
			_, err := v.Page(durward.KindTool, &c, modern)
			return err
		}
	}
	cursor, _ := next(1)
	_, same := next(1)
	_, other := next(2)
	if err := same(cursor); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := other(cursor); reasonOf(err) != durward.ReasonRequestInvalid {
		t.Errorf("at another house: %v", err)
	}
}
