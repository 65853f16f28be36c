package guard

import "durward"

// Mode is what a finding of a rule does at most.
type Mode string

// The modes, mildest first.
const (
	Observe Mode = "observe" // counted, nothing else
	Flagged Mode = "flag"
	Redact  Mode = "redact"
	Hold    Mode = "hold"
	Block   Mode = "block"
)

// Off is the mode of a scope whose calls are not inspected. No rule has it.
const Off = "off"

func (m Mode) valid() bool {
	switch m {
	case Observe, Flagged, Redact, Hold, Block:
		return true
	}
	return false
}

func (m Mode) effect() durward.Effect {
	switch m {
	case Observe:
		return durward.Allow
	case Flagged:
		return durward.Flag
	case Redact:
		return durward.Redact
	case Hold:
		return durward.Hold
	}
	return durward.Deny
}

// The vectors, the nine threats.
const (
	VectorRugPull      = "rug_pull"
	VectorPoisoning    = "tool_poisoning"
	VectorShadowing    = "shadowing"
	VectorInjection    = "injection"
	VectorExfiltration = "exfiltration"
	VectorSecrets      = "secrets"
	VectorArguments    = "arguments"
	VectorAuth         = "auth_bypass"
	VectorRate         = "rate_abuse"
)

// Rule is one detector's entry in the table.
type Rule struct {
	ID       string
	Vector   string
	OWASP    string // of the OWASP MCP Top 10 (v0.1, 2025)
	Severity string
	Mode     Mode
	// Flag and Act are the scores from which a finding is flagged and from
	// which it does what Mode says.
	Flag, Act float64
	Help      string
}

// least is the mildest effect that a score allows; effects are ordered.
func (r Rule) least(score float64) durward.Effect {
	switch {
	case score >= r.Act:
		return durward.Deny
	case score >= r.Flag:
		return durward.Flag
	}
	return durward.Allow
}

func (r Rule) severity(score float64) string {
	if score < r.Act {
		return "low"
	}
	return r.Severity
}

// Rules returns the table.
func Rules() []Rule { return append([]Rule(nil), rules...) }

