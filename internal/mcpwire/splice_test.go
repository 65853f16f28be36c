package mcpwire_test

import (
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

func span(start, end int) durward.Span { return durward.Span{Start: start, End: end} }

func TestSpliceKeepsWhatItDoesNotReplace(t *testing.T) {
	raw := []byte(`{"n": 1.0, "name":"a" ,"z":12345678901234567890}`)
	got := mcpwire.Splice(raw, mcpwire.Edit{Span: span(18, 21), New: []byte(`"longer"`)}, mcpwire.Edit{}, mcpwire.Edit{Span: span(1, 1), New: []byte(`"x":0,`)})
	if want := `{"x":0,"n": 1.0, "name":"longer" ,"z":12345678901234567890}`; string(got) != want {
		t.Errorf("Splice = %s, want %s", got, want)
	}
	if string(raw) != `{"n": 1.0, "name":"a" ,"z":12345678901234567890}` {
		t.Errorf("Splice changed its input: %s", raw)
	}
}

func TestSplicePanicsOnEditsThatDoNotFit(t *testing.T) {
	for name, edits := range map[string][]mcpwire.Edit{
		"outside": {{Span: span(1, 9)}}, "over each other": {{Span: span(0, 2)}, {Span: span(1, 3)}}, "backwards": {{Span: span(3, 2)}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Splice accepted the edits")
				}
			}()
			mcpwire.Splice([]byte(`{}{}`), edits...)
		})
	}
}

func TestSetAndDropFields(t *testing.T) {
	set := func(obj, key, value string) string {
		return string(mcpwire.SetField([]byte(obj), key, []byte(value)))
	}
	drop := func(obj string, keys ...string) string { return string(mcpwire.DropFields([]byte(obj), keys...)) }
	for _, tc := range []struct{ got, want string }{
		{set(`{}`, "a", `1`), `{"a":1}`},
		{set(`{ }`, "a", `1`), `{"a":1 }`},
		{set(`{"b":2}`, "a", `1`), `{"a":1,"b":2}`},
		{set(`{ "b" : 2 , "a" : {"a":3} }`, "a", `1`), `{ "b" : 2 , "a" : 1 }`},
		{set(`{"\u0061":2}`, "a", `1`), `{"\u0061":1}`},
		{drop(`{"a":1,"b":2,"c":3}`, "a"), `{"b":2,"c":3}`},
		{drop(`{"a":1,"b":2,"c":3}`, "b"), `{"a":1,"c":3}`},
		{drop(`{"a":1,"b":2,"c":3}`, "c"), `{"a":1,"b":2}`},
		{drop(`{"a":1,"b":2,"c":3}`, "a", "c"), `{"b":2}`},
		{drop(`{"a":1,"b":2}`, "a", "b"), `{}`},
		{drop(`{"\u0061":1,"b":2}`, "a"), `{"b":2}`},
		{drop("{\n  \"a\": 1,\n  \"b\": 2\n}", "b"), "{\n  \"a\": 1}"},
		{drop(`{"a":{"b":1}}`, "b"), `{"a":{"b":1}}`},
		{drop(`{}`, "b"), `{}`},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}

func TestAppendMessages(t *testing.T) {
	e := &durward.RPCError{Code: -32602, Message: `Unknown tool: "x"`, Data: []byte(`{"a":1}`)}
	for _, tc := range []struct {
		got  []byte
		want string
	}{
		{mcpwire.AppendRequest(nil, []byte(`"a"`), "ping", nil), `{"jsonrpc":"2.0","id":"a","method":"ping"}`},
		{mcpwire.AppendRequest(nil, []byte(`1`), "x", []byte(`{}`)), `{"jsonrpc":"2.0","id":1,"method":"x","params":{}}`},
		{mcpwire.AppendNotification(nil, "n", []byte(`{}`)), `{"jsonrpc":"2.0","method":"n","params":{}}`},
		{mcpwire.AppendResult(nil, []byte(`1`), []byte(`{}`)), `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{mcpwire.AppendError(nil, []byte(`1`), e), `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: \"x\"","data":{"a":1}}}`},
		{mcpwire.AppendError(nil, nil, &durward.RPCError{Raw: []byte(`{"code":1,"message":"as it came","x":1.0}`)}), `{"jsonrpc":"2.0","error":{"code":1,"message":"as it came","x":1.0}}`},
	} {
		if string(tc.got) != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
		if _, err := mcpwire.Scan(tc.got, mcpwire.Limits{}); err != nil {
			t.Errorf("our own message is refused: %v", err)
		}
	}
}

func TestOneLine(t *testing.T) {
	got := mcpwire.OneLine([]byte("{\n\"a\":\r\n\"b\\n\"}"))
	if want := `{ "a":  "b\n"}`; string(got) != want {
		t.Errorf("OneLine = %q, want %q", got, want)
	}
}
