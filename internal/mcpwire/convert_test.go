package mcpwire_test

import (
	"strings"
	"testing"

	"durward"
	"durward/internal/durwardtest"
	"durward/internal/mcpwire"
)

// answer is one conversion of a result, and whether it is a full one that must
// validate against the schema of its revision.
type answer struct {
	method, in, want string
}

var hints = mcpwire.Hints{ServerInfo: []byte(`{"name":"jira","version":"3"}`)}

const serverMeta = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"jira","version":"3"}}`

func TestToModernResult(t *testing.T) {
	schemas, validate := durwardtest.NewSchemas(t)
	for name, tc := range map[string]answer{
		"a tool result is completed": {
			"tools/call", `{"content":[{"type":"text","text":"1.0"}],"x":1.0}`,
			`{"resultType":"complete",` + serverMeta + `,"content":[{"type":"text","text":"1.0"}],"x":1.0}`,
		},
		"a tool result without content": {
			"tools/call", `{"structuredContent":{"a":1}}`,
			`{"resultType":"complete",` + serverMeta + `,"content":[],"structuredContent":{"a":1}}`,
		},
		"_meta is kept": {
			"prompts/get", `{"_meta":{"x":1},"messages":[]}`,
			`{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"jira","version":"3"},"x":1},"messages":[]}`,
		},
		"a list gets cache hints and loses execution": {
			"tools/list", `{"tools":[{"name":"a","inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"}},{"name":"b","inputSchema":{"type":"object"}}],"nextCursor":""}`,
			`{"resultType":"complete","ttlMs":0,"cacheScope":"private",` + serverMeta + `,"tools":[{"name":"a","inputSchema":{"type":"object"}},{"name":"b","inputSchema":{"type":"object"}}],"nextCursor":""}`,
		},
		"a resource gets cache hints": {
			"resources/read", `{"contents":[]}`,
			`{"resultType":"complete","ttlMs":0,"cacheScope":"private",` + serverMeta + `,"contents":[]}`,
		},
		"a completion": {
			"completion/complete", `{"completion":{"values":["a"]}}`,
			`{"resultType":"complete",` + serverMeta + `,"completion":{"values":["a"]}}`,
		},
		"a modern result passes": {
			"tools/list", `{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"public",` + serverMeta + `}`,
			`{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"public",` + serverMeta + `}`,
		},
		"a request for input gets no cache hints": {
			"resources/read", `{"resultType":"input_required","requestState":"s",` + serverMeta + `}`,
			`{"resultType":"input_required","requestState":"s",` + serverMeta + `}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := mcpwire.ToModernResult(tc.method, []byte(tc.in), hints)
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if again := mcpwire.ToModernResult(tc.method, got, hints); string(again) != string(got) {
				t.Errorf("converting twice gives %s", again)
			}
			if !validate {
				return
			}
			if err := schemas.Answer(mcpwire.V20260728, tc.method, mcpwire.AppendResult(nil, []byte("1"), got)); err != nil {
				t.Errorf("%s is not valid in 2026-07-28: %v", got, err)
			}
		})
	}
}

