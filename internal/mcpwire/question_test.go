package mcpwire_test

import (
	"testing"

	"durward"
	"durward/internal/mcpwire"
)

func TestQuestionsCrossTheEras(t *testing.T) {
	const sampling = `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":{"type":"text","text":"c"}}],"tools":[],"maxTokens":1.0}`
	for _, c := range []struct{ method, revision, params, want string }{
		{mcpwire.MethodElicit, mcpwire.V20251125, `{"mode":"url","url":"https://x"}`, `{"elicitationId":"e1","mode":"url","url":"https://x"}`},
		{mcpwire.MethodElicit, mcpwire.V20251125, `{"mode":"form","message":"m"}`, `{"mode":"form","message":"m"}`},
		{mcpwire.MethodElicit, mcpwire.V20250618, `{"mode":"form","message":"m"}`, `{"message":"m"}`},
		{mcpwire.MethodSample, mcpwire.V20251125, sampling, sampling},
		{mcpwire.MethodSample, mcpwire.V20250618, sampling,
			`{"messages":[{"role":"user","content":{"type":"text","text":"a"}},{"role":"user","content":{"type":"text","text":"b"}},{"role":"user","content":{"type":"text","text":"c"}}],"maxTokens":1.0}`},
		{mcpwire.MethodSample, mcpwire.V20241105, `{"messages":7}`, `{"messages":7}`},
		{mcpwire.MethodRoots, mcpwire.V20241105, ``, ``},
	} {
		var params []byte
		if c.params != "" {
			params = []byte(c.params)
		}
		if got := mcpwire.ToLegacyQuestion(c.method, c.revision, params, "e1"); string(got) != c.want {
			t.Errorf("ToLegacyQuestion(%s, %s, %s) = %s, want %s", c.method, c.revision, c.params, got, c.want)
		}
	}
	got := mcpwire.ToModernQuestion(mcpwire.MethodElicit, []byte(`{"mode":"url","elicitationId":"e","url":"u"}`))
	if string(got) != `{"mode":"url","url":"u"}` {
		t.Errorf("ToModernQuestion = %s", got)
	}
	for revision, want := range map[string]string{
		mcpwire.V20250618: `{"role":"assistant","content":{"type":"text","text":"a"}}`,
		mcpwire.V20251125: `{"role":"assistant","content":[{"type":"text","text":"a"}]}`,
	} {
		if got := mcpwire.ToLegacyAnswer(mcpwire.MethodSample, revision, []byte(`{"role":"assistant","content":[{"type":"text","text":"a"}]}`)); string(got) != want {
			t.Errorf("ToLegacyAnswer(%s) = %s, want %s", revision, got, want)
		}
	}
}

func TestURLsOfAnErrorBecomeQuestions(t *testing.T) {
	e := &durward.RPCError{Code: mcpwire.CodeURLElicitationRequired, Data: []byte(`{"elicitations":[{"mode":"url","elicitationId":"e","url":"u","message":"m"},{"mode":"form"},{"mode":"url","url":"v"}]}`)}
	const want = `{"resultType":"input_required","inputRequests":{"url1":{"method":"elicitation/create","params":{"mode":"url","url":"u","message":"m"}},"url2":{"method":"elicitation/create","params":{"mode":"url","url":"v"}}}}`
	if got := mcpwire.InputRequired(e); string(got) != want {
		t.Errorf("InputRequired = %s, want %s", got, want)
	}
	for _, data := range []string{``, `{}`, `{"elicitations":7}`, `{"elicitations":[]}`} {
		if got := mcpwire.InputRequired(&durward.RPCError{Data: []byte(data)}); got != nil {
			t.Errorf("InputRequired(%s) = %s, want nil", data, got)
		}
	}
}
