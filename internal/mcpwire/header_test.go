package mcpwire_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

func TestHeaderEncodingIsThatOfTheSpecification(t *testing.T) {
	for value, header := range map[string]string{ // MCP 2026-07-28, value encoding
		"us-west1":             "us-west1",
		"Hello, 世界":            "=?base64?SGVsbG8sIOS4lueVjA==?=",
		" padded ":             "=?base64?IHBhZGRlZCA=?=",
		"line1\nline2":         "=?base64?bGluZTEKbGluZTI=?=",
		"=?base64?literal?=":   "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
		"":                     "",
		"a b":                  "a b",
		"file:///a/b.txt":      "file:///a/b.txt",
		"=?BASE64?x?=":         "=?BASE64?x?=",
		"a\r\nX-Evil: 1":       "=?base64?YQ0KWC1FdmlsOiAx?=",
		"=?base64?=":           "=?base64?PT9iYXNlNjQ/PQ==?=",
		"tab\tinside":          "=?base64?dGFiCWluc2lkZQ==?=",
		"=?base64?unfinished ": "=?base64?PT9iYXNlNjQ/dW5maW5pc2hlZCA=?=",
	} {
		if got := mcpwire.EncodeHeader(value); got != header {
			t.Errorf("EncodeHeader(%q) = %q, want %q", value, got, header)
		}
		if got, err := mcpwire.DecodeHeader(" \t" + header + " "); err != nil || got != value {
			t.Errorf("DecodeHeader(%q) = %q, %v, want %q", header, got, err, value)
		}
	}
}

func TestDecodeHeaderRefuses(t *testing.T) {
	for name, h := range map[string]string{
		"a control character":   "a\x01b",
		"a raw character":       "caf\u00e9",
		"broken base64":         "=?base64?!!?=",
		"base64 without pad":    "=?base64?YQ?=",
		"URL base64":            "=?base64?_-_-?=",
		"loose trailing bits":   "=?base64?YR==?=",
		"text that is no UTF-8": "=?base64?/w==?=",
	} {
		if got, err := mcpwire.DecodeHeader(h); err == nil {
			t.Errorf("%s: DecodeHeader(%q) = %q, want an error", name, h, got)
		}
	}
}

const schema = `{"type":"object","properties":{
  "region":{"type":"string","x-mcp-header":"Region"},
  "n":{"type":"integer","x-mcp-header":"N"},
  "dry":{"type":"boolean","x-mcp-header":"Dry-Run"},
  "where":{"type":"object","properties":{"city":{"type":"string","x-mcp-header":"City"},"properties":{"type":"object","properties":{"z":{"type":"string"}}}}},
  "x-mcp-header":{"type":"string"},
  "free":{"default":{"x-mcp-header":"Not-A-Schema"},"enum":[{"x-mcp-header":"Neither"}]}}}`