func TestToLegacyResult(t *testing.T) {
	schemas, validate := durwardtest.NewSchemas(t)
	const link = `{"type":"resource_link","uri":"file:///a","name":"a","annotations":{"audience":["user"]}}`
	for name, tc := range map[string]struct {
		answer
		revision string
	}{
		"a tool result": {answer{
			"tools/call", `{"resultType":"complete","content":[{"type":"text","text":"a"}],"structuredContent":{"a":1.0},` + serverMeta + `}`,
			`{"content":[{"type":"text","text":"a"}],"structuredContent":{"a":1.0}}`,
		}, mcpwire.V20251125},
		"structured content that is no object": {answer{
			"tools/call", `{"resultType":"complete","content":[{"type":"text","text":"a"}],"structuredContent":[1,2]}`,
			`{"content":[{"type":"text","text":"a"}]}`,
		}, mcpwire.V20251125},
		"structured content that is all there is": {answer{
			"tools/call", `{"resultType":"complete","content":[],"structuredContent":[1,"x"]}`,
			`{"content":[{"type":"text","text":"[1,\"x\"]"}]}`,
		}, mcpwire.V20251125},
		"a structured object and no content": {answer{
			"tools/call", `{"resultType":"complete","structuredContent":{"a":1}}`,
			`{"content":[],"structuredContent":{"a":1}}`,
		}, mcpwire.V20251125},
		"a structured object for a client that knows none": {answer{
			"tools/call", `{"resultType":"complete","content":[],"structuredContent":{"a":1}}`,
			`{"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":1}}`,
		}, mcpwire.V20250326},
		"a resource link for 2025-06-18": {answer{
			"tools/call", `{"resultType":"complete","content":[` + link + `]}`, `{"content":[` + link + `]}`,
		}, mcpwire.V20250618},
		"a resource link for 2025-03-26": {answer{
			"tools/call", `{"resultType":"complete","content":[{"type":"text","text":"see"}, ` + link + ` ]}`,
			`{"content":[{"type":"text","text":"see"}, {"type":"text","text":"a: file:///a","annotations":{"audience":["user"]}} ]}`,
		}, mcpwire.V20250326},
		"audio for 2025-03-26": {answer{
			"tools/call", `{"resultType":"complete","content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"}]}`,
			`{"content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"}]}`,
		}, mcpwire.V20250326},
		"audio for 2024-11-05": {answer{
			"tools/call", `{"resultType":"complete","content":[{"type":"audio","data":"AA==","mimeType":"audio/wav"}]}`,
			`{"content":[{"type":"text","text":"[audio of type audio/wav left out: this protocol revision has no audio]"}]}`,
		}, mcpwire.V20241105},
		"a prompt with a link": {answer{
			"prompts/get", `{"resultType":"complete","messages":[{"role":"user","content":` + link + `}]}`,
			`{"messages":[{"role":"user","content":{"type":"text","text":"a: file:///a","annotations":{"audience":["user"]}}}]}`,
		}, mcpwire.V20250326},
		"a list of tools": {answer{
			"tools/list", `{"resultType":"complete","ttlMs":5,"cacheScope":"public","tools":[{"name":"a","inputSchema":{"type":"object"},"outputSchema":{"type":"array"}},{"name":"b","inputSchema":{"type":"object"},"outputSchema":{"type":"object"}}]}`,
			`{"tools":[{"name":"a","inputSchema":{"type":"object"}},{"name":"b","inputSchema":{"type":"object"},"outputSchema":{"type":"object"}}]}`,
		}, mcpwire.V20251125},
		"other _meta stays": {answer{
			"resources/read", `{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[],"_meta":{"x":1,"io.modelcontextprotocol/serverInfo":{"name":"a","version":"1"}}}`,
			`{"contents":[],"_meta":{"x":1}}`,
		}, mcpwire.V20251125},
		"a request for input has no older form": {answer{
			"ping", `{"resultType":"input_required","inputRequests":{}}`, `{"resultType":"input_required","inputRequests":{}}`,
		}, mcpwire.V20251125},
		"a legacy result passes": {answer{
			"tools/call", `{ "content" : [ {"type":"text","text":"a"} ] , "isError":true }`, `{ "content" : [ {"type":"text","text":"a"} ] , "isError":true }`,
		}, mcpwire.V20241105},
	} {
		t.Run(name, func(t *testing.T) {
			got := mcpwire.ToLegacyResult(tc.method, tc.revision, []byte(tc.in)).Join()
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !validate {
				return
			}
			if err := schemas.Answer(tc.revision, tc.method, mcpwire.AppendResult(nil, []byte("1"), got)); err != nil {
				t.Errorf("%s is not valid in %s: %v", got, tc.revision, err)
			}
		})
	}
}

func TestResultType(t *testing.T) {
	for result, want := range map[string]string{`{}`: "complete", `{"resultType":"task"}`: "task", `{"resultType":1}`: "", `{"resultType":null}`: ""} {
		if got := mcpwire.ResultType([]byte(result)); got != want {
			t.Errorf("ResultType(%s) = %q, want %q", result, got, want)
		}
	}
}

