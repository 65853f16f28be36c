package scan

import (
	"strings"

	"durward"
	"durward/internal/guard"
)

// advice says what to do about a vector.
func advice(vector string) string {
	switch vector {
	case guard.VectorPoisoning:
		return "do not allow the tool until its author explains the passage"
	case guard.VectorRugPull:
		return "read what changed before an agent may use it, or keep the old version"
	case guard.VectorShadowing:
		return "keep the prefixes on; remove the server if it was not meant to replace the other"
	case guard.VectorInjection:
		return "treat the source as untrusted; let a person approve calls that follow from it"
	case guard.VectorSecrets:
		return "keep it out of results and files (${env:NAME}); rotate it if it left"
	case guard.VectorArguments:
		return "find out who wrote the value; declare the field's format in the tool's schema"
	case guard.VectorExfiltration:
		return "check where it would have gone, and what the session read before"
	}
	return "see the rule's documentation"
}

// brief is a rule in a few words.
func brief(rule string) string {
	switch rule {
	case "definition.instruction":
		return "orders to the agent"
	case "definition.hidden":
		return "text that people do not see"
	case "definition.encoded":
		return "encoded orders"
	case "definition.layout":
		return "text pushed out of sight"
	case "definition.annotation":
		return "claims to be harmless, its name does not"
	case "definition.channel":
		return "a parameter that asks for more than it needs"
	case "definition.split":
		return "orders spread over several definitions"
	case "shadow.disguise", "shadow.copy":
		return "looks like a tool of another server"
	case "shadow.reference":
		return "orders about another server's tool"
	}
	return rule
}

// Brief names, one a line, the definitions of a server that would be held or
// blocked, and why: "daily_quote: orders to the agent in its description".
func Brief(e *guard.Engine, server string, defs [][]byte) []string {
	c := &briefs{}
	if New(e, c).Definitions(server, defs) != nil {
		return nil // it has no way to fail
	}
	return c.lines
}

// briefs is a sink for short lines.
type briefs struct{ lines []string }

func (b *briefs) Verdict(r *Result) error {
	if r.Verdict.stops() && len(r.Verdict.Findings) > 0 {
		f := ordered(r.Verdict.Findings)[0]
		b.lines = append(b.lines, visible(r.Part)+": "+brief(f.Rule)+in(f.Where))
	}
	return nil
}

func (b *briefs) Failure(*Failure) error { return nil }
func (b *briefs) Flush() error           { return nil }
func (b *briefs) Close() error           { return nil }

// in is where in a definition something stands, for people.
func in(where string) string {
	top, rest, _ := strings.Cut(strings.TrimPrefix(where, "/"), "/")
	switch {
	case top == "inputSchema" && strings.HasPrefix(rest, "properties/"):
		name, _, _ := strings.Cut(strings.TrimPrefix(rest, "properties/"), "/")
		return " in its parameter " + visible(name)
	case top == "inputSchema":
		return " in its input schema"
	case top == "outputSchema":
		return " in its output schema"
	case top == "description", top == "title", top == "name", top == "_meta":
		return " in its " + top
	}
	return ""
}

// ordered puts the gravest finding first.
func ordered(f []durward.Finding) []durward.Finding {
	out := append([]durward.Finding(nil), f...)
	for i := 1; i < len(out); i++ { // few of them, and stable
		for j := i; j > 0 && out[j].Score > out[j-1].Score; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}
