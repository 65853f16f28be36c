package guard

import "durward"

// Effect is what an action of a finding does to a call.
func Effect(action string) durward.Effect { return actionEffect(action) }

// Help says what a rule is about.
func Help(id string) string {
	r, _ := ruleNamed(id)
	return r.Help
}
