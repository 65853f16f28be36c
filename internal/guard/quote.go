package guard

import "strings"

// worded are the rules whose evidence is words of ours: a kind, a sentence. What
// servers define is no part of a call, so its rules may quote.
var worded = [...]string{
	"definition.", "redefinition.", "pin.", "shadow.", "secret.", "policy.", "runaway.", "record.", "guard.partial", "guard.classifier",
	"arguments.sqli", "arguments.command", "arguments.traversal", "arguments.address", "arguments.script", "arguments.type", "arguments.secret",
	"arguments.personal", "flow.exfiltration", "flow.trifecta", "flow.forgotten", "flow.provenance", "flow.egress", "result.hidden", RuleSchema,
}

// Quotes reports whether the evidence of a rule may hold what was read in a
// call. A rule that nobody listed is taken to.
func Quotes(rule string) bool {
	for _, w := range worded {
		if rule == w || strings.HasSuffix(w, ".") && strings.HasPrefix(rule, w) {
			return false
		}
	}
	return true
}
