package guard_test

import (
	"fmt"
	"testing"
	"time"

	"durward"
	"durward/internal/guard"
)

// An address may name a second host, to which the first hands the mail on.
func TestAddressesThatGoOnAreOnNoList(t *testing.T) {
	p := policy(t, durward.Guard{Tools: map[string]durward.GuardScope{"mail__send": {Effect: "sends", To: []string{"*@ours.example"}}}})
	s := p.Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: "mail", Name: "send", PolicyName: "mail__send"})
	for to, want := range map[string]durward.Effect{
		"jane@ours.example":                              durward.Allow,
		"Jane Doe <jane@ours.example>":                   durward.Allow,
		"jane@ours.example, bob@ours.example":            durward.Allow,
		"[\"jane@ours.example\"]":                        durward.Allow,
		"x%evil.example@ours.example":                    durward.Deny,
		"@evil.example:x@ours.example":                   durward.Deny,
		"evil.example!x@ours.example":                    durward.Deny,
		"x@evil.example@ours.example":                    durward.Deny,
		"\"x@evil.example\"@ours.example":                durward.Deny,
		"jane@ours.example, X%EVIL.example@ours.example": durward.Deny,
	} {
		v := guard.NewMemory(time.Now).Conversation("a", time.Hour).Judge(s, fmt.Appendf(nil, `{"to":%q,"body":"x"}`, to))
		if v.Effect != want {
			t.Errorf("%s: %s, want %s: %+v", to, v.Effect, want, v.Findings)
		}
	}
}
