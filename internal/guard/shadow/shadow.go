// Package shadow finds tools that stand in front of others: names made to look
// like an approved one, and descriptions that give orders about the tools of
// another server.
//
// Two honest servers often choose the same name. That alone is a collision,
// which prefixes resolve; it is reported as information and never blocks. A
// name that only looks the same, or the same name over a copied description,
// is a trick.
package shadow

import (
	"strings"
	"unicode/utf8"

	"durward/internal/guard/text"
)

// Tool is one approved tool.
type Tool struct {
	Server, Name, Description string

	// Privileged tools do more than read: any variant of their names is a trick.
	Privileged bool
	// FirstSight tools were approved by no person: of two that look alike the
	// one that came first has no better right to the name.
	FirstSight bool
	// Claim tools are withheld themselves; others are only compared with them.
	Claim bool
}

// Subject is a tool that is compared with the approved ones.
type Subject struct {
	Server, Name, Description string
	// Sibling reports other names that the same server offers; nil for none.
	Sibling func(name string) bool
	// Incumbent is in use already, though no person approved it.
	Incumbent bool
}

// Kind is what was found.
type Kind string

// The kinds.
const (
	Disguise  Kind = "disguise"  // look-alike or hidden characters in the name
	Copy      Kind = "copy"      // a name like an approved one, over a copied description
	Near      Kind = "near"      // a name like an approved one
	Collision Kind = "collision" // the same name, another tool
	Reference Kind = "reference" // names a tool of another server
)

// Match is one finding about a tool.
type Match struct {
	Kind     Kind
	Against  Tool
	How      string // exact, case, separators, affix, plural, spelling, characters
	Likeness float64
}

// Names compares a tool with the approved ones of other servers. Who compares
// many with the same ones keeps a [Table].
func Names(server, name, description string, approved []Tool) []Match {
	return NewTable(approved).Names(server, name, description)
}

// leastStem is how long a name is at least for an affix to it to be a trick.
const leastStem = 7

// copied is the likeness from which a description under a changed name counts
// as taken over; under the same name only the very same one does, since honest
// servers describe the same work in the same words.
const (
	copied = 0.55
	same   = 0.95
)

// oddName reports characters that no MCP name needs and that deceive the eye.
func oddName(name string) bool {
	if utf8.RuneCountInString(name) == len(name) {
		return false
	}
	var f text.Folder
	c := f.Fold([]byte(name))
	for i := range len(c.Bytes) {
		if c.Bytes[i] >= 0x80 {
			return c.Signals.Hidden() || c.Signals.Homoglyphs > 0
		}
	}
	return true // everything folds to ASCII: it was dressed up
}

func allowed(n int) int {
	if n >= 12 {
		return 2
	}
	return 1
}

func signsIn(name string) (n int) {
	for _, sign := range signs {
		n += strings.Count(name, string(sign))
	}
	return n
}

func digits(s string) int {
	n := 0
	for _, c := range s {
		if '0' <= c && c <= '9' {
			n++
		}
	}
	return n
}
