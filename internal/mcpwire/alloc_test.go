package mcpwire_test

import (
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

// The hot path allocates nothing but what it hands on.
func TestAllocations(t *testing.T) {
	all := bodies()
	p, err := mcpwire.ReadPayload([]byte(`{"name":"a","arguments":{"b":2,"a":1.50},` + triple(mcpwire.V20260728) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	small, err := mcpwire.Scan(all["300B"], mcpwire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 1<<20)
	header := durward.ParamHeader{Header: "B", Path: []string{"b"}, Type: "integer"}
	values := []string{"2"}
	for name, tc := range map[string]struct {
		want float64
		f    func()
	}{
		"Scan of a small call":    {0, func() { _, _ = mcpwire.Scan(all["300B"], mcpwire.Limits{}) }},
		"Scan of a tree":          {0, func() { _, _ = mcpwire.Scan(all["256KiB-tree"], mcpwire.Limits{}) }},
		"Scan of a long text":     {0, func() { _, _ = mcpwire.Scan(all["256KiB-text"], mcpwire.Limits{}) }},
		"Value":                   {0, func() { _ = mcpwire.Value(small.Params, mcpwire.Limits{}) }},
		"Payload":                 {0, func() { _, _ = small.Payload() }},
		"ReadPayload":             {0, func() { _, _ = mcpwire.ReadPayload(small.Params) }},
		"ReadMeta":                {0, func() { _, _ = mcpwire.ReadMeta(p) }},
		"Field":                   {0, func() { _, _ = mcpwire.Field(small.Params, "arguments") }},
		"IsText":                  {0, func() { _ = mcpwire.IsText(p.Name.Of(p.Raw), "a") }},
		"AppendCanonical":         {0, func() { _, _ = mcpwire.AppendCanonical(dst, p.Arguments.Of(p.Raw)) }},
		"AppendCanonical, a tree": {0, func() { _, _ = mcpwire.AppendCanonical(dst, small.Params) }},
		"AppendRequest":           {0, func() { _ = mcpwire.AppendRequest(dst, small.ID, small.Method, small.Params) }},
		"AppendEvent":             {0, func() { _ = mcpwire.AppendEvent(dst, mcpwire.Event{ID: "a", Data: small.Raw}) }},
		"CheckParams": {1, func() {
			_ = mcpwire.CheckParams(p.Arguments.Of(p.Raw), []durward.ParamHeader{header}, func(string) []string { return values })
		}},
	} {
		if got := testing.AllocsPerRun(20, tc.f); got > tc.want {
			t.Errorf("%s makes %v allocations, want at most %v", name, got, tc.want)
		}
	}
}
