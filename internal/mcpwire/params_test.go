package mcpwire_test

import (
	"errors"
	"strings"
	"testing"

	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
)

func payload(t *testing.T, params string) *durward.Payload {
	t.Helper()
	if params == "" {
		return &durward.Payload{}
	}
	m, err := mcpwire.Scan([]byte(`{"jsonrpc":"2.0","id":1,"method":"x","params":`+params+`}`), mcpwire.Limits{})
	if err != nil {
		t.Fatalf("Scan(%s) = %v", params, err)
	}
	p, err := m.Payload()
	if err != nil {
		t.Fatalf("Payload(%s) = %v", params, err)
	}
	return &p
}

func TestPayloadFindsTheRoutedValues(t *testing.T) {
	raw := ` { "x":{"name":"inner"}, "name" : "n", "uri":"u","ref":{"type":"ref/prompt","name":"r"},"arguments": {"a":[1]} ,"\u005fmeta":{"k":1},` +
		`"cursor":"","inputResponses":{},"requestState":"s" } `
	p := payload(t, raw)
	read, err := mcpwire.ReadPayload([]byte(strings.TrimSpace(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		span, again durward.Span
		want        string
	}{
		"name":           {p.Name, read.Name, `"n"`},
		"uri":            {p.URI, read.URI, `"u"`},
		"ref":            {p.Ref, read.Ref, `{"type":"ref/prompt","name":"r"}`},
		"arguments":      {p.Arguments, read.Arguments, `{"a":[1]}`},
		"_meta":          {p.Meta, read.Meta, `{"k":1}`},
		"cursor":         {p.Cursor, read.Cursor, `""`},
		"inputResponses": {p.InputResponses, read.InputResponses, `{}`},
		"requestState":   {p.RequestState, read.RequestState, `"s"`},
	} {
		if got := string(tc.span.Of(p.Raw)); got != tc.want || tc.span != tc.again {
			t.Errorf("%s is %s at %v and %v, want %s", name, got, tc.span, tc.again, tc.want)
		}
	}
}

func TestPayloadRefusesWrongTypes(t *testing.T) {
	for field, value := range map[string]string{
		"name": `1`, "uri": `null`, "ref": `"x"`, "arguments": `[]`, "_meta": `""`, "cursor": `5`, "inputResponses": `[]`, "requestState": `{}`,
	} {
		params := []byte(`{"` + field + `":` + value + `}`)
		_, err := mcpwire.ReadPayload(params)
		var e *durward.RPCError
		if !errors.As(err, &e) || e.Code != mcpwire.CodeInvalidParams || !strings.Contains(e.Message, field+" is not") {
			t.Errorf("ReadPayload(%s) = %v, want -32602 naming %s", params, err, field)
		}
	}
}

func TestReadMeta(t *testing.T) {
	p := payload(t, `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},`+
		`"io.modelcontextprotocol/clientInfo":{"name":"a"},"io.modelcontextprotocol/logLevel":"info","progressToken":9007199254740993,"traceparent":"00-x","vendor/x":1}}`)
	m, err := mcpwire.ReadMeta(*p)
	if err != nil {
		t.Fatal(err)
	}
	if m.ProtocolVersion != mcpwire.V20260728 || string(m.ClientCapabilities) != `{"sampling":{}}` || string(m.ClientInfo) != `{"name":"a"}` ||
		m.LogLevel != "info" || string(m.ProgressToken) != "9007199254740993" || m.Traceparent != "00-x" {
		t.Errorf("ReadMeta = %+v", m)
	}
	for name, meta := range map[string]string{
		"a version that is a number":    `"io.modelcontextprotocol/protocolVersion":1`,
		"capabilities that are a list":  `"io.modelcontextprotocol/clientCapabilities":[]`,
		"client info that is text":      `"io.modelcontextprotocol/clientInfo":"x"`,
		"a log level that is none":      `"io.modelcontextprotocol/logLevel":"loud"`,
		"a progress token with a point": `"progressToken":1.5`,
		"a null progress token":         `"progressToken":null`,
	} {
		if m, err := mcpwire.ReadMeta(*payload(t, `{"_meta":{`+meta+`}}`)); err == nil {
			t.Errorf("%s: ReadMeta = %+v, want an error", name, m)
		}
	}
}

func TestModernParams(t *testing.T) {
	schemas, validate := durwardtest.NewSchemas(t)
	m := mcpwire.RequestMeta{Capabilities: []byte(`{"sampling":{}}`), Info: []byte(`{"name":"a","version":"1"}`), LogLevel: "info"}
	const said = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},` +
		`"io.modelcontextprotocol/clientInfo":{"name":"a","version":"1"},"io.modelcontextprotocol/logLevel":"info"`
	for name, tc := range map[string]struct {
		method, params string
		r              mcpwire.Rewrite
		want           string
	}{
		"no params":           {"tools/list", ``, mcpwire.Rewrite{}, `{"_meta":{` + said + `}}`},
		"empty params":        {"tools/list", `{}`, mcpwire.Rewrite{}, `{"_meta":{` + said + `}}`},
		"a name":              {"tools/call", `{"name": "up__a" ,"arguments":{"n":1.0}}`, mcpwire.Rewrite{Name: `a"`}, `{"_meta":{` + said + `},"name": "a\"" ,"arguments":{"n":1.0}}`},
		"a name left alone":   {"tools/call", `{"name":"\u0061"}`, mcpwire.Rewrite{}, `{"_meta":{` + said + `},"name":"\u0061"}`},
		"other _meta stays":   {"resources/read", `{"uri":"x","_meta":{"v/x":1.0,"progressToken":7}}`, mcpwire.Rewrite{URI: "y", ProgressToken: []byte(`"p"`)}, `{"uri":"y","_meta":{` + said + `,"v/x":1.0,"progressToken":"p"}}`},
		"own _meta goes":      {"tools/list", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"debug"},"cursor":""}`, mcpwire.Rewrite{}, `{"_meta":{` + said + `},"cursor":""}`},
		"a dropped token":     {"tools/list", `{"_meta":{"progressToken":7}}`, mcpwire.Rewrite{ProgressToken: []byte{}}, `{"_meta":{` + said + `}}`},
		"no token is made up": {"tools/list", `{"_meta":{}}`, mcpwire.Rewrite{ProgressToken: []byte(`1`)}, `{"_meta":{` + said + `}}`},
		"a completion":        {"completion/complete", `{"ref":{"type":"ref/prompt","name":"up__a"},"argument":{"name":"q","value":"z"}}`, mcpwire.Rewrite{Name: "a"}, `{"_meta":{` + said + `},"ref":{"type":"ref/prompt","name":"a"},"argument":{"name":"q","value":"z"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := mcpwire.ModernParams(payload(t, tc.params), tc.r, m).Join()
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !validate {
				return
			}
			if err := schemas.Call(mcpwire.V20260728, tc.method, mcpwire.AppendRequest(nil, []byte("1"), tc.method, got)); err != nil {
				t.Errorf("%s is not valid in 2026-07-28: %v", got, err)
			}
		})
	}
	if got := mcpwire.ModernParams(nil, mcpwire.Rewrite{}, mcpwire.RequestMeta{}).Join(); string(got) !=
		`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}` {
		t.Errorf("the least params are %s", got)
	}
}

func TestLegacyParams(t *testing.T) {
	const triple = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{},"io.modelcontextprotocol/logLevel":"info"`
	for name, tc := range map[string]struct {
		params string
		r      mcpwire.Rewrite
		want   string
	}{
		"no params":                 {``, mcpwire.Rewrite{Name: "a"}, ``},
		"nothing to change":         {`{ "name" : "a" , "_meta":{ } }`, mcpwire.Rewrite{}, `{ "name" : "a" , "_meta":{ } }`},
		"a _meta that gets empty":   {`{"name":"a","_meta":{` + triple + `}}`, mcpwire.Rewrite{Name: "b"}, `{"name":"b"}`},
		"other _meta stays":         {`{"_meta":{"v/x":1.0,` + triple + `,"progressToken":7},"name":"a"}`, mcpwire.Rewrite{ProgressToken: []byte(`12`)}, `{"_meta":{"v/x":1.0,"progressToken":12},"name":"a"}`},
		"answers of another era go": {`{"name":"a","inputResponses":{"k":{}},"requestState":"s","arguments":{}}`, mcpwire.Rewrite{Name: "b"}, `{"name":"b","arguments":{}}`},
		"a task of nobody":          {`{"name":"a","task":{"ttl":1},"arguments":{}}`, mcpwire.Rewrite{}, `{"name":"a","arguments":{}}`},
		"a completion for a URI":    {`{"ref":{"type":"ref/resource","uri":"a"},"argument":{"name":"q","value":""}}`, mcpwire.Rewrite{URI: "b"}, `{"ref":{"type":"ref/resource","uri":"b"},"argument":{"name":"q","value":""}}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := payload(t, tc.params)
			before := string(p.Raw)
			if got := mcpwire.LegacyParams(p, tc.r); string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if string(p.Raw) != before {
				t.Errorf("the payload was changed to %s", p.Raw)
			}
		})
	}
}

func TestLimitCapabilities(t *testing.T) {
	const all = `{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}},"extensions":{"x":{}},"tasks":{}}`
	for name, tc := range map[string]struct{ revision, caps, want string }{
		"2026-07-28":                    {mcpwire.V20260728, all, `{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}},"extensions":{"x":{}}}`},
		"2025-11-25":                    {mcpwire.V20251125, all, `{"roots":{"listChanged":true},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}`},
		"2025-06-18":                    {mcpwire.V20250618, all, `{"roots":{"listChanged":true},"sampling":{},"elicitation":{}}`},
		"2025-03-26":                    {mcpwire.V20250326, all, `{"roots":{"listChanged":true},"sampling":{}}`},
		"2025-06-18 with url only":      {mcpwire.V20250618, `{"elicitation":{"url":{}}}`, `{}`},
		"2025-06-18 with an empty mode": {mcpwire.V20250618, `{"elicitation":{}}`, `{"elicitation":{}}`},
	} {
		if got := mcpwire.LimitCapabilities(tc.revision, []byte(tc.caps)); string(got) != tc.want {
			t.Errorf("%s: got %s, want %s", name, got, tc.want)
		}
	}
	if got := mcpwire.LimitCapabilities(mcpwire.V20251125, nil); string(got) != "{}" {
		t.Errorf("no capabilities give %s", got)
	}
}
