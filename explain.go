package durward

import "encoding/json"

// Step is what one check of a call's way found.
type Step struct {
	// Name is the check, as ARCHITECTURE.md has it: identify, resolve, permit, ...
	Name string `json:"step"`
	// Effect is set by the check that decided something: allow, flag, redact, hold, deny.
	Effect string `json:"effect,omitempty"`
	Reason Reason `json:"reason,omitempty"`
	// Rule names what decided, as records do.
	Rule string `json:"rule,omitempty"`
	// Saw is what the check looked at, in sentences for operators.
	Saw []string `json:"saw,omitempty"`
}

// Explanation tells what would happen to a call and why, in the order in which
// it is checked. The steps that made it are the ones that decide calls.
type Explanation struct {
	Agent    string `json:"agent"`
	Asked    string `json:"asked"`
	Upstream string `json:"upstream,omitempty"`
	Tool     string `json:"tool,omitempty"`
	// Listed tells whether the agent sees the operation in its lists.
	Listed  bool   `json:"listed"`
	Verdict string `json:"verdict"` // allow, flag, redact, hold, deny
	Reason  Reason `json:"reason,omitempty"`
	Rule    string `json:"rule,omitempty"`
	// Message is what the agent would hear.
	Message  string    `json:"message,omitempty"`
	Steps    []Step    `json:"steps"`
	Findings []Finding `json:"findings,omitempty"`
	Revision Revision  `json:"revision"`
	// Unsure says what could not be judged because it was not known, such as
	// arguments of which only a digest was kept.
	Unsure []string `json:"unsure,omitempty"`
}

// Question is what an [Explanation] answers: would this call be served?
type Question struct {
	Agent    string `json:"agent"`
	Method   string `json:"method,omitempty"` // tools/call when empty
	Name     string `json:"name"`             // as the agent would write it
	Endpoint string `json:"endpoint,omitempty"`
	// Arguments are a raw JSON object; nil for none.
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Source    string          `json:"source,omitempty"` // address of the caller
}
