package guard_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"durward"
)

// A planted value of any kind is found, however it is written.
func TestPlantedValuesAreFound(t *testing.T) {
	for _, bait := range []string{"AKIA" + "2E0A8F3B244C9986", "canary-7f3a9c", "planted-and-never-used-4711"} {
		s := policy(t, durward.Guard{Honeytokens: []string{bait}}).Scope("bot", operation("add_note"))
		for form, v := range map[string]string{
			"plain": bait, "in a text": "use " + bait + " for it", "another case": strings.ToLower(bait), "base64": base64.StdEncoding.EncodeToString([]byte(bait)),
			"base64 in a text": base64.RawURLEncoding.EncodeToString([]byte("the key is " + bait)), "hexadecimal": hex.EncodeToString([]byte(bait)), "zero width": bait[:5] + "\u200b" + bait[5:],
			"references": strings.NewReplacer("a", "&#97;", "A", "&#65;", "-", "&#45;").Replace(bait), "full width": strings.Map(func(r rune) rune { return r + 0xfee0 }, bait),
		} {
			raw, _ := json.Marshal(map[string]string{"text": v})
			if seen := s.Arguments(raw); seen.Effect != durward.Deny || seen.Worst().Rule != "secret.honeytoken" && seen.Worst().Rule != "arguments.secret" {
				t.Errorf("%s %s: %s %+v", form, raw, seen.Effect, seen.Findings)
			}
		}
		raw, _ := json.Marshal(map[string]any{"list": []string{bait[:6], bait[6:]}})
		if seen := s.Arguments(raw); seen.Effect != durward.Deny {
			t.Errorf("%s: %s %+v", raw, seen.Effect, seen.Findings)
		}
		if seen := s.Arguments([]byte(`{"text":"an ordinary note about canaries, AKIA ids and planted values"}`)); seen.Effect != durward.Allow {
			t.Errorf("%s: %+v", bait, seen.Findings)
		}
	}
}
