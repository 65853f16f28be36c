// Package catalog answers one question: what exists behind this endpoint, and
// what does a name mean?
//
// A [Catalog] is compiled from what the upstreams listed; a [View] is what one
// set of roles sees of it through one endpoint: merged lists as ready bytes,
// and the table from an asked name to the one [durward.Operation] it means.
// Both never change. The package promises stable names, deterministic order,
// definitions that pass byte for byte, and that an upstream in trouble hides
// nothing of the others. It does not decide who may see what: it asks.
package catalog

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// Source is what one upstream offers at the moment.
type Source struct {
	Upstream string
	// Bare lists names without prefix where the upstream is alone (prefix: none).
	Bare         bool
	Modern       bool // the items are in the shape of 2026-07-28
	Capabilities []byte
	Instructions string
	Tools        [][]byte
	Resources    [][]byte
	Templates    [][]byte
	Prompts      [][]byte
	TTL          time.Duration
	// Standings are those of its definitions that have one.
	Standings map[durward.PinKey]*durward.Standing
	// Trouble says why the upstream cannot be reached, as a safe sentence; ""
	// when it is well. Its last known items may still be there.
	Trouble string
}

// Catalog is everything that the upstreams offer.
type Catalog struct {
	sections []*section // by alias
	elders   []*section // the same, by who was declared first
	byAlias  map[string]*section
	problems []Problem
	seal     *[32]byte // of cursors
}

// Problem is an item that an upstream listed and that cannot be offered.
type Problem struct{ Upstream, Item, Why string }

type section struct {
	Source
	tools, prompts, resources []*durward.Operation
	templates                 []template
	apps                      map[string]string      // pages under ui://, as they are called here and by the upstream
	moved                     map[string]string      // of them those that are called otherwise here: the upstream's name to ours
	had                       [kinds]map[digest]bool // names of before, while it cannot be read
	tasks                     bool                   // calls of its tools may become tasks, in the way of its era
}

type template struct {
	op    *durward.Operation
	match matcher
}

const maxItemName = 1024 // a longer name or URI is not offered

// Compile builds the catalogue of sources that were never seen before.
func Compile(sources []Source) *Catalog { return NewNames().Compile(sources) }

// Compile builds the catalogue. Items that cannot be offered are left out and
// reported by [Catalog.Problems]; nothing fails as a whole.
func (n *Names) Compile(sources []Source) *Catalog {
	c := &Catalog{byAlias: make(map[string]*section, len(sources)), seal: &n.seal}
	ordered := slices.SortedFunc(slices.Values(sources), func(a, b Source) int { return cmp.Compare(a.Upstream, b.Upstream) })
	for _, src := range ordered {
		s := &section{Source: src}
		s.tasks = servesTasks(&src)
		s.tools = c.operations(s, durward.KindTool, src.Tools, "name")
		s.prompts = c.operations(s, durward.KindPrompt, src.Prompts, "name")
		s.resources = c.operations(s, durward.KindResource, src.Resources, "uri")
		for _, op := range c.operations(s, durward.KindTemplate, src.Templates, "uriTemplate") {
			s.templates = append(s.templates, template{op: op, match: compileTemplate(op.Name)})
		}
		if w := src.Standings[durward.PinKey{Upstream: src.Upstream, Kind: durward.PinInstructions}]; w != nil && w.Withheld {
			s.Instructions = ""
		}
		n.name(src.Upstream, durward.KindTool, s.tools)
		n.name(src.Upstream, durward.KindPrompt, s.prompts)
		n.note(src.Upstream, s.resources)
		if src.Trouble != "" && len(s.tools)+len(s.prompts)+len(s.resources) == 0 {
			for _, kind := range []durward.Kind{durward.KindTool, durward.KindPrompt, durward.KindResource} {
				s.had[kind] = n.had(src.Upstream, kind)
			}
		}
		c.sections = append(c.sections, s)
		c.byAlias[src.Upstream] = s
	}
	c.elders = n.bySeniority(c.sections)
	settleApps(c.elders)
	c.tellShadowed()
	return c
}

// Problems lists what could not be offered.
func (c *Catalog) Problems() []Problem { return c.problems }

// Modern tells whether an upstream is known to speak 2026-07-28.
func (c *Catalog) Modern(upstream string) bool {
	s := c.byAlias[upstream]
	return s != nil && s.Source.Modern
}

func (c *Catalog) operations(s *section, kind durward.Kind, items [][]byte, key string) []*durward.Operation {
	out := make([]*durward.Operation, 0, len(items))
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		op, why := operation(s.Upstream, kind, item, key)
		if why == "" && seen[op.Name] {
			why = "listed twice; the first stands"
		}
		if why != "" {
			c.problems = append(c.problems, Problem{Upstream: s.Upstream, Item: itemName(item, key), Why: why})
			continue
		}
		if s.tasks && !s.Modern && kind == durward.KindTool {
			op.TaskSupport = mcpwire.TaskSupport(item)
		}
		seen[op.Name] = true
		if len(s.Standings) > 0 {
			op.Standing = s.Standings[durward.PinKey{Upstream: s.Upstream, Kind: kind.String(), Name: op.Name}]
		}
		out = append(out, op)
	}
	return out
}

