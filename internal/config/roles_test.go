package config_test

import (
	"reflect"
	"testing"

	"durward/internal/config"
)

// A deny that quietly never matches is worse than none.
func TestPatternsThatFitNoUpstreamAreToldOf(t *testing.T) {
	const roles = `roles: {r: {allow: ["*", "*__read*", "tool:crm__x"], deny: ["crm_delete_*", "cmr__*", "resource:mem://a/*", "resource:files__mem://a/*"], hold: ["c*"]}}`
	for file, want := range map[string][]string{
		"upstreams: {crm: {command: a}, files: {command: b}}\n": {
			`roles.r.deny[0]: "crm_delete_*" fits no upstream of this file; unless the store has it, the pattern never matches; patterns are UPSTREAM__NAME`,
			`roles.r.deny[1]: "cmr__*" fits no upstream of this file; did you mean crm__*?`,
			`roles.r.deny[2]: "resource:mem://a/*" fits no upstream of this file; unless the store has it, the pattern never matches; patterns are UPSTREAM__NAME`,
		},
		"": nil, // upstreams are in the store
	} {
		c, err := config.Parse("durward.yaml", []byte(file+roles), env(nil))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range c.Warnings {
			got = append(got, w.Path+": "+w.Text+"; "+w.Hint)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("with %q: warned\n%q, want\n%q", file, got, want)
		}
	}
}
