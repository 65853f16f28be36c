package pin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"durward/internal/guard/pin"
)

const tool = `{"name":"read","description":"Reads.","inputSchema":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]},"annotations":{"readOnlyHint":false}}`

func digest(t *testing.T, s string) pin.Digest {
	t.Helper()
	p, err := pin.Of([]byte(s))
	if err != nil {
		t.Fatalf("Of(%s): %v", s, err)
	}
	return p.Digest
}

func TestSameMeaningSameDigest(t *testing.T) {
	same := ` { "annotations" : {"readOnlyHint":false} , "inputSchema":{"properties":{"path":{"type":"string"}},"required":["path"],"type":"object"},"description":"\u0052eads.","name":"read"}`
	if digest(t, tool) != digest(t, same) {
		t.Error("order of keys or notation changed the digest")
	}
}

func TestCompare(t *testing.T) {
	cases := []struct {
		name, old, new string
		class          pin.Class
	}{
		{"wording", `"Reads."`, `"Reads a file."`, pin.Cosmetic},
		{"an invisible character counts", `"Reads."`, `"Reads.` + "\u200b" + `"`, pin.Cosmetic},
		{"an address in the text", `"Reads."`, `"Reads, see https://x.example."`, pin.Widening},
		{"a hint that claims safety", `"readOnlyHint":false`, `"readOnlyHint":true`, pin.Risky},
		{"metadata that people do not see", `"name":"read"`, `"name":"read","_meta":{"a":1}`, pin.Risky},
		{"a channel for the conversation", `"path":{"type":"string"}`, `"path":{"type":"string"},"conversation_history":{"type":"string"}`, pin.Risky},
		{"an optional parameter", `"path":{"type":"string"}`, `"path":{"type":"string"},"limit":{"type":"integer"}`, pin.Widening},
		{"a parameter becomes mandatory", `"required":["path"]`, `"required":["path","mode"]`, pin.Risky},
		{"a field that MCP does not know", `"name":"read"`, `"name":"read","x-run":"y"`, pin.Risky},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			after := strings.Replace(tool, c.old, c.new, 1)
			d, err := pin.Compare([]byte(tool), []byte(after))
			if err != nil || d.Same || d.Class != c.class {
				t.Errorf("Compare = %+v, %v; want %s", d, err, c.class)
			}
		})
	}
}

func TestHiddenCharactersAreShown(t *testing.T) {
	d, err := pin.Compare([]byte(tool), []byte(strings.Replace(tool, "Reads.", "Re\u200bads.", 1)))
	if err != nil || len(d.Changes) != 1 || !strings.Contains(d.Changes[0].After, `\u{200b}`) {
		t.Errorf("Compare = %+v, %v", d, err)
	}
}

func TestListSeesOrder(t *testing.T) {
	a, _ := pin.Of([]byte(tool))
	b, _ := pin.Of([]byte(`{"name":"write"}`))
	if pin.List([]string{"a", "b"}, []pin.Pin{a, b}) == pin.List([]string{"b", "a"}, []pin.Pin{b, a}) {
		t.Error("a reordered list has the same digest")
	}
}

func TestServerIdentityIgnoresWhatItCallsItself(t *testing.T) {
	a, err := pin.Server{Transport: "http", Address: "https://x.example/mcp", Capabilities: []byte(`{"tools":{},"prompts":{}}`)}.Digest()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pin.Server{Transport: "http", Address: "https://x.example/mcp", Capabilities: []byte(`{"prompts":{},"tools":{}}`)}.Digest()
	c, _ := pin.Server{Transport: "http", Address: "https://y.example/mcp", Capabilities: []byte(`{"tools":{},"prompts":{}}`)}.Digest()
	if a != b || a == c {
		t.Errorf("digests %s %s %s", a, b, c)
	}
}

func TestOfRefuses(t *testing.T) {
	for _, s := range []string{"", "[]", `"x"`, `{"a":1,"a":2}`, `{"a":`} {
		if _, err := pin.Of([]byte(s)); err == nil {
			t.Errorf("Of(%s) took it", s)
		}
	}
}

// A definition written anew by another encoder keeps its pin, and any change
// of a value loses it.
func FuzzPin(f *testing.F) {
	f.Add([]byte(tool))
	f.Add([]byte(`{"name":"x","n":1e2,"s":"\u00e9"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := pin.Of(in)
		if err != nil {
			return
		}
		var v map[string]any
		if json.Unmarshal(in, &v) != nil {
			return
		}
		again, err := json.MarshalIndent(v, " ", "  ")
		if err != nil {
			return
		}
		q, err := pin.Of(again)
		if err != nil || q.Digest != p.Digest {
			t.Errorf("%s and %s: %v", in, again, err)
		}
		v["added"] = "x"
		more, _ := json.Marshal(v)
		if r, err := pin.Of(more); err == nil && r.Digest == p.Digest && !strings.Contains(string(in), "added") {
			t.Errorf("%s and %s share a pin", in, more)
		}
	})
}