func TestErrorsBetweenEras(t *testing.T) {
	is := func(t *testing.T, got *durward.RPCError, code int, data string) {
		t.Helper()
		if got.Code != code || string(got.Data) != data {
			t.Errorf("got %v with data %s, want %d with %s", got, got.Data, code, data)
		}
	}
	const read, call = mcpwire.MethodResourcesRead, mcpwire.MethodToolsCall
	old := mcpwire.ReadError([]byte(`{"code":-32002,"message":"Resource not found","data":{"uri":"file:///x"}}`))
	is(t, mcpwire.ToModernError(read, "file:///x", old), mcpwire.CodeInvalidParams, `{"uri":"file:///x"}`)
	is(t, mcpwire.ToModernError(call, "", old), -32002, `{"uri":"file:///x"}`)
	bare := mcpwire.ReadError([]byte(`{"code":-32002,"message":"no"}`))
	is(t, mcpwire.ToModernError(read, `a"b`, bare), mcpwire.CodeInvalidParams, `{"uri":"a\"b"}`)

	is(t, mcpwire.ToLegacyError(read, mcpwire.ResourceNotFound("x")), -32002, `{"uri":"x"}`)
	is(t, mcpwire.ToLegacyError(read, mcpwire.InvalidParams("uri is missing")), mcpwire.CodeInvalidParams, "")
	is(t, mcpwire.ToLegacyError(call, mcpwire.InvalidParams("x not found")), mcpwire.CodeInvalidParams, "")
	missing := mcpwire.MissingCapability([]byte(`{"elicitation":{"url":{}},"sampling":{}}`))
	got := mcpwire.ToLegacyError(call, missing)
	is(t, got, mcpwire.CodeInternal, `{"requiredCapabilities":{"elicitation":{"url":{}},"sampling":{}}}`)
	if want := "elicitation.url, sampling"; got.Message[len(got.Message)-len(want):] != want {
		t.Errorf("message is %q, want it to end with %q", got.Message, want)
	}
	is(t, mcpwire.ToLegacyError(call, mcpwire.HeaderMismatch("x")), mcpwire.CodeInternal, "")
	is(t, mcpwire.ToLegacyError(call, mcpwire.UnsupportedVersion("x")), mcpwire.CodeInternal, "")
	if e := mcpwire.ReadError([]byte(`{"code":"E","message":"text code"}`)); e.Code != mcpwire.CodeInternal || e.Raw != nil {
		t.Errorf("a code that is no integer gives %d, raw %s", e.Code, e.Raw)
	}
}

func TestErrorsAreValid(t *testing.T) {
	schemas, ok := durwardtest.NewSchemas(t)
	if !ok {
		return
	}
	for _, e := range []*durward.RPCError{
		mcpwire.MethodNotFound("x"), mcpwire.InvalidParams("x"), mcpwire.ResourceNotFound("x"), mcpwire.HeaderMismatch("x"),
		mcpwire.MissingCapability([]byte(`{"sampling":{}}`)), mcpwire.UnsupportedVersion("1999-01-01"), mcpwire.InternalError("x"),
	} {
		for _, id := range [][]byte{[]byte(`1`), nil} {
			if err := schemas.Answer(mcpwire.V20260728, "tools/call", mcpwire.AppendError(nil, id, e)); err != nil {
				t.Errorf("%v is not valid: %v", e, err)
			}
		}
	}
}

func TestReadListLeavesBadItemsOut(t *testing.T) {
	const good = `{"name":"a","inputSchema":{"type":"object"}}`
	l, err := mcpwire.ReadList("tools/list", []byte(`{"tools":[`+good+`,
		{"name":"b","name":"c","inputSchema":{}}, {"name":"d","Name":"e","inputSchema":{}}, {"inputSchema":{}}, {"name":"","inputSchema":{}},
		{"name":"f"}, {"name":"g","inputSchema":{"properties":{"x":{},"x":{}}}}, {"name":"h","inputSchema":[]}, 7, null
	],"nextCursor":"","ttlMs":5,"cacheScope":"public"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Items) != 1 || string(l.Items[0]) != good || len(l.Dropped) != 9 {
		t.Errorf("items %s, dropped %v, want one and nine", l.Items, l.Dropped)
	}
	if !l.More || l.Cursor != "" || l.Private || string(l.TTL) != "5" {
		t.Errorf("more %v cursor %q private %v ttl %s", l.More, l.Cursor, l.Private, l.TTL)
	}
	if l, err = mcpwire.ReadList("tools/list", []byte(`{"tools":[`+strings.Repeat("{},", 999)+`{}]}`)); err != nil || l.Left != 1000 || len(l.Dropped) > 20 {
		t.Errorf("a thousand bad items: %d reasons, %d left out, %v; want a few reasons and the number", len(l.Dropped), l.Left, err)
	}
	if l, _ := mcpwire.ReadList("tools/list", []byte(`{"tools":[],"nextCursor":null}`)); l.More || !l.Private {
		t.Errorf("a null cursor means more: %v, private %v", l.More, l.Private)
	}
	for _, bad := range []string{`{}`, `{"tools":{}}`, `{"tools":[],"nextCursor":1}`} {
		if _, err := mcpwire.ReadList("tools/list", []byte(bad)); err == nil {
			t.Errorf("ReadList(%s) is accepted", bad)
		}
	}
}
