package catalog_test

import (
	"strings"
	"testing"

	"durward"
	"durward/internal/catalog"
)

func appTool(name, uri string) []byte {
	return []byte(`{"name":"` + name + `","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"` + uri + `","x":1.0}},"icons":[{"src":"data:,x"}]}`)
}

// A page is its tool's: where two upstreams have one of the same URI, the
// second's moves, wherever it is named, and each is read where it is from.
func TestPagesStayWithTheirTools(t *testing.T) {
	page := []byte(`{"uri":"ui://app/page","name":"page","mimeType":"text/html;profile=mcp-app"}`)
	c := catalog.Compile([]catalog.Source{
		{Upstream: "a", Modern: true, Capabilities: []byte(`{"tools":{},"resources":{}}`), Tools: [][]byte{appTool("show", "ui://app/page"), appTool("other", "ui://only/named")}},
		{Upstream: "b", Modern: true, Capabilities: []byte(`{"tools":{},"resources":{}}`), Tools: [][]byte{appTool("show", "ui://app/page")}, Resources: [][]byte{page}},
	})
	v := c.View("", viewer{})
	enc := catalog.Encoding{Revision: "2026-07-28", Modern: true}
	tools, err := v.Page(durward.KindTool, nil, enc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"a__show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://app/page","x":1.0}},"icons":[{"src":"data:,x"}]`,
		`"b__show","inputSchema":{"type":"object"},"_meta":{"ui":{"resourceUri":"ui://b/app/page","x":1.0}},"icons":[{"src":"data:,x"}]`,
	} {
		if !strings.Contains(string(tools), want) {
			t.Errorf("tools = %s, want %s in it", tools, want)
		}
	}
	resources, err := v.Page(durward.KindResource, nil, enc)
	if err != nil || !strings.Contains(string(resources), `"uri":"ui://b/app/page"`) {
		t.Errorf("resources = %s %v", resources, err)
	}
	for uri, want := range map[string]string{
		"ui://app/page": "a ui://app/page", "ui://b/app/page": "b ui://app/page", "ui://only/named": "a ui://only/named",
	} {
		ops, _ := v.Resource(uri)
		if len(ops) != 1 || ops[0].Upstream+" "+ops[0].Name != want {
			t.Errorf("Resource(%s) = %+v, want that of %s alone", uri, ops, want)
		}
	}
	const result = `{"contents":[{"uri":"ui://app/page","text":"x"}],"content":[{"type":"resource_link","uri":"ui://app/page"},{"type":"resource","resource":{"uri":"ui://app/page"}},{"type":"text","text":"ui://app/page"}],"_meta":{"ui":{"resourceUri":"ui://app/page"}}}`
	const moved = `{"contents":[{"uri":"ui://b/app/page","text":"x"}],"content":[{"type":"resource_link","uri":"ui://b/app/page"},{"type":"resource","resource":{"uri":"ui://b/app/page"}},{"type":"text","text":"ui://app/page"}],"_meta":{"ui":{"resourceUri":"ui://b/app/page"}}}`
	if got := v.Settle("b", []byte(result)); string(got) != moved {
		t.Errorf("Settle = %s", got)
	}
	if got := v.Settle("a", []byte(result)); string(got) != result {
		t.Errorf("Settle of what moved nowhere = %s", got)
	}
}

// One upstream's pages pass as they are.
func TestPagesPassAsTheyAre(t *testing.T) {
	tool := appTool("show", "ui://app/page")
	c := catalog.Compile([]catalog.Source{{Upstream: "a", Modern: true, Bare: true, Capabilities: []byte(`{"tools":{}}`), Tools: [][]byte{tool}}})
	page, err := c.View("a", viewer{}).Page(durward.KindTool, nil, catalog.Encoding{Revision: "2025-11-25"})
	if err != nil || !strings.Contains(string(page), string(tool)) {
		t.Errorf("tools = %s %v, want %s in it", page, err, tool)
	}
}
