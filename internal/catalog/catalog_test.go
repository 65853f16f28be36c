package catalog_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"durward"
	"durward/internal/catalog"
)

// everyone may use what allow says; it stands in for compiled rules.
type viewer struct {
	allow func(op *durward.Operation) bool
}

func (v viewer) Decide(op *durward.Operation) durward.Verdict {
	if v.allow == nil || v.allow(op) {
		return durward.Verdict{Effect: durward.Allow}
	}
	return durward.Verdict{Reason: durward.ReasonNotAllowed}
}

func (v viewer) Reaches(upstream string) bool {
	return v.allow == nil || v.allow(&durward.Operation{Upstream: upstream})
}

func tools(names ...string) [][]byte {
	var out [][]byte
	for _, n := range names {
		out = append(out, fmt.Appendf(nil, `{"name":%q,"x-vendor":1.0,"inputSchema":{"type":"object"}}`, n))
	}
	return out
}

func resources(uris ...string) [][]byte {
	var out [][]byte
	for _, u := range uris {
		out = append(out, fmt.Appendf(nil, `{"uri":%q,"name":"r"}`, u))
	}
	return out
}

var modern = catalog.Encoding{Revision: "2026-07-28", Modern: true, Server: []byte(`{"name":"durward","version":"1"}`)}

