package guard

import (
	"bytes"
	"slices"
	"strings"

	"durward/internal/mcpwire"
)

// contradictions reports hints that the definition belies. It is held only
// where a verb and its object say a change of something that outlasts the call
// and nothing says that the tool reads: run_query and create_plan read, and
// say so or not; delete_all does not.
func (e *Engine) contradictions(r *Report, raw []byte) {
	hints, ok := mcpwire.Field(raw, "annotations")
	if !ok || !mcpwire.IsObject(hints) {
		return
	}
	name, _ := mcpwire.FieldText(raw, "name")
	about, _ := mcpwire.FieldText(raw, "description")
	if is(hints, "readOnlyHint") {
		if score, seen := belied(name, about); score > 0 {
			e.add(r, rule("definition.annotation"), score, "/annotations/readOnlyHint", "read-only, but "+seen)
		}
		return
	}
	d, ok := mcpwire.Field(hints, "destructiveHint")
	if !ok || string(bytes.TrimSpace(d)) != "false" {
		return
	}
	words := nameWords(name)
	if verb := firstVerb(words); destroys(verb) {
		score := 0.4
		if changes(words, verb) && !readsOnly(about) {
			score = 0.75
		}
		e.add(r, rule("definition.annotation"), score, "/annotations/destructiveHint", "not destructive, but named "+verb)
	}
}

// belied is how surely a tool that is called read-only changes things, and why.
func belied(name, about string) (score float64, why string) {
	if verb := describedAct(about); verb != "" && !readsOnly(about) {
		return 0.85, "its description says that it " + verb
	}
	words := nameWords(name)
	verb := firstVerb(words)
	if verb == "" {
		return 0, ""
	}
	score = 0.4
	if words[0] == verb && changes(words, verb) && !reads(about) {
		score = 0.85
	}
	return score, "named " + verb
}

// changes reports that a name's verb does something lasting to its object: the
// last word before a preposition, as English puts words together.
func changes(words []string, verb string) bool {
	rest := words[slices.Index(words, verb)+1:]
	if i := slices.IndexFunc(rest, preposition); i >= 0 {
		rest = rest[:i]
	}
	if len(rest) == 0 {
		return destroys(verb)
	}
	return lasting(verb, rest[len(rest)-1])
}

// describedAct is the verb of the first sentence that says what the tool does
// to something that lasts: "Deletes all records".
func describedAct(about string) string {
	for n, s := range sentences(about) {
		if n == 8 {
			break
		}
		words := textWords(s, 14)
		for len(words) > 0 && slices.Contains([]string{"permanently", "immediately", "irreversibly", "this", "tool", "that", "which", "it", "to", "can", "a"}, words[0]) {
			words = words[1:]
		}
		if len(words) < 2 {
			continue
		}
		verb := stem(words[0])
		if verb == "" || n > 0 && verb == words[0] { // an order later on is for the caller
			continue
		}
		rest := words[1:]
		if i := slices.IndexFunc(rest, preposition); i >= 0 {
			rest = rest[:i]
		}
		if grave(verb) && slices.ContainsFunc(rest, func(w string) bool { return lasting(verb, w) }) {
			return words[0]
		}
	}
	return ""
}

func sentences(s string) []string {
	return strings.FieldsFunc(s[:min(len(s), 4096)], func(c rune) bool { return c == '.' || c == '\n' || c == '!' || c == ';' })
}

// readsOnly reports a description that says in so many words that nothing changes.
func readsOnly(about string) bool {
	return said(about, "read-only", "read only", "readonly", "nothing is ", "no changes", "not change", "not modify", "without chang", "without modif", "not actually", "dry run", "dry-run", "preview", "simulat", "would ")
}

// reads reports a description that says that the tool reads.
func reads(about string) bool {
	return readsOnly(about) || said(about, "reads ", "read ", "lists ", "list ", "shows ", "show ", "returns ", "return ", "gets ", "get ", "checks ", "fetch", "renders ", "composes ", "whether ", "retriev", "search", "instructions", "explains ", "calculat", "validat", "estimat")
}

// claimsToRead reports a tool whose server says in so many words that it only reads.
func claimsToRead(definition []byte, about string) bool {
	hints, ok := mcpwire.Field(object(definition), "annotations")
	return ok && mcpwire.IsObject(hints) && is(hints, "readOnlyHint") || said(about, "read-only", "read only", "readonly")
}

