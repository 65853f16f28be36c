package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"durward"
)

const maxAlias = 32

// alias is the name that a server gets when nobody else has it.
func alias(name string) string {
	if a := durward.UpstreamNameFrom(name); a != "" {
		return a
	}
	return "server-" + shortHash(name)
}

func withSuffix(alias, suffix string) string {
	room := maxAlias - len(suffix) - 1
	return strings.TrimRight(alias[:min(len(alias), room)], "-_") + "-" + suffix
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:3])
}

// freeName gives the alias of a source; when another server has it, the
// client's name is added, then a hash of the definition. So a name depends on
// what was declared, not on how many files were read before.
func (c *collector) freeName(s Source, definition string) string {
	a := alias(s.Name)
	for _, name := range []string{a, withSuffix(a, string(s.Client)), withSuffix(a, shortHash(definition))} {
		if !c.taken(name) {
			return name
		}
	}
	return withSuffix(a, shortHash(definition+s.File+s.Name))
}

func (c *collector) taken(name string) bool {
	return slices.ContainsFunc(c.out.Proposals, func(p Proposal) bool {
		return durward.UpstreamNamesClash(p.Upstream.Name, name)
	})
}

// definition is what makes two declarations the same server: not its name,
// how long a client waits, or a transport that the URL means anyway.
func definition(u durward.Upstream) string {
	u.Name, u.Timeout = "", 0
	if u.Transport == "http" {
		u.Transport = ""
	}
	raw, _ := json.Marshal(u) // strings, maps and numbers only: cannot fail
	return string(raw)
}