func page(t *testing.T, v *catalog.View, kind durward.Kind, cursor *string, enc catalog.Encoding) map[string]any {
	t.Helper()
	raw, err := v.Page(kind, cursor, enc)
	if err != nil {
		t.Fatalf("Page: %v", err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("Page gave %s: %v", raw, err)
	}
	return out
}

func listed(t *testing.T, v *catalog.View, kind durward.Kind) []string {
	t.Helper()
	key := map[durward.Kind]string{durward.KindTool: "tools", durward.KindPrompt: "prompts", durward.KindResource: "resources"}[kind]
	var names []string
	for _, it := range page(t, v, kind, nil, modern)[key].([]any) {
		item := it.(map[string]any)
		if kind == durward.KindResource {
			names = append(names, item["uri"].(string))
		} else {
			names = append(names, item["name"].(string))
		}
	}
	return names
}

func TestListsAreMergedInAStableOrderUnderPrefixedNames(t *testing.T) {
	a := catalog.Source{Upstream: "files", Tools: tools("write", "read")}
	b := catalog.Source{Upstream: "crm", Tools: tools("find")}
	want := []string{"crm__find", "files__write", "files__read"}
	for _, order := range [][]catalog.Source{{a, b}, {b, a}} {
		if got := listed(t, catalog.Compile(order).View("", viewer{}), durward.KindTool); !slices.Equal(got, want) {
			t.Errorf("tools = %v, want %v", got, want)
		}
	}
}

func TestPublicNamesAreUsableEverywhereAndLeadBack(t *testing.T) {
	own := []string{"plain", "with.dot", "with/slash", "with dot", "ünïcode", strings.Repeat("long", 30), strings.Repeat("long", 30) + "2", "Case", "case"}
	c := catalog.Compile([]catalog.Source{{Upstream: "up", Tools: tools(own...)}})
	v := c.View("", viewer{})
	names := listed(t, v, durward.KindTool)
	ok := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	seen := map[string]bool{}
	for i, n := range names {
		if !ok.MatchString(n) || seen[strings.ToLower(n)] {
			t.Errorf("public name %q of %q is unusable or not unique", n, own[i])
		}
		seen[strings.ToLower(n)] = true
		if op, err := v.Named(durward.KindTool, n); err != nil || op.Name != own[i] {
			t.Errorf("Named(%q) = %v, %v, want %q", n, op, err, own[i])
		}
		if op, err := v.Named(durward.KindTool, own[i]); err != nil || op.Name != own[i] {
			t.Errorf("Named(%q), the bare name, = %v, %v", own[i], op, err)
		}
	}
	// Names do not depend on what else is listed, nor on its order.
	slices.Reverse(own)
	again := listed(t, catalog.Compile([]catalog.Source{{Upstream: "up", Tools: tools(own...)}}).View("", viewer{}), durward.KindTool)
	slices.Reverse(again)
	if !slices.Equal(names, again) {
		t.Errorf("names changed with the order of the list: %v, then %v", names, again)
	}
}

func TestBareNames(t *testing.T) {
	c := catalog.Compile([]catalog.Source{
		{Upstream: "a", Tools: tools("find", "only")},
		{Upstream: "b", Tools: tools("find")},
	})
	all := c.View("", viewer{})
	if op, err := all.Named(durward.KindTool, "only"); err != nil || op.Upstream != "a" {
		t.Errorf("an unambiguous bare name: %v, %v", op, err)
	}
	if _, err := all.Named(durward.KindTool, "find"); durward.AsError(err).Reason != durward.ReasonOperationAmbiguous || !strings.Contains(err.Error(), "a__find or b__find") {
		t.Errorf("an ambiguous bare name: %v", err)
	}
	if op, err := all.Named(durward.KindTool, "b__find"); err != nil || op.Upstream != "b" {
		t.Errorf("a public name: %v, %v", op, err)
	}
	onlyB := c.View("", viewer{allow: func(op *durward.Operation) bool { return op.Upstream == "b" }})
	if op, err := onlyB.Named(durward.KindTool, "find"); err != nil || op.Upstream != "b" {
		t.Errorf("a bare name must be unambiguous for the viewer, not for all: %v, %v", op, err)
	}
}

// A bare name is not somebody else's because who shared it is away.
func TestABareNameStaysAmbiguousWhileAServerIsAway(t *testing.T) {
	memory := catalog.NewNames()
	memory.Compile([]catalog.Source{{Upstream: "a", Tools: tools("find")}, {Upstream: "b", Tools: tools("find", "only", "secret")}})
	c := memory.Compile([]catalog.Source{{Upstream: "a", Tools: tools("find", "own")}, {Upstream: "b", Trouble: "It does not answer."}})
	v := c.View("", viewer{allow: func(op *durward.Operation) bool { return op.Name != "secret" }})
	for asked, want := range map[string]durward.Reason{
		"find":    durward.ReasonOperationAmbiguous,
		"only":    durward.ReasonUpstreamUnavailable,
		"secret":  durward.ReasonOperationUnknown,
		"a__find": "",
		"own":     "",
	} {
		if op, err := v.Named(durward.KindTool, asked); reasonOf(err) != want || (want == "" && op.Upstream != "a") {
			t.Errorf("%s: %v, %v, want %q", asked, op, err, want)
		}
	}
	onlyA := c.View("", viewer{allow: func(op *durward.Operation) bool { return op.Upstream == "a" }})
	if op, err := onlyA.Named(durward.KindTool, "find"); err != nil || op.Upstream != "a" {
		t.Errorf("for who reaches a alone: %v, %v", op, err)
	}
}

func reasonOf(err error) durward.Reason {
	if err == nil {
		return ""
	}
	return durward.AsError(err).Reason
}

func TestHiddenToolsAreNotListedNorFoundByBareName(t *testing.T) {
	c := catalog.Compile([]catalog.Source{{Upstream: "crm", Tools: tools("find", "delete")}})
	v := c.View("", viewer{allow: func(op *durward.Operation) bool { return op.Name != "delete" }})
	if got := listed(t, v, durward.KindTool); !slices.Equal(got, []string{"crm__find"}) {
		t.Errorf("tools = %v", got)
	}
	if _, err := v.Named(durward.KindTool, "delete"); durward.AsError(err).Reason != durward.ReasonOperationUnknown {
		t.Errorf("bare name of a hidden tool: %v", err)
	}
	if op, err := v.Named(durward.KindTool, "crm__delete"); err != nil || !v.Decide(op).Denies() {
		t.Errorf("the public name of a hidden tool must be found, and denied: %v, %v", op, err)
	}
}

func TestEndpoints(t *testing.T) {
	c := catalog.Compile([]catalog.Source{
		{Upstream: "bare", Bare: true, Tools: tools("t.1")},
		{Upstream: "other", Tools: tools("t")},
	})
	if got := listed(t, c.View("bare", viewer{}), durward.KindTool); !slices.Equal(got, []string{"t.1"}) {
		t.Errorf("prefix none on its own endpoint: %v", got)
	}
	if got := listed(t, c.View("", viewer{}), durward.KindTool); len(got) != 2 || !strings.HasPrefix(got[0], "bare__t_1_") {
		t.Errorf("prefix none beside others: %v", got)
	}
	if c.View("nobody", viewer{}) != nil || c.View("other", viewer{allow: func(*durward.Operation) bool { return false }}) != nil {
		t.Error("an endpoint out of reach must look like none")
	}
}

func TestDefinitionsPassByteForByte(t *testing.T) {
	def := `{"z":1.0, "big":12345678901234567890,"name" : "t","inputSchema":{"type":"object","b":1,"a":"\u00e9<>&"},"unknown":{"k":[null]}}`
	v := catalog.Compile([]catalog.Source{{Upstream: "up", Modern: true, Tools: [][]byte{[]byte(def)}}}).View("", viewer{})
	raw, err := v.Page(durward.KindTool, nil, modern)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(def, `"t"`, `"up__t"`, 1); !strings.Contains(string(raw), want) {
		t.Errorf("page = %s\nwant it to hold %s", raw, want)
	}
}

func TestTroubleIsVisibleAndHidesNothingElse(t *testing.T) {
	v := catalog.Compile([]catalog.Source{
		{Upstream: "dead", Trouble: "cannot be reached"},
		{Upstream: "well", Tools: tools("t")},
	}).View("", viewer{})
	out := page(t, v, durward.KindTool, nil, modern)
	trouble, _ := json.Marshal(out["_meta"].(map[string]any)["durward/unavailable"])
	if string(trouble) != `[{"reason":"cannot be reached","upstream":"dead"}]` || len(out["tools"].([]any)) != 1 {
		t.Errorf("list beside a dead upstream: %v", out)
	}
	if out["ttlMs"].(float64) > 5000 {
		t.Errorf("ttlMs = %v, want a short one while an upstream is in trouble", out["ttlMs"])
	}
}

func TestANameOfAnUpstreamInTroubleIsNotCalledUnknown(t *testing.T) {
	c := catalog.Compile([]catalog.Source{{Upstream: "dead", Trouble: "cannot be reached"}, {Upstream: "well", Tools: tools("t")}})
	v := c.View("", viewer{allow: func(op *durward.Operation) bool { return op.Name != "hidden" }})
	for asked, want := range map[string]durward.Reason{
		"dead__t":      durward.ReasonUpstreamUnavailable,
		"dead__hidden": durward.ReasonOperationUnknown,
		"well__x":      durward.ReasonOperationUnknown,
		"t2":           durward.ReasonOperationUnknown,
	} {
		if _, err := v.Named(durward.KindTool, asked); durward.AsError(err).Reason != want {
			t.Errorf("Named(%s) = %v, want %s", asked, err, want)
		}
	}
}

func TestPagesAndCursors(t *testing.T) {
	var names []string
	for i := range 4500 {
		names = append(names, fmt.Sprintf("t%04d", i))
	}
	src := catalog.Source{Upstream: "up", Tools: tools(names...)}
	memory := catalog.NewNames()
	v := memory.Compile([]catalog.Source{src}).View("", viewer{})
	var got int
	var cursor *string
	for pages := 1; ; pages++ {
		out := page(t, v, durward.KindTool, cursor, modern)
		got += len(out["tools"].([]any))
		next, more := out["nextCursor"].(string)
		if !more {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
		cursor = &next
	}
	if got != len(names) {
		t.Errorf("pages held %d tools, want %d", got, len(names))
	}
	src.Tools = append(src.Tools, tools("new")...)
	changed := memory.Compile([]catalog.Source{src}).View("", viewer{})
	moved, err := base64.RawURLEncoding.DecodeString(*cursor)
	if err != nil {
		t.Fatal(err)
	}
	moved[12] ^= 1 // where the page starts
	for what, tc := range map[string]struct {
		view   *catalog.View
		kind   durward.Kind
		cursor string
	}{
		"a cursor of an older list": {changed, durward.KindTool, *cursor},
		"a cursor of another list":  {v, durward.KindPrompt, *cursor},
		"an empty cursor":           {v, durward.KindTool, ""},
		"a made-up cursor":          {v, durward.KindTool, "AAAAAAAAAAAAAAAAAAAA"},
		"a cursor that was moved":   {v, durward.KindTool, base64.RawURLEncoding.EncodeToString(moved)},
	} {
		if _, err := tc.view.Page(tc.kind, &tc.cursor, modern); err == nil || durward.AsError(err).Code != durward.BadRequest {
			t.Errorf("%s: Page = %v, want BadRequest", what, err)
		}
	}
}

func TestResources(t *testing.T) {
	c := catalog.Compile([]catalog.Source{
		{Upstream: "a", Capabilities: []byte(`{"resources":{}}`), Resources: resources("file:///x"), Templates: [][]byte{[]byte(`{"uriTemplate":"db://{table}/rows/{+rest}","name":"rows"}`)}},
		{Upstream: "b", Capabilities: []byte(`{"resources":{}}`), Resources: resources("file:///x", "file:///y")},
		{Upstream: "c", Capabilities: []byte(`{"tools":{}}`)},
	})
	v := c.View("", viewer{})
	for uri, want := range map[string][]string{
		"file:///x":           {"a"},
		"file:///y":           {"b"},
		"db://users/rows/1/2": {"a"},
		"db://users/x/rows/1": {"a", "b"},
		"unlisted://anything": {"a", "b"},
	} {
		var got []string
		ops, _ := v.Resource(uri)
		for _, op := range ops {
			got = append(got, op.Upstream)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Resource(%s) = %v, want %v", uri, got, want)
		}
	}
	hidden := c.View("", viewer{allow: func(op *durward.Operation) bool { return op.Upstream != "a" }})
	if got, _ := hidden.Resource("file:///x"); len(got) != 1 || got[0].Upstream != "b" {
		t.Errorf("a hidden upstream must not shadow another's resource: %v", got)
	}
}

func TestUnlistedURIsAreReadInOneWayOnly(t *testing.T) {
	c := catalog.Compile([]catalog.Source{{Upstream: "files", Capabilities: []byte(`{"resources":{}}`), Resources: resources("file:///odd/../listed")}})
	v := c.View("", viewer{})
	for uri, ok := range map[string]bool{
		"file:///srv/public/a.txt": true, "file:///": true, "file:///srv/": true, "test://template/1/data": true, "https://h/p?q=1&r=a//b": true,
		"urn:isbn:12": true, "db://t/a%20b": true, "memo:a": true, "file:///odd/../listed": true,
		"file:///srv/public/../../etc/passwd": false, "file:///srv/./x": false, "file:///srv//x": false, "file:////etc": false,
		"file:///srv/%70rivate/x": false, "file:///srv/%2e%2e/x": false, "file:///srv%2fprivate": false, "file:///a%5cb": false,
		"file:///a\\b": false, "file:///%252e": false, "file:///%zz": false, "file:///%2": false, "no-scheme": false, "file:///a b": false, "file:///a\u0000": false,
	} {
		_, err := v.Resource(uri)
		if got := err == nil; got != ok {
			t.Errorf("Resource(%q) is served: %v, want %v", uri, got, ok)
		}
	}
}

func TestABareNameDoesNotStandInForAPublicOne(t *testing.T) {
	c := catalog.Compile([]catalog.Source{{Upstream: "evil", Tools: tools("files__read")}, {Upstream: "files"}})
	if op, err := c.View("", viewer{}).Named(durward.KindTool, "files__read"); err == nil {
		t.Errorf("files__read means %s of %s while files has not been read", op.Name, op.Upstream)
	}
	if op, err := c.View("", viewer{}).Named(durward.KindTool, "evil__files__read"); err != nil || op.Upstream != "evil" {
		t.Errorf("its public name: %v, %v", op, err)
	}
}

func TestItemsThatCannotBeOfferedAreReported(t *testing.T) {
	c := catalog.Compile([]catalog.Source{{Upstream: "up", Tools: append(tools("ok", "ok", strings.Repeat("x", 2000)), []byte(`{"title":"nameless"}`))}})
	if got := listed(t, c.View("", viewer{}), durward.KindTool); !slices.Equal(got, []string{"up__ok"}) {
		t.Errorf("tools = %v", got)
	}
	if len(c.Problems()) != 3 {
		t.Errorf("problems = %v, want 3", c.Problems())
	}
}

func TestDescribe(t *testing.T) {
	c := catalog.Compile([]catalog.Source{
		{Upstream: "a", Capabilities: []byte(`{"tools":{},"resources":{"subscribe":true},"logging":{}}`), Instructions: "Use a."},
		{Upstream: "b", Capabilities: []byte(`{"prompts":{},"completions":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["x"]},"other/e":{}}}`), Instructions: "Use b."},
	})
	d := c.View("", viewer{}).Describe(catalog.Encoding{Revision: "2026-07-28", Modern: true})
	want := `{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["x"]}}}`
	if string(d.Capabilities) != want {
		t.Errorf("capabilities = %s\nwant %s", d.Capabilities, want)
	}
	if d.Instructions != "## a\nUse a.\n\n## b\nUse b." {
		t.Errorf("instructions = %q", d.Instructions)
	}
	if d := c.View("a", viewer{}).Describe(catalog.Encoding{Revision: "2025-11-25"}); d.Instructions != "Use a." || strings.Contains(string(d.Capabilities), "prompts") {
		t.Errorf("of one upstream: %q, %s", d.Instructions, d.Capabilities)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("a", "b")
	f.Add("read.file", "read file")
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == b || a == "" || b == "" || len(a) > 1024 || len(b) > 1024 || strings.ToValidUTF8(a, "") != a || strings.ToValidUTF8(b, "") != b {
			return
		}
		quote := func(s string) []byte { q, _ := json.Marshal(s); return fmt.Appendf(nil, `{"name":%s}`, q) }
		v := catalog.Compile([]catalog.Source{{Upstream: "up", Tools: [][]byte{quote(a), quote(b)}}}).View("", viewer{})
		names := listed(t, v, durward.KindTool)
		if len(names) != 2 || strings.EqualFold(names[0], names[1]) || len(names[0]) > durward.MaxPublicName {
			t.Fatalf("public names of %q and %q: %q", a, b, names)
		}
		for i, own := range []string{a, b} {
			if op, err := v.Named(durward.KindTool, names[i]); err != nil || op.Name != own {
				t.Errorf("Named(%q) = %v, %v, want %q", names[i], op, err, own)
			}
		}
	})
}

func BenchmarkPage1000Tools(b *testing.B) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("tool_%04d", i))
	}
	v := catalog.Compile([]catalog.Source{{Upstream: "up", Tools: tools(names...)}}).View("", viewer{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Page(durward.KindTool, nil, modern); err != nil {
			b.Fatal(err)
		}
	}
}
