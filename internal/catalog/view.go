package catalog

import (
	"slices"
	"strings"

	"durward"
)

// Asker decides what a view shows. Its answers must not change.
type Asker interface {
	// Decide tells whether the viewer may use an operation.
	Decide(op *durward.Operation) durward.Verdict
	// Reaches tells whether the viewer may be allowed anything of an upstream.
	Reaches(upstream string) bool
}

// View is the catalogue as one set of roles sees it through one endpoint. It
// never changes, apart from pages that are encoded when first asked for, and
// is safe for concurrent use.
type View struct {
	ask      Asker
	sections []*section // those that the viewer reaches, by alias
	elders   []*section // the same, by who was declared first
	bare     bool       // names are listed without prefix
	seal     *[32]byte  // of cursors

	names   map[name]entry
	byURI   map[string]*durward.Operation // visible, of who was declared first
	visible [kinds][]item                 // by durward.Kind

	versions [kinds]version
	pages    pageCache
}

const kinds = int(durward.KindTemplate) + 1

type name struct {
	kind durward.Kind
	text string
}

type entry struct {
	op   *durward.Operation
	also []string // a bare name that means several: their public names
}

type item struct {
	op     *durward.Operation
	modern bool
	at     *section
}

// View builds what the asker may see through an endpoint ("" for all, else an
// upstream). It is nil when there is no such endpoint for the asker, which
// looks the same whether the upstream exists or not.
func (c *Catalog) View(endpoint string, ask Asker) *View {
	v := &View{ask: ask, seal: c.seal, names: make(map[name]entry), byURI: make(map[string]*durward.Operation)}
	scope, elders := c.scope(endpoint)
	reached := func(s *section) bool { return ask.Reaches(s.Upstream) }
	v.sections, v.elders = filter(scope, reached), filter(elders, reached)
	if endpoint != "" && len(v.sections) == 0 {
		return nil
	}
	v.bare = len(scope) == 1 && scope[0].Bare
	for _, s := range elders {
		v.addURIs(s)
	}
	for _, s := range scope { // hidden ones too: the record tells unknown from denied
		v.addNamed(durward.KindTool, s, s.tools)
		v.addNamed(durward.KindPrompt, s, s.prompts)
		v.addResources(s)
	}
	for _, s := range elders {
		v.addApps(s)
	}
	for _, s := range scope {
		v.addBare(durward.KindTool, s.tools)
		v.addBare(durward.KindPrompt, s.prompts)
	}
	return v
}

func (v *View) addNamed(kind durward.Kind, s *section, ops []*durward.Operation) {
	for _, op := range ops {
		v.names[name{kind, op.Public}] = entry{op: op}
		v.show(kind, s, op)
	}
}

func (v *View) show(kind durward.Kind, s *section, op *durward.Operation) {
	if !withheld(op) && !v.ask.Decide(op).Denies() {
		v.visible[kind] = append(v.visible[kind], item{op: op, modern: s.Modern, at: s})
	}
}

// addBare lets an upstream's own name be used where it means one operation
// only, among those that the viewer may use. Public names come first.
func (v *View) addBare(kind durward.Kind, ops []*durward.Operation) {
	for _, op := range ops {
		// A bare name that looks like a public one would stand in for another
		// upstream's tool while that one is away.
		if v.ask.Decide(op).Denies() || (!v.bare && strings.Contains(op.Name, separator)) {
			continue
		}
		key := name{kind, op.Name}
		e, taken := v.names[key]
		switch {
		case !taken:
			v.names[key] = entry{op: op}
		case e.op != nil && (e.op == op || e.op.Public == op.Name):
			// The same operation, or a public name, which wins.
		case e.op != nil:
			v.names[key] = entry{also: []string{e.op.Public, op.Public}}
		default:
			v.names[key] = entry{also: append(slices.Clone(e.also), op.Public)}
		}
	}
}

// addURIs gives an upstream the URIs that it listed, unless an elder has them:
// one that comes later must not answer in another's place, be the elder away or
// its resource withheld.
func (v *View) addURIs(s *section) {
	for _, op := range s.resources {
		if v.byURI[op.Public] == nil && !v.ask.Decide(op).Denies() && v.keptFor(op.Public, s) == nil {
			v.byURI[op.Public] = op
		}
	}
}

// keptFor finds an upstream that cannot be read at the moment, had a URI that
// the viewer may read, and is elder than s (nil for all).
func (v *View) keptFor(uri string, s *section) *section {
	for _, elder := range v.elders {
		if elder == s {
			return nil
		}
		if had := elder.had[durward.KindResource]; had != nil && had[digestOf(uri)] && !v.ask.Decide(resourceAt(elder, uri)).Denies() {
			return elder
		}
	}
	return nil
}

func (v *View) addResources(s *section) {
	for _, op := range s.resources {
		if v.byURI[op.Public] == op {
			v.show(durward.KindResource, s, op)
		}
	}
	for _, t := range s.templates {
		v.show(durward.KindTemplate, s, t.op)
	}
}

