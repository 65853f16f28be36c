package upstream_test

import (
	"bytes"
	"net/http"
	"testing"

	"durward/internal/mcpwire"
)

// A progress token is kept as a copy: what a server says of a call may be read
// when the call's own memory serves another.
func TestAProgressTokenIsTheCallsOwn(t *testing.T) {
	r := modernAgent.request(t, "bad", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`)
	s := newSet(t, nil, badHTTP(t, false, func(w http.ResponseWriter, _ *http.Request, id string) {
		copy(r.Payload.Raw, bytes.Repeat([]byte{0xff}, len(r.Payload.Raw))) // all of it has been sent
		events(w, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+id+`,"progress":1}}`, fine(id))
	}))
	p := &peer{}
	if _, err := s.Do(brief(t), r, p); err != nil {
		t.Fatal(err)
	}
	if got := p.of(mcpwire.NotifyProgress); len(got) != 1 || got[0] != `{"progressToken":"mine","progress":1}` {
		t.Errorf("progress = %q, want one with the token \"mine\"", got)
	}
}
