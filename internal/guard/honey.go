package guard

import (
	"bytes"
	"strings"

	"durward"
	"durward/internal/guard/text"
)

// RuleHoneytoken is the rule of planted values.
const RuleHoneytoken = "secret.honeytoken"

// honey returns which planted value a text holds; "" for none.
func (s *Scope) honey(b []byte) string {
	for _, h := range s.policy.settings.Honeytokens {
		if bytes.Contains(b, []byte(h)) {
			return h
		}
	}
	return ""
}

// honeyHidden looks for planted values also in another case, backwards, and
// in what is encoded.
func (s *Scope) honeyHidden(b []byte) bool {
	if len(s.policy.settings.Honeytokens) == 0 {
		return false
	}
	forms := [][]byte{b, backwards(b)}
	var views text.Views
	for _, v := range views.Open(b) {
		forms = append(forms, bytes.Clone(v.Text))
	}
	for _, f := range forms {
		lower := strings.ToLower(string(f))
		for _, h := range s.policy.settings.Honeytokens {
			if strings.Contains(lower, strings.ToLower(h)) {
				return true
			}
		}
	}
	return false
}

func backwards(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
	}
	return out
}

func honeyFinding(where string) durward.Finding {
	r := rule(RuleHoneytoken)
	return durward.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.Severity, Score: 1, Where: where, Evidence: "a planted value"}
}