func withheld(op *durward.Operation) bool { return op.Standing != nil && op.Standing.Withheld }

func filter(sections []*section, keep func(*section) bool) (out []*section) {
	for _, s := range sections {
		if keep(s) {
			out = append(out, s)
		}
	}
	return out
}

// Named finds the tool or prompt that a name means: a public name, or a bare
// one that is unambiguous for the viewer. The operation may be one that the
// viewer must not use: decide next. Unknown names give NotFound.
func (v *View) Named(kind durward.Kind, asked string) (*durward.Operation, error) {
	e, ok := v.names[name{kind, asked}]
	if !ok {
		return nil, v.missing(kind, asked)
	}
	also := e.also
	if e.op != nil && e.op.Public != asked && !v.bare {
		if away := v.away(kind, asked); away != nil {
			also = []string{e.op.Public, durward.PublicName(away.Upstream, asked)}
		}
	}
	if also != nil {
		return nil, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonOperationAmbiguous,
			Message: "The name " + asked + " means several; use " + strings.Join(also, " or ") + "."}
	}
	return e.op, nil
}

// away finds an upstream that cannot be read at the moment and had something
// of this name, which the viewer may use: a bare name means nobody else
// because of that.
func (v *View) away(kind durward.Kind, own string) *section {
	for _, s := range v.sections {
		if had := s.had[kind]; had != nil && had[digestOf(own)] && !v.ask.Decide(unlisted(kind, s.Upstream, own)).Denies() {
			return s
		}
	}
	return nil
}

// unlisted is an operation of which the name alone is known.
func unlisted(kind durward.Kind, upstream, own string) *durward.Operation {
	return &durward.Operation{Kind: kind, Upstream: upstream, Name: own, Public: durward.PublicName(upstream, own), PolicyName: policyName(upstream, own)}
}

// missing tells what cannot be known while an upstream cannot be reached from
// what does not exist, for names that the viewer may use.
func (v *View) missing(kind durward.Kind, asked string) error {
	for _, s := range v.sections {
		own, ok := strings.CutPrefix(asked, s.Upstream+separator)
		if v.bare || s.had[kind] != nil && s.had[kind][digestOf(asked)] {
			own, ok = asked, true
		}
		if s.Trouble != "" && ok && !v.ask.Decide(unlisted(kind, s.Upstream, own)).Denies() {
			return unreached(s, asked)
		}
	}
	return Unknown(kind, asked)
}

func unreached(s *section, asked string) error {
	return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonUpstreamUnavailable, Retry: troubleTTL,
		Message: "The upstream " + s.Upstream + " cannot be asked at the moment whether it has " + asked + ": " + s.Trouble}
}

// Resource finds who serves a URI: who listed it, else whose template covers
// it, else the upstreams that have resources at all, those that were declared
// first before others. All are such that the viewer may use them. A URI that
// nobody listed and that can be read in two ways is served by nobody: rules
// match its text. Nobody stands in for an upstream that had it and is away.
func (v *View) Resource(uri string) ([]*durward.Operation, error) {
	if op := v.byURI[uri]; op != nil {
		return []*durward.Operation{op}, nil
	}
	if s := v.keptFor(uri, nil); s != nil {
		return nil, unreached(s, uri)
	}
	if !plain(uri) {
		return nil, Unknown(durward.KindResource, uri)
	}
	var covered, others []*durward.Operation
	for _, s := range v.elders {
		op := resourceAt(s, uri)
		if v.ask.Decide(op).Denies() {
			continue
		}
		if s.owns(uri) != nil {
			covered = append(covered, op)
		} else if s.declares("resources") {
			others = append(others, op)
		}
	}
	switch {
	case len(covered) > 0:
		return covered, nil
	case len(others) > 0:
		return others, nil
	}
	return nil, Unknown(durward.KindResource, uri)
}

// Template finds the upstream of a resource template, for completion: the one
// that was declared first.
func (v *View) Template(text string) *durward.Operation {
	for _, s := range v.elders {
		for _, t := range s.templates {
			if t.op.Name == text && !withheld(t.op) && !v.ask.Decide(t.op).Denies() {
				return t.op
			}
		}
	}
	return nil
}

// Decide tells whether the viewer may use the operation.
func (v *View) Decide(op *durward.Operation) durward.Verdict { return v.ask.Decide(op) }

// Upstreams lists the upstreams that the viewer reaches, by alias.
func (v *View) Upstreams() []string {
	out := make([]string, len(v.sections))
	for i, s := range v.sections {
		out[i] = s.Upstream
	}
	return out
}

// Unknown is the one answer to a name that does not exist and to one that the
// caller must not know of.
func Unknown(kind durward.Kind, asked string) *durward.Error {
	what := map[durward.Kind]string{durward.KindTool: "tool", durward.KindPrompt: "prompt"}[kind]
	if what == "" {
		what = "resource"
	}
	return &durward.Error{Code: durward.NotFound, Reason: durward.ReasonOperationUnknown, Message: "Unknown " + what + ": " + asked}
}
