package mcpedge_test

import (
	"durward/internal/edge/mcpedge"
	"strings"
	"testing"
	"testing/synctest"
)

const internalError = `"error":{"code":-32603,"message":"The gateway failed to handle the request; its log says why.","data":{"reason":"internal"}}}`

// TestABugEndsOneCallOfALink: a panic before or after the handler of a call
// ends neither the process nor the connection, and is told to who asked.
func TestABugEndsOneCallOfALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, t.Context(), mcpedge.Options{})
		admit, _ := modern("1", "bug/admit", "")
		refused, _ := modern("2", "bug/refused", "")
		unknown, _ := modern("3", "bug/refused", "")
		unknown = strings.Replace(unknown, "2026-07-28", "2031-01-01", 1) // refused by the reader itself
		for id, line := range map[string]string{"1": admit, "2": refused, "3": unknown} {
			p.send(t, line)
			p.wants(t, `{"jsonrpc":"2.0","id":`+id+`,`+internalError)
		}
		p.send(t, `{"jsonrpc":"2.0","id":"p","method":"ping"}`)
		p.wants(t, `{"jsonrpc":"2.0","id":"p","result":{}}`)
		p.end(t)
	})
}

func TestABugEndsOneCallOfABatch(t *testing.T) {
	h := open(t, mcpedge.Options{})
	s := h.session(t, "2025-03-26")
	r := h.post(t, `[`+call("1", "echo")+`,{"jsonrpc":"2.0","id":2,"method":"bug/refused"}]`, s)
	want := `[{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"a\":1.0}"}]}},{"jsonrpc":"2.0","id":2,` + internalError + `]`
	if r.StatusCode != 200 || r.body != want {
		t.Errorf("batch = %d %s, want %s", r.StatusCode, r.body, want)
	}
}