func hintOf(annotations []byte, key string) durward.Hint {
	switch v, _ := mcpwire.Field(annotations, key); string(v) {
	case "true":
		return durward.Yes
	case "false":
		return durward.No
	}
	return durward.Unsaid
}

func operation(alias string, kind durward.Kind, item []byte, key string) (op *durward.Operation, why string) {
	name := itemName(item, key)
	switch {
	case name == "":
		return nil, "has no " + key
	case len(name) > maxItemName:
		return nil, key + " is too long"
	}
	op = &durward.Operation{
		Kind: kind, Upstream: alias, Name: name, Public: name, PolicyName: policyName(alias, name),
		Definition: item, ReadOnly: kind != durward.KindTool,
	}
	if kind != durward.KindTool {
		return op, ""
	}
	op.InputSchema, _ = mcpwire.Field(item, "inputSchema")
	if notes, ok := mcpwire.Field(item, "annotations"); ok {
		hint, _ := mcpwire.Field(notes, "readOnlyHint")
		op.ReadOnly = string(hint) == "true"
		op.Destructive, op.Idempotent, op.OpenWorld = hintOf(notes, "destructiveHint"), hintOf(notes, "idempotentHint"), hintOf(notes, "openWorldHint")
	}
	headers, err := mcpwire.ParamHeaders(op.InputSchema)
	if err != nil { // MCP 2026-07-28: such a tool must not be offered over HTTP
		return nil, "has an invalid x-mcp-header: " + err.Error()
	}
	op.ParamHeaders = headers
	return op, ""
}

func itemName(item []byte, key string) string {
	v, _ := mcpwire.Field(item, key)
	s, _ := mcpwire.Text(v)
	return s
}

// tellShadowed reports resources that another upstream answers for, one of each two.
func (c *Catalog) tellShadowed() {
	owner := make(map[string]string)
	for _, s := range c.elders {
		told := make(map[string]bool)
		for _, op := range s.resources {
			switch first, taken := owner[op.Public]; {
			case !taken:
				owner[op.Public] = s.Upstream
			case !told[first]:
				told[first] = true
				c.problems = append(c.problems, Problem{Upstream: s.Upstream, Item: op.Public,
					Why: "upstream " + first + " has the same URI, perhaps not the only one, and was declared first; who may read both gets that one's (at /mcp/" + s.Upstream + " this one's)"})
			}
		}
	}
}

// scope is the sections that an endpoint reaches, by alias and by who was
// declared first; nil when there is no such endpoint.
func (c *Catalog) scope(endpoint string) (byAlias, elders []*section) {
	if endpoint == "" {
		return c.sections, c.elders
	}
	if s := c.byAlias[endpoint]; s != nil {
		return []*section{s}, []*section{s}
	}
	return nil, nil
}

// declares tells whether the upstream declared a capability.
func (s *section) declares(capability string) bool {
	if s.Capabilities == nil {
		return false
	}
	_, ok := mcpwire.Field(s.Capabilities, capability)
	return ok
}

// owns tells whether one of the templates matches the URI.
func (s *section) owns(uri string) *durward.Operation {
	for _, t := range s.templates {
		if t.match.matches(uri) {
			return t.op
		}
	}
	return nil
}

// Covering is the standing of the template of an upstream that covers a URI
// which is not listed itself; nil when that is in use, or none covers it.
func (c *Catalog) Covering(op *durward.Operation) *durward.Standing {
	s := c.byAlias[op.Upstream]
	if s == nil || op.Kind != durward.KindResource || op.Definition != nil {
		return nil
	}
	if t := s.owns(op.Name); t != nil {
		return t.Standing
	}
	return nil
}

// resourceAt is the operation of reading a URI that a template covers or that
// was never listed.
func resourceAt(s *section, uri string) *durward.Operation {
	return &durward.Operation{
		Kind: durward.KindResource, Upstream: s.Upstream, Name: uri, Public: uri,
		PolicyName: policyName(s.Upstream, uri), ReadOnly: true,
	}
}

// headings joins the instructions of several upstreams, each under its alias.
func headings(sections []*section) string {
	const most = 32 << 10
	if len(sections) == 1 {
		return sections[0].Instructions
	}
	var b strings.Builder
	for _, s := range sections {
		if s.Instructions == "" || b.Len()+len(s.Instructions) > most {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString("## " + s.Upstream + "\n" + s.Instructions)
	}
	return b.String()
}