func said(about string, any ...string) bool {
	about = strings.ToLower(about[:min(len(about), 4096)])
	return slices.ContainsFunc(any, func(s string) bool { return strings.Contains(about, s) })
}

// nameWords are the words of a name, in lower case.
func nameWords(name string) []string { return textWords(splitCamel(name), 32) }

func textWords(s string, most int) []string {
	words := strings.FieldsFunc(strings.ToLower(s[:min(len(s), 512)]), func(c rune) bool { return c < 0x80 && (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	return words[:min(len(words), most)]
}

// firstVerb is the word of a name that says it changes things.
func firstVerb(words []string) string {
	for _, w := range words {
		switch w {
		case "get", "list", "search", "read", "fetch", "find", "query", "show", "describe", "check", "view", "count", "validate", "preview", "lookup", "test", "analyze", "explain", "is", "has", "generate", "compare", "export", "download":
			return ""
		}
		if grave(w) || mild(w) {
			return w
		}
	}
	return ""
}

// grave verbs change something whatever they are said of, if it lasts.
func grave(verb string) bool {
	switch verb {
	case "execute", "exec", "send", "transfer", "pay", "revoke", "refund", "withdraw", "charge", "buy", "sell", "deploy", "grant", "insert", "modify", "install", "disable", "cancel":
		return true
	}
	return destroys(verb)
}

// mild verbs are as often said of what is only made up or looked at.
func mild(verb string) bool {
	switch verb {
	case "write", "create", "update", "reset", "publish", "upload", "stop", "merge", "push", "post", "patch", "edit", "rename", "move", "add", "set", "run", "archive", "submit", "approve", "book", "clear", "flush", "evict", "detach", "unlink", "rotate":
		return true
	}
	return false
}

func destroys(verb string) bool {
	switch verb {
	case "delete", "remove", "purge", "drop", "destroy", "wipe", "erase", "truncate", "kill", "terminate", "overwrite", "format", "shutdown", "uninstall":
		return true
	}
	return false
}

// lasting reports objects that outlast the call, and that a verb changes.
func lasting(verb, noun string) bool {
	noun = strings.TrimSuffix(noun, "s")
	if verb == "format" {
		return slices.Contains([]string{"disk", "drive", "volume", "partition", "all"}, noun)
	}
	switch noun {
	case "file", "folder", "directory", "directorie", "record", "row", "database", "user", "account", "member", "permission", "email", "mail", "issue", "invoice", "payment", "fund", "money", "order",
		"customer", "branch", "branche", "commit", "repo", "repository", "server", "instance", "container", "deployment", "cluster", "bucket", "secret", "credential", "webhook", "backup", "command", "shell":
		return true
	case "table", "collection", "message", "sm", "comment", "ticket", "task", "event", "calendar", "subscription", "contact", "product", "tag", "release", "request", "project", "document", "note", "memory", "entitie", "entity",
		"relation", "observation", "vm", "pod", "node", "service", "namespace", "disk", "object", "blob", "key", "certificate", "setting", "workflow", "proces", "process", "queue", "item", "entry", "entrie", "data", "everything", "all",
		"system", "package", "app", "application", "device", "resource", "environment", "site", "domain", "channel":
		return !mild(verb)
	}
	return false
}

func preposition(w string) bool {
	switch w {
	case "by", "for", "from", "in", "into", "to", "with", "of", "on", "at", "as", "via", "using", "and", "or", "when", "if":
		return true
	}
	return false
}

// stem is the verb that a word is a form of, if it is one of ours.
func stem(w string) string {
	for _, s := range []string{w, strings.TrimSuffix(w, "s"), strings.TrimSuffix(w, "es"), strings.TrimSuffix(w, "ies") + "y"} {
		if grave(s) {
			return s
		}
	}
	return ""
}

func splitCamel(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && 'A' <= s[i] && s[i] <= 'Z' && 'a' <= s[i-1] && s[i-1] <= 'z' {
			b.WriteByte('_')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func is(obj []byte, key string) bool {
	v, _ := mcpwire.Field(obj, key)
	b, _ := mcpwire.Bool(v)
	return b
}
