package durward

// PolicyRule is a rule over the attributes of a call, beyond what globs in
// roles can say.
type PolicyRule struct {
	// Name is unique; records and explanations use it.
	Name string
	// When is the condition, in CEL: true for the calls that the rule is about.
	When string
	// Effect is deny, hold, flag, or allow: which lifts a hold of a role or of a
	// later rule, and never a deny.
	Effect string
	// Tools are patterns, as in roles; Roles and Agents are names. Empty is all.
	Tools, Roles, Agents []string
	// Message is what the agent hears of a denial.
	Message string
}
