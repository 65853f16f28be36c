package upstream_test

import (
	"strings"
	"testing"

	"durward/internal/mcpwire"
)

// Plain calls work in every combination of agent and server.
func TestEveryKindAnswersEveryAgent(t *testing.T) {
	agents := map[string]agent{"modern": modernAgent, "legacy": legacyAgent}
	calls := []struct{ method, params, want string }{
		{mcpwire.MethodToolsCall, `{"name":"echo","arguments":{"text":"hé\u00e9 1.0"}}`, `"text":"héé 1.0"`},
		{mcpwire.MethodResourcesRead, `{"uri":"test://one"}`, `"text":"1"`},
		{mcpwire.MethodResourcesRead, `{"uri":"test://t/5"}`, `"uri":"test://t/5"`},
		{mcpwire.MethodPromptsGet, `{"name":"hello"}`, `"text":"hi"`},
		{mcpwire.MethodComplete, `{"ref":{"type":"ref/prompt","name":"hello"},"argument":{"name":"x","value":"y"}}`, `"y!"`},
	}
	for kind, up := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := newSet(t, nil, up(t, kit()))
			for name, a := range agents {
				for _, c := range calls {
					p := &peer{}
					reply, err := s.Do(brief(t), a.request(t, "up", c.method, c.params), p)
					if err != nil {
						t.Fatalf("%s agent, %s: %v", name, c.method, err)
					}
					if reply.Error != nil || !strings.Contains(string(reply.Result), c.want) {
						t.Errorf("%s agent, %s = %s %v, want %s in it", name, c.method, reply.Result, reply.Error, c.want)
					}
					if _, typed := mcpwire.Field(reply.Result, "resultType"); typed != reply.Modern {
						t.Errorf("%s agent, %s: Modern = %v of %s", name, c.method, reply.Modern, reply.Result)
					}
				}
			}
			st := s.Status()[0]
			if st.State != "ready" || st.Server != "kit 3" || st.Error != "" {
				t.Errorf("Status = %+v, want ready and kit 3", st)
			}
		})
	}
}