func TestParamHeaders(t *testing.T) {
	got, err := mcpwire.ParamHeaders([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, h := range got {
		all = append(all, h.Header+":"+strings.Join(h.Path, "/")+":"+h.Type)
	}
	if have, want := strings.Join(all, " "), "Region:region:string N:n:integer Dry-Run:dry:boolean City:where/city:string"; have != want {
		t.Errorf("ParamHeaders = %s, want %s", have, want)
	}
	if got, err := mcpwire.ParamHeaders([]byte(`{"type":"object"}`)); got != nil || err != nil {
		t.Errorf("a schema without annotations gives %v, %v", got, err)
	}
}

func TestParamHeadersRefusesTheTool(t *testing.T) {
	prop := func(p string) string { return `{"type":"object","properties":{"a":` + p + `}}` }
	for name, s := range map[string]string{
		"an empty name":          prop(`{"type":"string","x-mcp-header":""}`),
		"a name with a space":    prop(`{"type":"string","x-mcp-header":"a b"}`),
		"a name with CR LF":      prop(`{"type":"string","x-mcp-header":"a\r\nX: y"}`),
		"a name beyond ASCII":    prop(`{"type":"string","x-mcp-header":"café"}`),
		"a name that is no text": prop(`{"type":"string","x-mcp-header":1}`),
		"a number":               prop(`{"type":"number","x-mcp-header":"A"}`),
		"an object":              prop(`{"type":"object","x-mcp-header":"A"}`),
		"no type":                prop(`{"x-mcp-header":"A"}`),
		"a union":                prop(`{"type":["string","null"],"x-mcp-header":"A"}`),
		"the root":               `{"type":"object","x-mcp-header":"A"}`,
		"names that differ in case": `{"properties":{"a":{"type":"string","x-mcp-header":"Aa"},` +
			`"b":{"type":"string","x-mcp-header":"aA"}}}`,
		"inside items":         prop(`{"type":"array","items":{"type":"string","x-mcp-header":"A"}}`),
		"inside prefixItems":   prop(`{"type":"array","prefixItems":[{"type":"string","x-mcp-header":"A"}]}`),
		"inside oneOf":         prop(`{"oneOf":[{"type":"string","x-mcp-header":"A"}]}`),
		"inside not":           prop(`{"not":{"type":"string","x-mcp-header":"A"}}`),
		"inside then":          `{"then":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`,
		"inside $defs":         `{"$defs":{"a":{"type":"string","x-mcp-header":"A"}}}`,
		"below oneOf":          `{"allOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}`,
		"patternProperties":    `{"patternProperties":{"^a":{"type":"string","x-mcp-header":"A"}}}`,
		"additionalProperties": `{"additionalProperties":{"type":"string","x-mcp-header":"A"}}`,
	} {
		if got, err := mcpwire.ParamHeaders([]byte(s)); err == nil {
			t.Errorf("%s: ParamHeaders(%s) = %v, want an error", name, s, got)
		}
	}
}

func TestParamHeadersAreBounded(t *testing.T) {
	annotated := func(n int) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"p%d":{"type":"string","x-mcp-header":"H%d"},`, i, i)
		}
		return []byte(`{"properties":{` + strings.TrimSuffix(b.String(), ",") + `}}`)
	}
	if got, err := mcpwire.ParamHeaders(annotated(64)); len(got) != 64 || err != nil {
		t.Errorf("64 annotations give %d, %v", len(got), err)
	}
	if _, err := mcpwire.ParamHeaders(annotated(65)); err == nil {
		t.Error("65 annotations are accepted")
	}
	nested := strings.Repeat(`{"not":`, 100_000) + `{"x-mcp-header":"A"}`
	if _, err := mcpwire.ParamHeaders([]byte(nested)); err == nil {
		t.Error("100,000 levels are accepted")
	}
}

func TestParamFieldsMirrorArguments(t *testing.T) {
	headers, err := mcpwire.ParamHeaders([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		`{"region":"eu","n":42,"dry":true,"where":{"city":"Köln"}}`: "Mcp-Param-Region=eu Mcp-Param-N=42 Mcp-Param-Dry-Run=true Mcp-Param-City==?base64?S8O2bG4=?=",
		`{"n":-7.0,"region":null,"where":{}}`:                       "Mcp-Param-N=-7",
		`{"n":1.5,"dry":{},"where":"no object"}`:                    "",
		`{"n":9007199254740993}`:                                    "",
		`{"n":1e999999999}`:                                         "",
		`{"region":"a\r\nX-Evil: 1"}`:                               "Mcp-Param-Region==?base64?YQ0KWC1FdmlsOiAx?=",
		``:                                                          "",
	} {
		var all []string
		for _, f := range mcpwire.ParamFields([]byte(args), headers) {
			all = append(all, f.Name+"="+f.Value)
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("ParamFields(%s) = %s, want %s", args, got, want)
		}
	}
}

func TestCheckParams(t *testing.T) {
	headers := []durward.ParamHeader{{Header: "V", Path: []string{"v"}, Type: "string"}}
	for name, tc := range map[string]struct {
		args   string
		header []string
		ok     bool
	}{
		"neither":                         {`{}`, nil, true},
		"equal text":                      {`{"v":"eu"}`, []string{"eu"}, true},
		"padded":                          {`{"v":"eu"}`, []string{" eu\t"}, true},
		"encoded though it need not be":   {`{"v":"eu"}`, []string{"=?base64?ZXU=?="}, true},
		"encoded":                         {`{"v":"ü"}`, []string{"=?base64?w7w=?="}, true},
		"an escaped body":                 {`{"v":"\u0065u"}`, []string{"eu"}, true},
		"null needs none":                 {`{"v":null}`, nil, true},
		"integers compare as numbers":     {`{"v":42}`, []string{"42.0"}, true},
		"a body of 42.0":                  {`{"v":42.0}`, []string{"42"}, true},
		"a negative integer":              {`{"v":-7}`, []string{"-7"}, true},
		"true":                            {`{"v":true}`, []string{"true"}, true},
		"header missing":                  {`{"v":"eu"}`, nil, false},
		"argument missing":                {`{}`, []string{"eu"}, false},
		"argument null":                   {`{"v":null}`, []string{"null"}, false},
		"no arguments at all":             {``, []string{"eu"}, false},
		"other text":                      {`{"v":"eu"}`, []string{"us"}, false},
		"case differs":                    {`{"v":"eu"}`, []string{"EU"}, false},
		"two headers":                     {`{"v":"eu"}`, []string{"eu", "us"}, false},
		"broken base64":                   {`{"v":"eu"}`, []string{"=?base64?*?="}, false},
		"other number":                    {`{"v":42}`, []string{"43"}, false},
		"text is not compared as numbers": {`{"v":"42"}`, []string{"42.0"}, false},
		"an unsafe integer":               {`{"v":9007199254740993}`, []string{"9007199254740992"}, false},
		"an object":                       {`{"v":{}}`, []string{"{}"}, false},
		"True":                            {`{"v":true}`, []string{"True"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Mcp-Param-V": tc.header, "Mcp-Param-Other": {"ignored"}}
			bad := mcpwire.CheckParams([]byte(tc.args), headers, h.Values)
			if (bad == nil) != tc.ok {
				t.Errorf("CheckParams(%s, %q) = %v, want ok %v", tc.args, tc.header, bad, tc.ok)
			}
			if bad != nil && bad.Code != mcpwire.CodeHeaderMismatch {
				t.Errorf("code %d, want %d", bad.Code, mcpwire.CodeHeaderMismatch)
			}
		})
	}
}
