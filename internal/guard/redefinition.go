package guard

import (
	"strings"

	"durward/internal/guard/pin"
)

// Redefinition inspects a definition that takes the place of an approved one.
// Any difference in meaning is reported as changed; whether a call may use it
// is for pins to decide. What the change brought is judged here.
func (e *Engine) Redefinition(before, after []byte) (*Report, error) {
	drift, err := pin.Compare(before, after)
	if err != nil {
		return nil, err
	}
	r := newReport()
	if drift.Same {
		return r, nil
	}
	r.Changed = true
	old, now := e.Definition(before), e.Definition(after)
	r.Partial = now.Partial
	e.add(r, rule("redefinition.changed"), 0.1, "", summary(drift))
	if brought(old, now) {
		score := max(now.Score, 0.5)
		for _, f := range now.Findings {
			if f.Rule != "definition.name" {
				e.add(r, rule("redefinition.poisoned"), min(score, f.Score+0.001), f.Where, f.Rule+": "+f.Evidence)
			}
		}
		return r, nil
	}
	for _, c := range drift.Changes {
		if c.Class != pin.Risky || !e.reaches(c) {
			continue
		}
		e.add(r, rule("redefinition.risky"), 0.7, c.Path, c.Why)
	}
	return r, nil
}

// reaches leaves to the pin what honest releases do every week.
func (e *Engine) reaches(c pin.Change) bool {
	return c.Why != "a parameter became mandatory" && c.Why != "parameters became mandatory"
}

// brought reports that the new definition is an attack and the old was not.
func brought(old, now *Report) bool {
	act := rule("definition.instruction").Act
	if now.Score >= act && old.Score < act {
		return true
	}
	return now.Score >= act && now.Score > old.Score+0.15
}

func summary(d pin.Drift) string {
	parts := make([]string, 0, 4)
	for i, c := range d.Changes {
		if i == 4 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, c.Path+": "+c.Why)
	}
	return d.Class.String() + " (" + strings.Join(parts, "; ") + ")"
}
