package shadow

import (
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// Table compares names with many approved tools without looking at each. It
// never changes.
type Table struct {
	forms []*form
	by    map[string][]int // indexes of forms, by each of their keys
}

// form is a tool with the forms of its name that are compared.
type form struct {
	tool     Tool
	digits   int
	series   string // see seriesOf
	bare     string
	stem     string // without affixes
	letters  uint64
	shingles func() map[string]bool // of the description
}

// NewTable builds the table.
func NewTable(approved []Tool) *Table {
	x := &Table{by: map[string][]int{}}
	for i, t := range approved {
		f := newForm(t.Name)
		f.tool = t
		f.shingles = sync.OnceValue(func() map[string]bool { return shingles(t.Description) })
		x.forms = append(x.forms, f)
		for _, k := range f.keys() {
			x.by[k] = append(x.by[k], i)
		}
	}
	return x
}

func newForm(name string) *form {
	f := &form{tool: Tool{Name: name}, digits: digits(name) + signsIn(name), bare: bare(name), series: seriesOf(name)}
	f.stem, f.letters = affixless(f.bare), letters(f.bare)
	return f
}

// keys are such that two names that are alike, but for spelling, share one.
func (f *form) keys() []string {
	all := []string{"=" + f.tool.Name, "b" + f.bare, "o" + oneShape(f.bare)}
	if f.tool.Server != "" { // under the name that the gateway gives it
		all = append(all, "b"+bare(f.tool.Server)+f.bare)
	}
	if len(f.stem) >= 4 {
		all = append(all, "a"+f.stem)
	}
	if len(f.stem) >= 5 {
		all = append(all, "s"+singular(f.stem))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// letters is the set of bytes of a name, folded to 64.
func letters(s string) (set uint64) {
	for i := range len(s) {
		set |= 1 << (s[i] & 63)
	}
	return set
}

// near reports whether the names may be a few edits apart: each edit changes
// at most two members of the set.
func (f *form) near(o *form) bool {
	n := len(f.bare)
	if min(n, len(o.bare)) < 7 || n-len(o.bare) > 2 || len(o.bare)-n > 2 {
		return false
	}
	return bits.OnesCount64(f.letters^o.letters) <= 2*allowed(n)
}

// Names compares a tool with the approved ones of other servers.
func (x *Table) Names(server, name, description string) []Match {
	return x.Compare(Subject{Server: server, Name: name, Description: description})
}

// Compare compares a tool with the approved ones of other servers.
func (x *Table) Compare(s Subject) []Match {
	mine := newForm(s.Name)
	mine.tool.Description = s.Description
	var found []int
	for _, k := range mine.keys() {
		found = append(found, x.by[k]...)
	}
	for i, o := range x.forms {
		if mine.near(o) {
			found = append(found, i)
		}
	}
	slices.Sort(found)
	var out []Match
	grams := sync.OnceValue(func() map[string]bool { return shingles(s.Description) })
	for _, i := range slices.Compact(found) {
		o := x.forms[i]
		if o.tool.Server == s.Server {
			continue
		}
		how := mine.compare(o)
		switch {
		case how == "", s.Sibling != nil && s.Sibling(o.tool.Name) && (how == "affix" || how == "plural" || how == "spelling"):
			continue // or a variant of a tool of its own
		}
		out = append(out, judge(how, &s, grams(), mine, o))
	}
	return out
}

// compare says how two names are alike, "" when they are not.
func (f *form) compare(o *form) string {
	if f.tool.Name == o.tool.Name {
		return "exact"
	}
	if f.bare == "" || o.bare == "" {
		return ""
	}
	switch {
	case strings.EqualFold(f.tool.Name, o.tool.Name):
		return "case"
	case f.series != "" && f.series == o.series:
		return "" // page 1 and page 2
	case f.bare == o.bare:
		if f.digits != o.digits {
			return "characters"
		}
		return "separators"
	}
	if oneShape(f.bare) == oneShape(o.bare) && (f.digits != o.digits || len(f.bare) != len(o.bare) || f.capitalL(o) || o.capitalL(f)) {
		return "characters"
	}
	if len(f.stem) >= 4 && f.stem == o.stem || o.tool.Server != "" && f.bare == bare(o.tool.Server)+o.bare {
		return "affix"
	}
	if len(f.stem) >= 5 && singular(f.stem) == singular(o.stem) {
		return "plural"
	}
	if min(len(f.bare), len(o.bare)) >= 7 && distance(f.bare, o.bare) <= allowed(len(f.bare)) {
		return "spelling"
	}
	return ""
}

// judge tells tricks from chance. Of two tools that no person has approved the
// one whose name is the more disguised is the trick, whichever came first; when
// both are as much, both are.
func judge(how string, s *Subject, grams map[string]bool, f, o *form) Match {
	m := Match{Against: o.tool, How: how, Likeness: likeness(grams, o.shingles())}
	described := len(s.Description) > leastDescription
	if how == "exact" && !oddName(s.Name) {
		m.Kind = Collision
		if m.Likeness = overlap(grams, o.shingles()); m.Likeness >= same && described {
			m.Kind = Copy
		}
		return m
	}
	mine, other := f.disguised(how, o), o.disguised(how, f)
	m.Kind = Near
	switch {
	case o.tool.FirstSight && mine < other, s.Incumbent && !o.tool.FirstSight && mine <= other:
		return m // the other one is in disguise, or a person has approved both of the names
	case how == "characters", oddName(s.Name):
		m.Kind = Disguise
	case m.Likeness >= copied && described:
		m.Kind = Copy
	case o.tool.Privileged && f.variant(how, o) && (mine > 0 || !o.tool.FirstSight || how == "spelling"):
		m.Kind = Disguise
	}
	return m
}
