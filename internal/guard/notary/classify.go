package notary

import (
	"fmt"

	"durward"
	"durward/internal/guard"
)

// Word is what an external classifier says of a definition.
type Word struct {
	Known  bool    // it was asked, and has answered or not
	Failed bool    // it has not
	Fail   string  // what that means: pass, hold, block; "" is pass
	Score  float64 // probability of an attack
}

// Doubt is a definition that the classifier has not been asked about yet.
type Doubt struct {
	Seen  durward.Pin
	Raw   []byte
	Score float64 // that the detectors gave
}

// classified is the probability from which on a classifier's word counts.
const classified = 0.5

// classify asks the external classifier about what nobody has approved. What
// would be taken at first sight waits for its word; of what waits for a person
// it is told to that person.
func (c *session) classify() {
	if c.policy.Word == nil {
		return
	}
	for _, o := range c.out.Opinions {
		if o.Seen.Digest == "" || o.Seen.Kind == durward.PinServer || o.Seen.Kind == durward.PinResource && c.policy.Resources != "pin" {
			continue
		}
		w := c.policy.Word(o.Seen.Digest)
		approved := o.Approved != nil && o.Approved.Approves(o.Seen.Digest)
		switch {
		case w.Known && !w.Failed && w.Score < classified:
			o.Notes = append(o.Notes, c.word(w.Score))
		case approved, c.first == durward.TrustFirst:
			continue
		case !w.Known:
			c.out.Doubts = append(c.out.Doubts, Doubt{Seen: o.Seen, Raw: o.Raw, Score: c.score(o)})
			c.wait(o, "the classifier has not answered yet")
		case !w.Failed:
			c.also(o, durward.ReasonDefinitionPoisoned, c.word(w.Score))
		case w.Fail == "hold" || w.Fail == "block":
			c.wait(o, "the classifier did not answer")
		}
	}
}

func (c *session) score(o *Opinion) float64 {
	if r := c.read(o.Seen.Kind, o.Seen.Name, o.Raw); r.report != nil {
		return r.report.Score
	}
	return 0
}

// wait keeps what would be taken from being taken. What is withheld anyway is.
func (c *session) wait(o *Opinion, why string) {
	if o.Standing == nil {
		o.Standing = c.stop(o, durward.ReasonDefinitionUnapproved, finding("pin.classifier", "low", 0.1, why))
	}
}

func (c *session) word(score float64) durward.Finding {
	severity := "info"
	if score >= classified {
		severity = "high"
	}
	return durward.Finding{Rule: "guard.classifier", Vector: guard.VectorPoisoning, Severity: severity, Score: score, Evidence: fmt.Sprintf("score %.2f", score)}
}

// also adds findings to what is thought of a definition.
func (c *session) also(o *Opinion, why durward.Reason, found ...durward.Finding) {
	w := c.stop(o, why, found...)
	if had := o.Standing; had != nil {
		w.Reason, w.Withheld = had.Reason, w.Withheld || had.Withheld
		w.Findings = append(append([]durward.Finding(nil), had.Findings...), found...)
	}
	o.Standing = w
}
