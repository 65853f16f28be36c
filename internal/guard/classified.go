package guard

import (
	"bytes"
	"strconv"

	"durward"
	"durward/internal/guard/carrier"
)

// mostSaid bounds what of a message a classifier is shown.
const mostSaid = 32 << 10

// Spoken is the text of a message that a model gets to read, decoded and
// bounded: of a reply its contents, of anything else all its strings.
func Spoken(message []byte) []byte {
	all := spoken(message)
	if len(all) == 0 {
		carrier.Walk(message, func(_ []string, value []byte, key bool) {
			if !key && len(value) >= leastText {
				all = append(all, bytes.Clone(value))
			}
		})
	}
	out := bytes.Join(all, []byte("\n"))
	return out[:min(len(out), mostSaid)]
}

// Classified adds what an external classifier says.
func (s *Scope) Classified(v *Seen, score float64) *Seen {
	out := *v
	r := rule("guard.classifier")
	s.take(&out, durward.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.severity(score), Score: round(score), Evidence: "score " + strconv.FormatFloat(score, 'f', 2, 64)}, durward.Deny)
	out.Score = max(out.Score, score)
	if score >= r.Act {
		out.Orders = max(out.Orders, score)
	}
	return &out
}

// Unclassified is what becomes of a message that the classifier should have
// judged and did not: fail says so, and nothing but hold and block is stricter
// than what the detectors say.
func (s *Scope) Unclassified(v *Seen, fail Mode) *Seen {
	if fail != Hold && fail != Block {
		return v
	}
	out := *v
	r := rule("guard.classifier")
	out.Findings = append(out.Findings[:len(out.Findings):len(out.Findings)], durward.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.Severity, Score: 0.5,
		Evidence: "the classifier did not answer", Action: string(fail)})
	out.Effect = min(out.Effect, fail.effect())
	return &out
}
