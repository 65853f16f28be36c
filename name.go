package durward

import (
	"errors"
	"fmt"
	"strings"
)

// CheckAgentName says why name cannot be an agent's; nil when it can.
func CheckAgentName(name string) error { return checkName("agent", name, 63, "._-") }

// CheckRoleName says why name cannot be a role's; nil when it can.
func CheckRoleName(name string) error { return checkName("role", name, 63, "._-") }

// CheckUpstreamName says why name cannot be an upstream's alias; nil when it
// can. "__" ends the alias in public names, so an alias never contains it.
func CheckUpstreamName(name string) error {
	if err := checkName("upstream", name, 32, "_-"); err != nil {
		return err
	}
	if strings.Contains(name, "__") {
		return errors.New(`an upstream name has no "__": it separates the name from the tool's`)
	}
	return nil
}

// CheckPattern says why p cannot be a rule's pattern; nil when it can.
func CheckPattern(p string) error {
	if p == "" {
		return errors.New("a pattern is not empty")
	}
	if len(p) > 512 {
		return errors.New("a pattern has at most 512 bytes")
	}
	if strings.Count(p, "*") > 8 {
		return errors.New("a pattern has at most 8 stars")
	}
	if strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xFFFD }) {
		return errors.New("a pattern has no control characters and is valid UTF-8")
	}
	// A mistyped kind would be a name that nothing has.
	if word, _, found := strings.Cut(p, ":"); found && !strings.Contains(word, "__") && !strings.Contains(word, "*") &&
		word != "tool" && word != "prompt" && word != "resource" {
		return fmt.Errorf("%q is no kind: a pattern begins with tool:, prompt: or resource:, or with the name of an upstream and __", word)
	}
	// Elsewhere these are wildcards, and a deny that quietly never matches is worse
	// than none. Only resources' URIs have them in earnest.
	if i := strings.IndexAny(p, "?[]{}"); i >= 0 && !strings.HasPrefix(p, "resource:") {
		return fmt.Errorf("in a pattern only * is a wildcard, %q is not; write several patterns (or resource:... for a URI that has it)", p[i])
	}
	return nil
}

// PatternReaches reports whether a pattern without a kind can match something
// of an upstream.
func PatternReaches(pattern, upstream string) bool {
	prefix := upstream + "__"
	literal, _, wild := strings.Cut(pattern, "*")
	if !wild {
		return strings.HasPrefix(pattern, prefix)
	}
	n := min(len(literal), len(prefix))
	return literal[:n] == prefix[:n]
}

// UpstreamNamesClash reports whether tools of two upstreams could not be told
// apart by their public names: the names are equal but for case, which some
// hosts fold, or but for an "_" at the end, which "__" swallows.
func UpstreamNamesClash(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "_"), strings.TrimRight(b, "_"))
}

// UpstreamNameFrom makes an alias of a name that a client's configuration
// uses; "" when nothing of it is usable. An alias stays as it is.
func UpstreamNameFrom(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case isAlnum(r) || r == '-':
			b.WriteRune(r)
		case r == '_' && !strings.HasSuffix(b.String(), "_"):
			b.WriteRune(r)
		case r != '_' && b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	alias := strings.TrimLeft(b.String(), "_-")
	if len(alias) > 32 {
		alias = alias[:32]
	}
	if CheckUpstreamName(alias) != nil {
		return ""
	}
	if alias == name {
		return name
	}
	return strings.TrimRight(alias, "_-")
}

// Closest returns the word that a mistyped one most likely means; "" when none
// is close.
func Closest(typed string, words []string) string {
	best, least := "", 1+min(2, (len(typed)+1)/3)
	for _, w := range words {
		if d := Distance(strings.ToLower(typed), strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// longestCompared is how long words are that are told apart letter by letter.
const longestCompared = 128

// Distance counts the edits between two words, a swap of neighbours being one;
// of long words it says only that they are far apart.
func Distance(a, b string) int {
	if len(a) > longestCompared || len(b) > longestCompared {
		return len(a) + len(b)
	}
	var rows [3][longestCompared + 1]int
	before, above, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func checkName(kind, name string, most int, extra string) error {
	if name == "" {
		return fmt.Errorf("the %s has no name", kind)
	}
	if len(name) > most {
		return fmt.Errorf("%s name is longer than %d characters", kind, most)
	}
	for i, r := range name {
		if isAlnum(r) || (i > 0 && strings.ContainsRune(extra, r)) {
			continue
		}
		if i == 0 {
			return fmt.Errorf("%s name %q does not begin with a letter or digit", kind, name)
		}
		return fmt.Errorf("%s name %q has %q: only letters, digits and %q are allowed", kind, name, r, extra)
	}
	return nil
}

func isAlnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// UpstreamOf is the upstream that a public name belongs to: what stands before
// the first "__"; "" when there is none.
func UpstreamOf(public string) string {
	if i := strings.Index(public, "__"); i > 0 {
		return public[:i]
	}
	return ""
}