var rules = []Rule{
	{"definition.instruction", VectorPoisoning, "MCP03", "high", Hold, 0.45, 0.5, "The definition gives the model orders that its user would not expect."},
	{"definition.hidden", VectorPoisoning, "MCP03", "critical", Block, 0.3, 0.5, "Text that people do not see: no natural definition has it."},
	{"definition.encoded", VectorPoisoning, "MCP03", "high", Block, 0.45, 0.5, "An encoded passage decodes to orders."},
	{"definition.layout", VectorPoisoning, "MCP03", "medium", Hold, 0.3, 0.5, "Text is pushed out of sight."},
	{"definition.annotation", VectorPoisoning, "MCP03", "medium", Hold, 0.3, 0.5, "The hints say harmless, the name does not."},
	{"definition.channel", VectorPoisoning, "MCP10", "medium", Hold, 0.3, 0.5, "A parameter asks for more than the tool needs."},
	{"definition.split", VectorPoisoning, "MCP03", "high", Hold, 0.3, 0.5, "Definitions of one server give orders when read together."},
	{"definition.name", VectorPoisoning, "MCP03", "low", Observe, 0.05, 0.1, "The name has characters that the specification does not allow."},
	{"redefinition.changed", VectorRugPull, "MCP03", "medium", Flagged, 0.01, 0.1, "The definition is not the one that was approved."},
	{"redefinition.risky", VectorRugPull, "MCP03", "high", Hold, 0.3, 0.5, "The change reaches further than what was approved."},
	{"redefinition.poisoned", VectorRugPull, "MCP03", "critical", Block, 0.3, 0.5, "The change brought orders to the model."},
	{"pin.unapproved", VectorRugPull, "MCP03", "medium", Block, 0.01, 0.01, "Nobody has approved the definition."},
	{"pin.varies", VectorRugPull, "MCP03", "high", Block, 0.3, 0.5, "The server shows different definitions to different callers."},
	{"pin.server", VectorRugPull, "MCP04", "high", Block, 0.3, 0.5, "The upstream is another server than the one that was approved."},
	{"shadow.disguise", VectorShadowing, "MCP03", "critical", Block, 0.3, 0.5, "The name is dressed up as that of another tool."},
	{"shadow.copy", VectorShadowing, "MCP03", "high", Hold, 0.3, 0.5, "A copy of another server's tool under its name or a similar one."},
	{"shadow.near", VectorShadowing, "MCP03", "low", Flagged, 0.05, 0.9, "The name is close to that of another server's tool."},
	{"shadow.collision", VectorShadowing, "MCP03", "info", Flagged, 0.05, 0.9, "Two servers use the same name: prefixes keep them apart."},
	{"shadow.reference", VectorShadowing, "MCP03", "high", Hold, 0.3, 0.5, "The definition gives orders about another server's tool."},
	{"shadow.result", VectorShadowing, "MCP03", "high", Flagged, 0.5, 0.5, "The result gives orders about another server's tool."},
	{"result.instruction", VectorInjection, "MCP06", "high", Redact, 0.5, 0.5, "The result gives the model orders."},
	{"result.hidden", VectorInjection, "MCP06", "high", Redact, 0.3, 0.5, "The result holds text that people do not see."},
	{"result.encoded", VectorInjection, "MCP06", "high", Redact, 0.5, 0.5, "An encoded passage of the result decodes to orders."},
	{"result.split", VectorInjection, "MCP06", "high", Redact, 0.5, 0.5, "Orders that go on from an earlier message of the same server."},
	{"result.role", VectorInjection, "MCP06", "high", Redact, 0.3, 0.5, "The result imitates the marks of a conversation."},
	{"secret.credential", VectorSecrets, "MCP01", "high", Redact, 0.3, 0.5, "A credential."},
	{"secret.personal", VectorSecrets, "MCP10", "medium", Redact, 0.3, 0.5, "Personal data."},
	{"arguments.sqli", VectorArguments, "MCP05", "high", Block, 0.3, 0.7, "SQL in a field that takes none."},
	{"arguments.command", VectorArguments, "MCP05", "high", Block, 0.3, 0.7, "A command in a field that takes none."},
	{"arguments.traversal", VectorArguments, "MCP05", "high", Block, 0.3, 0.7, "A path that leaves its place."},
	{"arguments.address", VectorArguments, "MCP05", "high", Block, 0.3, 0.7, "An address that must not be reached."},
	{"arguments.script", VectorArguments, "MCP05", "medium", Hold, 0.3, 0.7, "Markup that runs where it is shown."},
	{"arguments.type", VectorArguments, "MCP05", "medium", Hold, 0.3, 0.7, "The value is not what its field is for."},
	{"arguments.statement", VectorArguments, "MCP05", "high", Block, 0.3, 0.7, "A query that does more than it should: it changes something, is more than one, or leaves the database."},
	{"flow.exfiltration", VectorExfiltration, "MCP10", "critical", Block, 0.3, 0.75, "Private data leaves by this call."},
	{"flow.trifecta", VectorExfiltration, "MCP10", "high", Hold, 0.3, 0.55, "Strangers' text, private data and a way out meet."},
	{"flow.forgotten", VectorExfiltration, "MCP10", "high", Hold, 0.3, 0.5, "Private data was read, and what is sent cannot be compared with it: it is no longer remembered, or too much is sent."},
	{"flow.provenance", VectorExfiltration, "MCP06", "high", Hold, 0.3, 0.55, "A stranger's text decided what this call does."},
	{"flow.destination", VectorExfiltration, "MCP10", "high", Block, 0.3, 0.5, "The call sends to somebody who is not on the list of its tool."},
	{"flow.egress", VectorExfiltration, "MCP10", "high", Hold, 0.3, 0.5, "More leaves than a conversation with private data may send."},
	{"secret.honeytoken", VectorSecrets, "MCP01", "critical", Block, 0.3, 0.5, "A planted value, which nobody has a reason to use."},
	{"arguments.secret", VectorSecrets, "MCP01", "high", Block, 0.3, 0.95, "A credential in a field that was not declared to take one."},
	{"arguments.personal", VectorSecrets, "MCP10", "low", Observe, 0.3, 0.5, "Personal data in arguments."},
	{"guard.classifier", VectorInjection, "MCP06", "high", Hold, 0.3, 0.5, "The external classifier calls it an attack."},
	{"elicitation.secret", VectorSecrets, "MCP01", "critical", Block, 0.3, 0.5, "The server asks for a credential."},
	{"guard.partial", VectorInjection, "MCP06", "medium", Flagged, 0.1, 0.5, "Not everything was inspected."},
}

func ruleNamed(id string) (Rule, bool) {
	for _, r := range rules {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}

// rule is for names within this package; a test looks them all up.
func rule(id string) Rule {
	r, _ := ruleNamed(id)
	return r
}

func vectorNamed(v string) bool {
	for _, r := range rules {
		if r.Vector == v {
			return true
		}
	}
	return v == VectorAuth || v == VectorRate
}
