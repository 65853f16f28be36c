package guard_test

import (
	"testing"

	"durward"
)

// A credential may stand where the schema declares one, nowhere else.
func TestCredentialsStandWhereTheyAreDeclared(t *testing.T) {
	const gh = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
	s := policy(t, durward.Guard{}).Scope("bot", &durward.Operation{Kind: durward.KindTool, Upstream: "h", Name: "login", PolicyName: "h__login",
		InputSchema: []byte(`{"type":"object","properties":{"password":{"type":"string","description":"not \"api_key\""},"text":{"type":"string"},"mode":{"enum":["secret_key","x"]},"github_token":{"type":"string"},"page_token":{"type":"string"},"hosts":{"type":"array","items":{"$ref":"#/$defs/host"}},"deep":{"type":"object","properties":{"secret":{"type":"string"}}}},"$defs":{"host":{"type":"object","properties":{"api_token":{"type":"string"},"passwords":{"type":"array","items":{"type":"string"}}}}}}`)})
	for args, effect := range map[string]durward.Effect{
		`{"password":"` + gh + `"}`:                       durward.Allow,
		`{"deep":{"secret":"` + gh + `"}}`:                durward.Allow,
		`{"text":"` + gh + `"}`:                           durward.Deny,
		`{"github_token":"` + gh + `"}`:                   durward.Allow,
		`{"page_token":"` + gh + `"}`:                     durward.Deny,
		`{"hosts":[{"api_token":"` + gh + `"}]}`:          durward.Allow,
		`{"hosts":[{"passwords":["x","` + gh + `"]}]}`:    durward.Allow,
		`{"secret_key":"` + gh + `"}`:                     durward.Deny,
		`{"deep":{"password":"` + gh + `"}}`:              durward.Deny,
		`{"password":{"x":"` + gh + `"}}`:                 durward.Deny,
		`{"undeclared_password":"` + gh + `"}`:            durward.Deny,
		`{"api_key":"` + gh + `"}`:                        durward.Deny,
		`{"undeclared_password":"T7#kq9Lm2xVbb81!"}`:      durward.Deny,
		`{"text":"api_key=T7#kq9Lm2xVbb81!"}`:             durward.Flag, // only its label says what it is
		`{"text":"x","undeclared_password":"` + gh + `"}`: durward.Deny,
	} {
		if v := s.Arguments([]byte(args)); v.Effect != effect {
			t.Errorf("%s: %s, want %s: %+v", args, v.Effect, effect, v.Findings)
		}
	}
}
