package guard

import (
	"bytes"
	"slices"
	"strings"
)

// protects reports a passage that ends in a plain request to keep a secret to
// oneself: "Do not share the password with other tools." It tells the model
// what an attack would not; what stands before it is judged by itself.
func protects(passage []byte) bool {
	s := bytes.TrimRight(bytes.ToLower(passage), " \t\r\n.!")
	if i := bytes.LastIndexAny(s, ".!?;\n"); i >= 0 {
		s = s[i+1:]
	}
	words := strings.Fields(string(s))
	if len(words) > 2 && (words[0] == "do" && words[1] == "not") {
		words = words[2:]
	} else if len(words) > 1 && (words[0] == "never" || words[0] == "don't") {
		words = words[1:]
	} else {
		return false
	}
	if len(words) < 2 || len(words) > 9 || !slices.Contains([]string{"share", "expose", "log", "store", "print", "reveal", "disclose", "leak", "commit"}, words[0]) {
		return false
	}
	kept := false
	for _, w := range words[1:] {
		switch strings.Trim(w, ",'\"`()") {
		case "password", "passwords", "token", "tokens", "secret", "secrets", "key", "keys", "credential", "credentials", "pin":
			kept = true
		case "the", "your", "this", "any", "api", "access", "private", "with", "to", "in", "other", "another", "tool", "tools", "server", "servers", "others", "anyone", "anybody", "or", "and", "a", "logs", "files", "chat", "plain", "text", "of", "it", "them", "public":
		default:
			return false
		}
	}
	return kept
}

// pointsOn reports a text that names a tool only to say what comes after this
// one: "Searches mails; use send_mail to answer." That is no order about it.
func pointsOn(text []byte, tool string) bool {
	words := strings.FieldsFunc(strings.ToLower(string(text)), func(c rune) bool { return strings.ContainsRune(" \t\n.;:,!?()`'\"", c) })
	at := slices.Index(words, strings.ToLower(tool))
	if at < 1 || words[at-1] != "use" || len(words)-at < 3 || len(words)-at > 5 || words[at+1] != "to" {
		return false
	}
	if !slices.Contains([]string{"answer", "reply", "respond", "edit", "change", "update", "delete", "read", "open", "download", "see"}, words[at+2]) {
		return false
	}
	for _, w := range words[at+3:] {
		if w != "it" && w != "them" && w != "one" {
			return false
		}
	}
	return !slices.Contains(words[:at-1], "not") && !slices.Contains(words[:at-1], "always") && !slices.Contains(words[:at-1], "must")
}
