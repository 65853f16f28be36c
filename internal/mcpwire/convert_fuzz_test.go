package mcpwire_test

import (
	"encoding/json"
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

// FuzzConvert: whatever a server or a client of one era says, what the other
// era gets of it is JSON, and has what that era must have and nothing that it
// must not.
func FuzzConvert(f *testing.F) {
	for _, s := range []string{
		`{"content":[{"type":"text","text":"x"}],"structuredContent":[1.0,12345678901234567890],"isError":true}`,
		`{"resultType":"complete","content":[{"type":"resource_link","uri":"file:///a","name":"a"},{"type":"audio","data":"AA==","mimeType":"audio/wav"}],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}`,
		`{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"url","url":"https://x","message":"m"}},"r":{"method":"roots/list"}},"requestState":"s"}`,
		`{"tools":[{"name":"a","inputSchema":{"type":"object"},"outputSchema":{"type":"array"},"execution":{"taskSupport":"required"},"icons":[]}],"nextCursor":"","ttlMs":1,"cacheScope":"public"}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"tool_use","id":"1","name":"n","input":{}}]}],"tools":[{"name":"t"}],"maxTokens":9}`,
		`{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}},"elicitationId":"e","task":{"ttl":1}}`,
		`{"role":"assistant","content":[{"type":"text","text":"x"}],"model":"m"}`, `{"contents":[{"uri":"u","text":"t"}]}`,
		`{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x","message":"m"},{"mode":"form"},7]}`,
		`{"inputRequests":{"a":7,"b":{"method":"elicitation/create","params":{"message":"\ud83d\ude00"}}}}`, `{"uri":"u"}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	methods := []string{
		mcpwire.MethodToolsCall, mcpwire.MethodPromptsGet, mcpwire.MethodResourcesRead, mcpwire.MethodComplete,
		mcpwire.MethodToolsList, mcpwire.MethodResourcesList, mcpwire.MethodElicit, mcpwire.MethodSample, mcpwire.MethodRoots,
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if mcpwire.Value(raw, mcpwire.Limits{}) != nil || !mcpwire.IsObject(raw) {
			return // the scanner lets it through to nobody
		}
		sound := func(what string, out []byte) {
			t.Helper()
			if !json.Valid(out) || mcpwire.Value(out, mcpwire.Limits{Depth: 80}) != nil || !mcpwire.IsObject(out) {
				t.Errorf("%s made %s of %s", what, out, raw)
			}
		}
		for _, method := range methods {
			modern := mcpwire.ToModernResult(method, raw, mcpwire.Hints{ServerInfo: []byte(`{"name":"s","version":"1"}`)})
			if sound("ToModernResult "+method, modern); mcpwire.ResultType(raw) == "complete" && !hasField(modern, "resultType") {
				t.Errorf("%s has no resultType", modern)
			}
			sound("ToModernQuestion", mcpwire.ToModernQuestion(method, raw))
			sound("NameAsker", mcpwire.NameAsker(method, raw, "crm"))
			for _, revision := range []string{mcpwire.V20241105, mcpwire.V20250326, mcpwire.V20250618, mcpwire.V20251125} {
				legacy := mcpwire.ToLegacyResult(method, revision, raw).Join()
				if sound("ToLegacyResult "+method+" "+revision, legacy); mcpwire.ResultType(raw) == "complete" && hasField(legacy, "resultType") {
					t.Errorf("%s has a resultType in %s", legacy, revision)
				}
				sound("ToLegacyItem", mcpwire.ToLegacyItem(method, revision, raw))
				sound("ToLegacyQuestion", mcpwire.ToLegacyQuestion(method, revision, raw, "id"))
				sound("ToLegacyAnswer", mcpwire.ToLegacyAnswer(method, revision, raw))
			}
			for _, code := range []int{mcpwire.CodeInvalidParams, mcpwire.CodeLegacyResourceNotFound, mcpwire.CodeURLElicitationRequired} {
				e := &durward.RPCError{Code: code, Message: "not found", Data: raw}
				sound("ToModernError", mcpwire.AppendError(nil, []byte("1"), mcpwire.ToModernError(method, "u", e)))
				sound("ToLegacyError", mcpwire.AppendError(nil, []byte("1"), mcpwire.ToLegacyError(method, e)))
				sound("NameURLAskers", mcpwire.AppendError(nil, []byte("1"), mcpwire.NameURLAskers(e, "crm")))
			}
		}
		sound("NameAskers", mcpwire.NameAskers(raw, "crm"))
		if out := mcpwire.InputRequired(&durward.RPCError{Code: mcpwire.CodeURLElicitationRequired, Data: raw}); out != nil {
			sound("InputRequired", out)
		}
	})
}

func hasField(obj []byte, key string) bool {
	_, ok := mcpwire.Field(obj, key)
	return ok
}
