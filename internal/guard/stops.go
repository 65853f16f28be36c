package guard

import "durward"

// Stops reports whether a finding is one for which the thing is not to be used
// unseen: its rule holds or blocks, and the evidence is strong enough to act.
func (e *Engine) Stops(f durward.Finding) bool {
	r, ok := ruleNamed(f.Rule)
	return ok && f.Score >= r.Act && e.mode(r).effect() <= durward.Hold
}
