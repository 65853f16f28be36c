package guard_test

import (
	"testing"

	"durward/internal/guard"
)

func TestQuotes(t *testing.T) {
	for rule, want := range map[string]bool{
		"result.instruction": true, "result.encoded": true, "flow.destination": true, "elicitation.secret": true, guard.RuleArguments: true,
		"a.new.rule": true, "secret.credential": false, "flow.trifecta": false, "definition.instruction": false,
	} {
		if got := guard.Quotes(rule); got != want {
			t.Errorf("Quotes(%s) = %v, want %v", rule, got, want)
		}
	}
}
