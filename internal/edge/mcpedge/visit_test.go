package mcpedge_test

import (
	"strings"
	"testing"

	"durward/internal/edge/mcpedge"
)

const visitError = `{"code":-32042,"message":"visit","data":{"elicitations":[{"mode":"url","elicitationId":"e","url":"https://x.example/go","message":"Sign in"}]}}`

// The error -32042 is of 2025-11-25, and of those of its clients who declared
// that they can be sent to a URL; the others read what to do.
func TestAnErrorThatSendsToAURLIsForWhoCanBeSent(t *testing.T) {
	h := open(t, mcpedge.Options{})
	const both = `{"roots":{},"elicitation":{"form":{},"url":{}}}`
	for _, tc := range []struct {
		revision, caps string
		able           bool
	}{
		{"2025-11-25", both, true},
		{"2025-11-25", `{"roots":{},"elicitation":{}}`, false},
		{"2025-06-18", both, false}, // the revision has no such mode, whatever its client says
		{"2025-03-26", both, false},
	} {
		init := strings.Replace(strings.Replace(initialize, "REVISION", tc.revision, 1), `{"roots":{},"elicitation":{}}`, tc.caps, 1)
		s := "Mcp-Session-Id: " + h.post(t, init).Header.Get("Mcp-Session-Id")
		body := h.post(t, call("1", "visit"), s).body
		if able := strings.Contains(body, visitError); able != tc.able {
			t.Errorf("%s with %s: %s", tc.revision, tc.caps, body)
		}
		told := strings.Contains(body, `"code":-32603`) && strings.Contains(body, `elicitation.url`) && strings.Contains(body, `Sign in https://x.example/go`)
		if told == tc.able {
			t.Errorf("%s with %s: %s", tc.revision, tc.caps, body)
		}
	}
}
