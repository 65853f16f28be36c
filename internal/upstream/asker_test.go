package upstream_test

import (
	"fmt"
	"strings"
	"testing"

	"durward/internal/mcpwire"
)

// A person is told which server asks, whatever eras lie between the two, but
// not where one server is to appear as if there were no gateway.
func TestPeopleLearnWhoAsks(t *testing.T) {
	for prefix, want := range map[string]string{"": "[up] sure?", "none": "sure?"} {
		for _, kind := range []string{"legacy", "sse", "stdio legacy"} {
			t.Run(kind+" "+prefix, func(t *testing.T) {
				t.Parallel()
				up := kinds[kind](t, kit())
				up.Prefix = prefix
				var asked string
				p := &peer{answer: func(_ string, params []byte) ([]byte, error) {
					asked, _ = mcpwire.FieldText(params, "message")
					return []byte(`{"action":"decline"}`), nil
				}}
				_, err := newSet(t, nil, up).Do(brief(t), older(elicits).request(t, "up", mcpwire.MethodToolsCall, `{"name":"ask","arguments":{}}`), p)
				if err != nil || asked != want {
					t.Errorf("the client was asked %q, %v, want %q", asked, err, want)
				}
			})
		}
		for _, client := range []agent{older(elicits), {revision: mcpwire.V20260728, name: "a", caps: elicits}} {
			t.Run("modern to "+client.revision+" "+prefix, func(t *testing.T) {
				t.Parallel()
				r := &rounds{turns: []string{strings.Replace(fmt.Sprintf(askForm, ""), `"?"`, `"sure?"`, 1), done}}
				up := script{modern: true, caps: `{"tools":{}}`, answer: r.answer}.up(t)
				up.Prefix = prefix
				asked := ""
				p := &peer{answer: func(_ string, params []byte) ([]byte, error) {
					asked = string(params)
					return []byte(`{"action":"decline"}`), nil
				}}
				reply, err := newSet(t, nil, up).Do(brief(t), client.request(t, "up", mcpwire.MethodToolsCall, `{"name":"x","arguments":{}}`), p)
				if asked += string(reply.Result); err != nil || !strings.Contains(asked, `"message":"`+want+`"`) {
					t.Errorf("the client was asked %s, %v, want %q", asked, err, want)
				}
			})
		}
	}
}
