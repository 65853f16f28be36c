package guard_test

import (
	"encoding/json"
	"strings"
	"testing"

	"durward/internal/guard"
)

func TestQuickTakesTheUsualTools(t *testing.T) {
	for _, tc := range []struct {
		schema, args string
		want         bool
	}{
		{person, `{"name":"Ada","age":36,"tags":["a","b"]}`, true},
		{person, ` { "name" : "Ada" } `, true},
		{person, `{"name":"A"}`, false},
		{person, `{"name":"Ada","age":-1}`, false},
		{person, `{"name":"Ada","age":1.5}`, false},
		{person, `{"age":1}`, false},
		{person, `{"name":"Ada","more":{"a":[1,{"b":"}"}]}}`, false},
		{`{"type":"object"}`, `{"any":{"a":[1,{"b":"}\\\""}]},"x":null}`, true},
		{`{"type":"object","properties":{"c":{"type":"string","enum":["red","blue"]}}}`, `{"c":"blue"}`, true},
		{`{"type":"object","properties":{"c":{"type":"string","enum":["red","blue"]}}}`, `{"c":"green"}`, false},
		{`{"type":"object","properties":{"v":{"type":["string","null"],"minLength":3,"minItems":9}}}`, `{"v":null}`, true},
		{`{"type":"object","properties":{"v":{"type":["string","null"],"minLength":3,"minItems":1}}}`, `{"v":"a"}`, false},
	} {
		simple, accepts, _ := guard.Quick([]byte(tc.schema), []byte(tc.args))
		if !simple || accepts != tc.want {
			t.Errorf("%s\nagainst %s: simple %v, accepts %v, want %v", tc.args, tc.schema, simple, accepts, tc.want)
		}
	}
}

func TestQuickLeavesTheRestToTheFullValidator(t *testing.T) {
	for _, schema := range []string{
		`{"type":"object","properties":{"a":{"pattern":"^x"}}}`,
		`{"type":"object","oneOf":[{"required":["a"]},{"required":["b"]}]}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{}}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}`,
		`{"type":"object","patternProperties":{"^a":{}}}`,
		`{"type":"object","properties":{"a":{"enum":[1,"x"]}}}`,
		`{"type":"object","properties":{"a":{"format":"date"}}}`,
		`{"type":"object","properties":{"a":true}}`,
	} {
		if simple, _, _ := guard.Quick([]byte(schema), []byte(`{}`)); simple {
			t.Errorf("%s was taken for a simple schema", schema)
		}
	}
}

// FuzzQuick holds the quick check against the full validator: what it takes is
// valid, whatever the schema.
func FuzzQuick(f *testing.F) {
	f.Add(person, `{"name":"Ada","age":36,"tags":["a"]}`)
	f.Add(`{"type":"object","properties":{"v":{"type":["array","string"],"minLength":2,"maxItems":1}}}`, `{"v":["a"]}`)
	f.Add(`{"properties":{"n":{"minimum":-1,"maximum":9007199254740993}},"required":["n","m"]}`, `{"n":1e1,"m":null}`)
	f.Add(`{"type":"object","items":{"type":"integer"},"properties":{"a":{"items":{"type":"number"}}}}`, `{"a":[1,2.0,3]}`)
	f.Fuzz(func(t *testing.T, schema, args string) {
		var obj map[string]any
		if len(schema) > 2000 || len(args) > 2000 || !json.Valid([]byte(schema)) || json.Unmarshal([]byte(args), &obj) != nil || obj == nil {
			return
		}
		if strings.Contains(args, "\\u") || strings.ToValidUTF8(args, "") != args || duplicated(args) {
			return // refused by the scanner, long before
		}
		simple, accepts, full := guard.Quick([]byte(schema), []byte(args))
		if simple && accepts && full != nil {
			t.Errorf("quick takes %s against %s, the full validator says %v", args, schema, full)
		}
	})
}

// duplicated tells whether an object of the text has a key twice.
func duplicated(text string) bool {
	dec := json.NewDecoder(strings.NewReader(text))
	var seen []map[string]bool
	var key []bool
	for {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		switch v := tok.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				seen, key = append(seen, map[string]bool{}), append(key, v == '{')
				continue
			default:
				seen, key = seen[:len(seen)-1], key[:len(key)-1]
			}
		case string:
			if n := len(seen) - 1; n >= 0 && key[n] {
				if seen[n][v] {
					return true
				}
				seen[n][v] = true
				key[n] = false
				continue
			}
		}
		if n := len(seen) - 1; n >= 0 && seen[n] != nil && !key[n] && len(seen[n]) > 0 {
			key[n] = true // the value is over: a key comes next
		}
	}
}
