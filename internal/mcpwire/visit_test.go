package mcpwire_test

import (
	"strings"
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

// What a client cannot be asked it is told: where to go, and why; never
// anything but a page.
func TestVisitFirst(t *testing.T) {
	data := `{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x.example/go","message":"Sign in"},` +
		`{"mode":"url","url":"javascript:alert(1)","message":"m"},{"mode":"url","url":"https://y.example/\nsay","message":"m"},{"url":5},7]}`
	e := mcpwire.VisitFirst(&durward.RPCError{Code: mcpwire.CodeURLElicitationRequired, Message: "visit", Data: []byte(data), Raw: []byte(`{}`)})
	if e.Code != mcpwire.CodeInternal || e.Raw != nil || string(e.Data) != data {
		t.Errorf("VisitFirst = %+v, want an internal error with the data as it came", e)
	}
	if !strings.Contains(e.Message, "elicitation.url") || !strings.HasSuffix(e.Message, "\nSign in https://x.example/go") {
		t.Errorf("the message is %q", e.Message)
	}
	for _, data := range []string{"", "null", "[]", `{"elicitations":{}}`} {
		if e := mcpwire.VisitFirst(&durward.RPCError{Data: []byte(data)}); strings.Contains(e.Message, "\n") {
			t.Errorf("with data %q the message is %q", data, e.Message)
		}
	}
}
