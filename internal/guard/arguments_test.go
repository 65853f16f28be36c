package guard_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"durward"
	"durward/internal/guard"
)

func tool(schema string) *durward.Operation {
	return &durward.Operation{Kind: durward.KindTool, Name: "t", InputSchema: []byte(schema)}
}

const person = `{"type":"object","properties":{"name":{"type":"string","minLength":2},"age":{"type":"integer","minimum":0},
 "tags":{"type":"array","items":{"type":"string"}}},"required":["name"],"additionalProperties":false}`

func TestCheck(t *testing.T) {
	s := guard.NewSchemas()
	for _, tc := range []struct{ what, schema, args, where, says string }{
		{"good arguments", person, `{"name":"Ada","age":36,"tags":["a","b"]}`, "", ""},
		{"no arguments where none are needed", `{"type":"object"}`, ``, "", ""},
		{"no arguments where one is needed", person, ``, "", "required"},
		{"a missing field", person, `{"age":1}`, "", "name"},
		{"a wrong type", person, `{"name":7}`, "/name", "type"},
		{"a value below the minimum", person, `{"name":"Ada","age":-1}`, "/age", "minimum"},
		{"an integer written with a fraction of zero is one", person, `{"name":"Ada","age":1.0}`, "", ""},
		{"a wrong element", person, `{"name":"Ada","tags":["a",{"b":[]}]}`, "/tags/1", "type"},
		{"a field too many", person, `{"name":"Ada","x":{"y":null}}`, "", "additionalProperties"},
		{"an escaped key is the key that it spells", person, `{"n\u0061me":"Ada"}`, "", ""},
		{"draft-07 is honoured", `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"p":{"type":"array","items":[{"type":"string"}]}}}`, `{"p":[1]}`, "/p/0", "type"},
		{"local references work", `{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"number"}}}`, `{"a":"x"}`, "/a", "type"},
		{"big numbers keep their value", `{"type":"object","properties":{"n":{"maximum":12345678901234567890}}}`, `{"n":12345678901234567891}`, "/n", "maximum"},
	} {
		var args []byte
		if tc.args != "" {
			args = []byte(tc.args)
		}
		got := s.Check(tool(tc.schema), args)
		if tc.says == "" {
			if len(got) != 0 {
				t.Errorf("%s: Check = %+v, want no finding", tc.what, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Where != tc.where || !strings.Contains(got[0].Evidence, tc.says) || got[0].Rule != guard.RuleArguments {
			t.Errorf("%s: Check = %+v, want one finding at %q that says %q", tc.what, got, tc.where, tc.says)
		}
	}
}

func TestAnUnusableSchemaIsAFinding(t *testing.T) {
	s := guard.NewSchemas()
	for what, schema := range map[string]string{
		"a remote reference": `{"type":"object","properties":{"a":{"$ref":"https://example.com/schema.json"}}}`,
		"a file reference":   `{"type":"object","properties":{"a":{"$ref":"file:///etc/passwd"}}}`,
		"a bad type":         `{"type":"objekt"}`,
		"too large":          `{"type":"object","description":"` + strings.Repeat("x", 600<<10) + `"}`,
	} {
		if got := s.Check(tool(schema), []byte(`{}`)); len(got) != 1 || got[0].Rule != guard.RuleSchema {
			t.Errorf("%s: Check = %+v, want one %s", what, got, guard.RuleSchema)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	args := []byte(`{"name":"Ada","tags":[` + strings.Repeat("1,", 1000) + `1]}`)
	if got := guard.NewSchemas().Check(tool(person), args); len(got) != 5 {
		t.Errorf("Check gave %d findings, want 5", len(got))
	}
}

func TestExplainNamesFieldAndRule(t *testing.T) {
	f := guard.NewSchemas().Check(tool(person), []byte(`{"name":7}`))
	text := guard.Explain("crm__add", f)
	for _, want := range []string{"crm__add", "/name", "type", "string"} {
		if !strings.Contains(text, want) {
			t.Errorf("Explain = %q, want it to name %q", text, want)
		}
	}
}

// FuzzCheck holds the own decoder against encoding/json: the same documents
// satisfy the same schema.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,-2.5e3,"x\"\\\u00e9",true,false,null,{"b":{}}]}`, `{ "a" : [ ] }`, "{\"\\\\\":\"\\\\\\\"\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if !json.Valid([]byte(text)) || dec.Decode(&want) != nil {
			return
		}
		if _, object := want.(map[string]any); !object {
			return
		}
		again, err := json.Marshal(want)
		if err != nil || strings.Contains(text, "\\u") || strings.ToValidUTF8(text, "") != text {
			return // lone surrogates and broken UTF-8 never reach the decoder
		}
		schema := fmt.Sprintf(`{"const":%s}`, again)
		for _, finding := range guard.NewSchemas().Check(tool(schema), []byte(text)) {
			if finding.Rule == guard.RuleArguments {
				t.Errorf("%q does not equal itself: %+v", text, finding)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for name, args := range map[string]string{"small": `{"name":"Ada","age":36,"tags":["a","b"]}`, "256KiB": `{"name":"` + strings.Repeat("x", 256<<10) + `"}`} {
		b.Run(name, func(b *testing.B) {
			s, op, raw := guard.NewSchemas(), tool(person), []byte(args)
			b.ReportAllocs()
			for b.Loop() {
				if f := s.Check(op, raw); f != nil {
					b.Fatal(f)
				}
			}
		})
	}
}
