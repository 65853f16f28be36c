package guard

import (
	"bytes"
	"strings"

	"durward"
	"durward/internal/guard/carrier"
	"durward/internal/guard/dlp"
	"durward/internal/guard/text"
	"durward/internal/mcpwire"
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
	found := s.honeyIn(b) || s.honeyIn(backwards(b))
	var views text.Views
	for _, v := range views.Open(b) {
		found = found || s.honeyIn(v.Text)
	}
	dlp.Visit(b, func(opened []byte) { found = found || s.honeyIn(opened) })
	return found
}

func (s *Scope) honeyIn(b []byte) bool {
	lower := strings.ToLower(string(b))
	for _, h := range s.policy.settings.Honeytokens {
		if strings.Contains(lower, strings.ToLower(h)) {
			return true
		}
	}
	return false
}

const mostStrung = 256 << 10

// honeySpread looks for planted values that are spread over the strings of a
// message.
func (r *reading) honeySpread() {
	if len(r.scope.policy.settings.Honeytokens) == 0 || len(r.leaves) < 2 {
		return
	}
	var strung []byte
	for _, l := range r.leaves {
		if strung, _ = mcpwire.AppendText(strung, r.raw[l.span.Start:l.span.End]); len(strung) > mostStrung {
			break
		}
	}
	if r.scope.honeyIn(strung) {
		r.scope.take(r.note(), honeyFinding(r.pointer(r.leaves[0].span.Start)), durward.Deny)
	}
}

// saysByName reports a name that an agent gave to a member and that may be a
// value: one of other characters than names have, or of planted length.
func (r *reading) saysByName(key []byte) bool {
	if len(key) >= leastName && len(r.scope.policy.settings.Honeytokens) > 0 {
		return true
	}
	return len(key) >= leastText && !carrier.IsName(key)
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

// baited reports a planted value that a conversation sends in pieces: this
// call completes it.
func (c *Conversation) baited(s *Scope, args []byte) bool {
	all := s.policy.settings.Honeytokens
	if len(all) == 0 {
		return false
	}
	if c.planted != s.policy {
		c.planted = s.policy
		c.flow.Plant(all)
	}
	return c.flow.Planted(args)
}

func (v *Seen) orNothing() *Seen {
	if len(v.Findings) == 0 {
		return nothing
	}
	return v
}
