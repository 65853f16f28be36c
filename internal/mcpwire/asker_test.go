package mcpwire_test

import (
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

func TestNameAsker(t *testing.T) {
	for _, c := range []struct{ method, params, want string }{
		{"elicitation/create", `{"mode":"form", "message" : "Bra\u006ech?","requestedSchema":{"n":1.0}}`, `{"mode":"form", "message" : "[crm] Bra\u006ech?","requestedSchema":{"n":1.0}}`},
		{"elicitation/create", `{"message":""}`, `{"message":"[crm] "}`},
		{"elicitation/create", `{"message":7}`, `{"message":7}`},
		{"elicitation/create", `{}`, `{}`},
		{"elicitation/create", ``, ``},
		{"sampling/createMessage", `{"message":"m"}`, `{"message":"m"}`},
	} {
		if got := string(mcpwire.NameAsker(c.method, []byte(c.params), "crm")); got != c.want {
			t.Errorf("NameAsker(%s, %s) = %s, want %s", c.method, c.params, got, c.want)
		}
	}
}

func TestNameAskers(t *testing.T) {
	for result, want := range map[string]string{
		`{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"A?"}},"b":{"method":"roots/list"},"c":{"params":{"message":"C?"},"method":"elicitation/create"}},"requestState":"s"}`: `{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"[crm] A?"}},"b":{"method":"roots/list"},"c":{"params":{"message":"[crm] C?"},"method":"elicitation/create"}},"requestState":"s"}`,
		`{"resultType":"complete","content":[{"message":"m"}]}`:                       `{"resultType":"complete","content":[{"message":"m"}]}`,
		`{"inputRequests":{"a":{"method":"elicitation/create"}}}`:                     `{"inputRequests":{"a":{"method":"elicitation/create"}}}`,
		`{"inputRequests":[{"method":"elicitation/create"}]}`:                         `{"inputRequests":[{"method":"elicitation/create"}]}`,
		`{"inputRequests":{"a":"x","b":{"method":"elicitation/create","params":[]}}}`: `{"inputRequests":{"a":"x","b":{"method":"elicitation/create","params":[]}}}`,
	} {
		if got := string(mcpwire.NameAskers([]byte(result), "crm")); got != want {
			t.Errorf("NameAskers(%s) = %s, want %s", result, got, want)
		}
	}
}

func TestNameURLAskers(t *testing.T) {
	e := &durward.RPCError{Code: mcpwire.CodeURLElicitationRequired, Message: "visit", Data: []byte(`{"elicitations":[{"mode":"url","url":"https://x","message":"Go"},1],"x":0}`)}
	if got := string(mcpwire.NameURLAskers(e, "crm").Data); got != `{"elicitations":[{"mode":"url","url":"https://x","message":"[crm] Go"},1],"x":0}` {
		t.Errorf("data = %s", got)
	}
	if other := (&durward.RPCError{Code: -32603, Data: e.Data}); mcpwire.NameURLAskers(other, "crm") != other {
		t.Error("another error was changed")
	}
}
