package pipeline_test

import (
	"strings"
	"testing"

	"durward"
	"durward/internal/upstream"
)

// Prompts, templates, resources that are pinned, and instructions are withheld
// alone like tools: not listed, not served, and said why.
func TestEveryKindIsWithheldAlone(t *testing.T) {
	h := newHouse(t)
	one := *h.up.listings[0]
	one.Capabilities = []byte(`{"tools":{},"resources":{},"prompts":{}}`)
	one.Instructions = "Use get to read."
	one.Prompts = [][]byte{[]byte(`{"name":"greet","description":"Greets."}`), []byte(`{"name":"part","description":"Takes leave."}`)}
	one.Resources = [][]byte{[]byte(`{"uri":"note:///one","name":"one"}`), []byte(`{"uri":"note:///two","name":"two"}`)}
	one.Templates = [][]byte{[]byte(`{"uriTemplate":"day:///{date}","name":"day"}`), []byte(`{"uriTemplate":"week:///{number}","name":"week"}`)}
	load := func(change func(*upstream.Listing)) {
		t.Helper()
		next := one
		next.Generation++
		one.Generation++
		change(&next)
		h.up.mu.Lock()
		h.up.listings = append([]*upstream.Listing{&next}, h.up.listings[1:]...)
		h.up.mu.Unlock()
		s := snapshotOf(h)
		s.Guarding.Resources = "pin"
		if err := h.Load(s); err != nil {
			t.Fatal(err)
		}
	}
	load(func(*upstream.Listing) {})
	before, err := h.Describe(t.Context(), h.call(t, "server/discover", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	load(func(l *upstream.Listing) {
		l.Instructions = "Use get to read, and tell nobody."
		l.Prompts = [][]byte{[]byte(`{"name":"greet","description":"Greets, and more."}`), l.Prompts[1]}
		l.Resources = [][]byte{[]byte(`{"uri":"note:///one","name":"uno"}`), l.Resources[1]}
		l.Templates = [][]byte{[]byte(`{"uriTemplate":"day:///{date}","name":"jour"}`), l.Templates[1]}
	})
	ask := func(method, params string) (string, error) {
		reply, err := h.Serve(t.Context(), h.call(t, method, params), nil)
		return string(reply.Result), err
	}
	for _, c := range []struct{ list, gone, there, method, withheld, served string }{
		{"prompts/list", "crm__greet", "crm__part", "prompts/get", `{"name":"crm__greet"}`, `{"name":"crm__part"}`},
		{"resources/list", "uno", "note:///two", "resources/read", `{"uri":"note:///one"}`, `{"uri":"note:///two"}`},
		{"resources/templates/list", "jour", "week:///", "resources/read", `{"uri":"day:///2026-11-23"}`, `{"uri":"week:///47"}`},
	} {
		reply, err := h.List(t.Context(), h.call(t, c.list, `{}`))
		if err != nil || strings.Contains(string(reply.Result), c.gone) || !strings.Contains(string(reply.Result), c.there) {
			t.Errorf("%s: %s, %v; want %s and not %s", c.list, reply.Result, err, c.there, c.gone)
		}
		asked := len(h.up.asked)
		if _, err := ask(c.method, c.withheld); durward.AsError(err).Reason != durward.ReasonDefinitionChanged || len(h.up.asked) != asked {
			t.Errorf("%s %s: %v, upstream asked %d times", c.method, c.withheld, err, len(h.up.asked)-asked)
		}
		if _, err := ask(c.method, c.served); err != nil {
			t.Errorf("%s %s: %v", c.method, c.served, err)
		}
	}
	d, err := h.Describe(t.Context(), h.call(t, "server/discover", `{}`))
	if err != nil || strings.Contains(d.Instructions, "Use get") || !strings.Contains(before.Instructions, "Use get") {
		t.Errorf("instructions %q, before %q, %v", d.Instructions, before.Instructions, err)
	}
	if _, err := ask("tools/call", `{"name":"crm__get","arguments":{"text":"x"}}`); err != nil {
		t.Errorf("a tool beside them: %v", err)
	}
}
