package hostile

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"durward"
	"durward/internal/durwardtest"
)

// A gateway that is its own upstream would add its tools to its tools, again
// and again.
func TestAGatewayBehindItself(t *testing.T) {
	g := durwardtest.Serve(t, "{}", "")
	text, err := os.ReadFile(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	self := fmt.Sprintf("upstreams:\n  self: {url: %s, headers: {Authorization: Bearer %s}}\n", g.Endpoint(), durwardtest.Key)
	if err := os.WriteFile(g.Config, []byte(strings.Replace(string(text), "upstreams:\n  {}\n", self, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Record(t, "a refused loop", func(r durward.Record) bool { return r.Reason == durward.ReasonLoopDetected })
	g.WaitFor(t, "telling of the loop in upstream list", func() bool { // which is known a moment after the refusal
		out, _, _ := g.Run(t, "upstream", "list", "--data", g.Data, "-o", "json")
		return strings.Contains(out, "leads back to it")
	})
}
