package guard_test

import (
	"testing"

	"durward"
)

// A credential may stand where the schema declares one, nowhere else.
func TestCredentialsStandWhereTheyAreDeclared(t *testing.T) {
	const gh = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
	s := policy(t, durward.Guard{}).Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: "h", Name: "login", PolicyName: "h__login",
		InputSchema: []byte(`{"type":"object","properties":{"password":{"type":"string","description":"not \"api_key\""},"text":{"type":"string"},"deep":{"type":"object","properties":{"secret":{"type":"string"}}}}}`)})
	for args, effect := range map[string]durward.Effect{
		`{"password":"` + gh + `"}`:                       durward.Allow,
		`{"deep":{"secret":"` + gh + `"}}`:                durward.Allow,
		`{"text":"` + gh + `"}`:                           durward.Deny,
		`{"undeclared_password":"` + gh + `"}`:            durward.Deny,
		`{"api_key":"` + gh + `"}`:                        durward.Deny,
		`{"undeclared_password":"T7#kq9Lm2xVbb81!"}`:      durward.Flag, // only its name says what it is
		`{"text":"x","undeclared_password":"` + gh + `"}`: durward.Deny,
	} {
		if v := s.Arguments([]byte(args)); v.Effect != effect {
			t.Errorf("%s: %s, want %s: %+v", args, v.Effect, effect, v.Findings)
		}
	}
}
