package guard

import (
	"slices"
	"strings"

	"durward/internal/guard/carrier"
	"durward/internal/guard/lexicon"
	"durward/internal/guard/shadow"
	"durward/internal/mcpwire"
)

// Approved is a tool that was approved earlier, of any server.
type Approved = shadow.Tool

// Registry is the approved tools, indexed for comparison. It never changes.
type Registry struct {
	table *shadow.Table
	index *shadow.Index
	names map[string]map[string]bool // of tools, by server
}

// NewRegistry indexes approved tools. Of the others only the names are known:
// nothing is compared with them.
func NewRegistry(tools []Approved, others ...Approved) *Registry {
	isClaim := func(t Approved) bool { return t.Claim }
	r := &Registry{table: shadow.NewTable(tools), index: shadow.NewIndex(slices.DeleteFunc(slices.Clone(tools), isClaim)), names: map[string]map[string]bool{}}
	for _, t := range slices.DeleteFunc(slices.Concat(tools, others), isClaim) {
		if r.names[t.Server] == nil {
			r.names[t.Server] = map[string]bool{}
		}
		r.names[t.Server][strings.ToLower(t.Name)] = true
	}
	return r
}

// Privileged reports a tool that does more than read, by its annotations or its
// first word: any variant of its name at another server is a trick.
func Privileged(name string, definition []byte) bool {
	if notes, ok := mcpwire.Field(definition, "annotations"); ok && mcpwire.IsObject(notes) {
		if v, ok := mcpwire.Field(notes, "readOnlyHint"); ok && string(v) == "true" {
			return false
		}
	}
	word := strings.ToLower(strings.TrimLeft(name, "_-./: "))
	return !slices.ContainsFunc([]string{"get", "list", "read", "search", "find", "fetch", "query", "show", "describe", "lookup", "view", "count", "check", "echo", "help", "ping", "status"},
		func(verb string) bool { return strings.HasPrefix(word, verb) })
}

// Shadowing inspects a definition of a server against the approved tools of
// the others: look-alike names, copies, and orders about foreign tools.
func (e *Engine) Shadowing(server string, raw []byte, reg *Registry) *Report {
	return e.ShadowingAmong(server, raw, reg, nil, false)
}

// ShadowingAmong is Shadowing of a tool that comes with others, whose names
// sibling reports in lower case, or that is in use already though no person
// approved it.
func (e *Engine) ShadowingAmong(server string, raw []byte, reg *Registry, sibling func(lower string) bool, incumbent bool) *Report {
	r := newReport()
	name, _ := mcpwire.FieldText(raw, "name")
	description, _ := mcpwire.FieldText(raw, "description")
	known := ownNames(server, name, raw, reg)
	own := func(name string) bool { return known(name) || sibling != nil && sibling(name) }
	related := func(name string) bool {
		name = strings.ToLower(name)
		return reg.names[server][name] || sibling != nil && sibling(name)
	}
	for _, m := range reg.table.Compare(shadow.Subject{Server: server, Name: name, Description: description, Sibling: related, Incumbent: incumbent}) {
		e.likeness(r, m)
	}
	reader := e.readers.Get().(*carrier.Reader)
	defer e.readers.Put(reader)
	carrier.Walk(raw, func(path []string, value []byte, key bool) {
		if key || len(value) < 8 || len(path) == 1 && path[0] == "name" {
			return
		}
		refs := reg.index.References(server, own, string(value))
		if len(refs) == 0 {
			return
		}
		e.references(r, reader, "/"+strings.Join(path, "/"), value, refs)
	})
	return r
}

// likeness records what a look-alike is.
func (e *Engine) likeness(r *Report, m shadow.Match) {
	what := m.How + ": " + m.Against.Server + " has " + m.Against.Name
	switch m.Kind {
	case shadow.Disguise:
		e.add(r, rule("shadow.disguise"), 0.97, "/name", what)
	case shadow.Copy:
		e.add(r, rule("shadow.copy"), 0.6+0.35*m.Likeness, "/name", what+", with the same description")
	case shadow.Near:
		e.add(r, rule("shadow.near"), 0.1, "/name", what)
	default:
		e.add(r, rule("shadow.collision"), 0.06, "/name", what)
	}
}

// references judges a text that names foreign tools. Naming is natural (a
// wrapper, a successor); orders about them are not.
func (e *Engine) references(r *Report, reader *carrier.Reader, where string, value []byte, refs []shadow.Match) {
	margin := float32(-20)
	reader.Text(value, where, lexicon.Set{}, func(p *carrier.Piece) {
		for i := range p.Passages {
			margin = max(margin, e.definition.Margin(&p.Passages[i]))
		}
	})
	p := e.definition.Probability(margin + foreignBonus)
	ref := refs[0]
	score := 0.3 + 0.65*p
	if ref.How == "tool" {
		score += 0.15
	}
	if len(refs) == 1 && pointsOn(value, ref.Against.Name) && p < mostPointing {
		score = min(score, 0.45)
	}
	e.add(r, rule("shadow.reference"), min(score, 0.98), where, "names "+strings.TrimSpace(ref.Against.Name+" of "+ref.Against.Server))
}

// foreignBonus is what naming a foreign tool adds to the margin of a text.
const foreignBonus = 1.5

// mostPointing is the probability of an attack up to which a text may point on.
const mostPointing = 0.5

// ownNames are names that the definition may use: its own, its parameters',
// its server's approved tools.
func ownNames(server, name string, raw []byte, reg *Registry) func(string) bool {
	own := map[string]bool{strings.ToLower(name): true, strings.ToLower(server): true}
	carrier.Walk(raw, func(path []string, value []byte, key bool) {
		if key {
			own[strings.ToLower(string(value))] = true
		}
	})
	tools := reg.names[server]
	return func(name string) bool { return own[name] || tools[name] }
}
