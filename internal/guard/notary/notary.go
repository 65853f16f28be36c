// Package notary holds what upstreams define to what was approved of it.
//
// It promises that a definition that is not the approved one, or that nobody
// has approved where somebody has to, is never taken for one that is in use;
// that such a one is withheld alone and the rest of its server is not; and
// that what was judged once is not judged again until it changes. It stores
// nothing and serves nothing: it says what is trusted now and why something is
// withheld, and the pipeline acts on it.
package notary

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"

	"durward"
	"durward/internal/guard"
	"durward/internal/guard/pin"
	"durward/internal/mcpwire"
)

// Policy is what holds for definitions.
type Policy struct {
	durward.Guarding
	Guard *durward.Guard // what findings may do
	// Word is what an external classifier says of a definition with a digest;
	// nil when there is none.
	Word func(digest string) Word
}

// Offer is what one upstream lists.
type Offer struct {
	Upstream     string
	FirstSight   string // of this upstream; "" as everywhere
	Server       []byte // see [Server]
	Instructions string
	Tools        [][]byte
	Prompts      [][]byte
	Resources    [][]byte
	Templates    [][]byte
	// Varies are definitions that the upstream shows otherwise to somebody than
	// in the session that its lists were read in.
	Varies []Varied
}

// Varied is a definition that an upstream shows otherwise to somebody.
type Varied struct {
	Kind, Name string
	Who        string // saw the other one
	Other      []byte
}

// Opinion is what is thought of one definition.
type Opinion struct {
	Seen     durward.Pin  // as it is listed; without a digest when it cannot have one
	Raw      []byte       // as received
	Approved *durward.Pin // what it was, or should be; nil for nothing
	Standing *durward.Standing
	Variants []Variant
	// Notes are findings that bear on nothing: a classifier that sees no attack.
	Notes []durward.Finding
}

// FirstSight stands for who approved what policy took at first sight.
const FirstSight = "first sight"

// Judgement is what is thought of all that an upstream lists.
type Judgement struct {
	Opinions []*Opinion
	// Trusted are new pins: definitions that policy approves at first sight.
	Trusted []durward.Pin
	// Doubts are definitions that the external classifier is to be asked about.
	Doubts []Doubt
	// Standings are those of the opinions that have one.
	Standings map[durward.PinKey]*durward.Standing
}

// Notary judges, and remembers what it has read. It is safe for concurrent use.
type Notary struct {
	engine *guard.Engine
	mu     sync.Mutex
	known  map[string]map[[sha256.Size]byte]*reading // by upstream: of what it listed last; guarded by mu
	joint  map[string]window                         // by upstream; guarded by mu
	others others                                    // guarded by mu
	claims map[string][]guard.Approved               // by upstream: withheld for their names; guarded by mu
	stirs  uint64                                    // how often claims changed; guarded by mu
}

// New returns a notary that scans with an engine.
func New(e *guard.Engine) *Notary {
	return &Notary{engine: e, claims: map[string][]guard.Approved{}, others: others{epoch: 1}, known: map[string]map[[sha256.Size]byte]*reading{}, joint: map[string]window{}}
}

// reading is what is known of some bytes.
type reading struct {
	pin     durward.Pin
	err     error
	report  *guard.Report // nil before it was needed
	shadow  []durward.Finding
	among   string // what the tool came with when shadow was found
	epoch   int    // of the tools that shadow was found with, and how many they were
	against int
	drift   *guard.Report
	from    string // digest of what drift was compared with
}

// Judge judges what an upstream lists by the pins and the policy.
func (n *Notary) Judge(o *Offer, b *Book, g *Policy) *Judgement {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &session{
		notary: n, offer: o, book: b, policy: g, first: o.FirstSight, before: n.known[o.Upstream],
		now: make(map[[sha256.Size]byte]*reading), out: &Judgement{Standings: map[durward.PinKey]*durward.Standing{}},
	}
	if c.first == "" {
		c.first = g.FirstSight
	}
	if c.first == "" {
		c.first = durward.ScanThenTrust
	}
	c.server()
	if o.Instructions != "" {
		c.item(durward.PinInstructions, "", pin.Instructions(o.Instructions))
	}
	for _, l := range [...]struct {
		kind, key string
		items     [][]byte
	}{
		{durward.PinTool, "name", o.Tools}, {durward.PinPrompt, "name", o.Prompts},
		{durward.PinResource, "uri", o.Resources}, {durward.PinTemplate, "uriTemplate", o.Templates},
	} {
		c.list(l.kind, l.key, l.items)
	}
	c.together()
	c.varied()
	c.classify()
	n.known[o.Upstream] = c.now
	c.finish()
	c.claim()
	return c.out
}

// Forget lets go of what was read of upstreams that are not there any more.
func (n *Notary) Forget(alive func(upstream string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for up := range n.known {
		if !alive(up) {
			delete(n.known, up)
			delete(n.joint, up)
			n.claimed(up, nil)
		}
	}
}

// session is one judging.
type session struct {
	notary *Notary
	offer  *Offer
	book   *Book
	policy *Policy
	first  string
	before map[[sha256.Size]byte]*reading
	now    map[[sha256.Size]byte]*reading
	out    *Judgement
	lapsed bool // it is another server than the one that was approved
	fresh  []*Opinion
	names  map[string]bool // of the tools on offer, in lower case
	with   string          // digest of names
	claims []guard.Approved
}

func (c *session) list(kind, key string, items [][]byte) {
	seen := make(map[string]bool, len(items))
	for _, raw := range items {
		v, _ := mcpwire.Field(raw, key)
		name, _ := mcpwire.Text(v)
		if name == "" || seen[name] { // not offered, see catalog
			continue
		}
		seen[name] = true
		c.item(kind, name, raw)
	}
}

// read computes the pin of some bytes, or finds it again.
func (c *session) read(kind, name string, raw []byte) *reading {
	h := sha256.New()
	h.Write([]byte(kind + "\x00"))
	h.Write(raw)
	key := [sha256.Size]byte(h.Sum(nil))
	r := c.before[key]
	if r == nil {
		r = &reading{}
		r.pin, r.err = pin.Make(c.offer.Upstream, kind, name, raw)
	}
	c.now[key] = r
	return r
}

func (c *session) add(o *Opinion) { c.out.Opinions = append(c.out.Opinions, o) }

// item judges one definition.
func (c *session) item(kind, name string, raw []byte) {
	r := c.read(kind, name, raw)
	o := &Opinion{Seen: r.pin, Raw: raw}
	o.Seen.Upstream, o.Seen.Kind, o.Seen.Name = c.offer.Upstream, kind, name
	o.Approved = c.book.Of(o.Seen.Key())
	c.add(o)
	approved := o.Approved != nil && o.Approved.Digest != ""
	switch {
	case r.err != nil:
		o.Standing = c.stop(o, durward.ReasonDefinitionUnapproved, unpinnable(r.err))
	case c.lapsed && c.holdsServers():
		o.Standing = c.stop(o, durward.ReasonServerChanged, finding("pin.server", "high", 0.9, "the upstream is another server than the one that was approved"))
	case kind == durward.PinResource && c.policy.Resources != "pin" && !approved:
		c.scanned(o, r)
	case approved && o.Approved.Approves(r.pin.Digest):
		if kind == durward.PinTool && o.Approved.By == FirstSight && c.first == durward.ScanThenTrust {
			c.overtaken(o, r)
		}
	case approved:
		c.drifted(o, r)
	case c.book.Locked(c.offer.Upstream):
		c.unapproved(o, r, "the lock file does not have it")
	case c.first == durward.Quarantine:
		c.unapproved(o, r, "nobody has approved it")
	case c.first == durward.TrustFirst:
		c.trust(o)
	default:
		if c.scanned(o, r); o.Standing != nil {
			c.contested(o)
		} else {
			c.trust(o)
			if kind == durward.PinTool {
				c.fresh = append(c.fresh, o)
			}
		}
	}
}

// pinsMost bounds the pins of one upstream, whatever names it thinks of.
const pinsMost = 10_000

func (c *session) trust(o *Opinion) {
	if c.book.count[c.offer.Upstream]+len(c.out.Trusted) >= pinsMost && o.Seen.Kind != durward.PinServer {
		o.Standing = c.stop(o, durward.ReasonDefinitionUnapproved, finding("pin.bound", "medium", 0.5, "the upstream has more definitions than are taken at first sight"))
		return
	}
	c.out.Trusted = append(c.out.Trusted, o.Seen)
}

// stop is a standing that withholds, or flags where the policy only looks on.
func (c *session) stop(o *Opinion, why durward.Reason, found ...durward.Finding) *durward.Standing {
	s := &durward.Standing{Reason: why, Findings: found}
	for _, f := range found {
		if c.stops(f, &o.Seen) {
			s.Withheld = true
		}
	}
	return s
}

// scanned withholds what the guard finds an attack in.
func (c *session) scanned(o *Opinion, r *reading) {
	found, partial := c.attacks(o, r)
	switch {
	case len(found) > 0:
		o.Standing = c.stop(o, durward.ReasonDefinitionPoisoned, found...)
	case partial:
		o.Standing = c.stop(o, durward.ReasonDefinitionUnapproved, finding("guard.partial", "medium", 0.5, "not_fully_inspected"))
	}
}

// unapproved withholds what nobody has approved, and says what a scan finds.
func (c *session) unapproved(o *Opinion, r *reading, why string) {
	found, _ := c.attacks(o, r)
	reason := durward.ReasonDefinitionUnapproved
	if len(found) > 0 {
		reason = durward.ReasonDefinitionPoisoned
	}
	o.Standing = c.stop(o, reason, append(found, finding("pin.unapproved", "low", 0.1, why))...)
}

// attacks are the findings for which a definition is not to be used unseen.
func (c *session) attacks(o *Opinion, r *reading) (found []durward.Finding, partial bool) {
	e := c.notary.engine
	if r.report == nil {
		r.report = inspect(e, o)
	}
	all := r.report.Findings
	if o.Seen.Kind == durward.PinTool {
		all = append(all[:len(all):len(all)], c.shadowing(o, r, false)...)
	}
	for _, f := range all {
		if e.Stops(f) && !collision(f) {
			found = append(found, f)
		}
	}
	return found, r.report.Partial
}

// inspect scans a definition. A name that is an identifier of a few words gives
// no orders, whatever the words: then the rest is judged without it.
func inspect(e *guard.Engine, o *Opinion) *guard.Report {
	r := e.Definition(o.Raw)
	named := func(f durward.Finding) bool { return f.Rule == "definition.instruction" && f.Where == "/name" }
	if !slices.ContainsFunc(r.Findings, named) || !identifier(o.Seen.Name) {
		return r
	}
	rest := e.Definition(mcpwire.SetField(o.Raw, "name", []byte(`"tool"`)))
	rest.Findings = append(rest.Findings, slices.DeleteFunc(r.Findings, func(f durward.Finding) bool {
		return f.Rule == "definition.instruction" || slices.Contains(rest.Findings, f)
	})...)
	rest.Partial = rest.Partial || r.Partial
	return rest
}

// identifier reports a name of at most five words in the characters that MCP
// has for names.
func identifier(name string) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' })
	return len(words) <= 5 && len(name) <= 48 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

// collision reports the same name over the same description: two instances of
// one server, or two versions. Prefixes keep them apart.
func collision(f durward.Finding) bool {
	return f.Rule == "shadow.copy" && strings.HasPrefix(f.Evidence, "exact:")
}

// drifted judges a definition that is not the approved one.
func (c *session) drifted(o *Opinion, r *reading) {
	if r.drift == nil || r.from != o.Approved.Digest {
		r.from, r.drift = o.Approved.Digest, c.compare(o)
	}
	reason := durward.ReasonDefinitionChanged
	for _, f := range r.drift.Findings {
		if f.Rule != "redefinition.changed" && f.Rule != "redefinition.risky" && c.notary.engine.Stops(f) {
			reason = durward.ReasonDefinitionPoisoned
		}
	}
	o.Standing = c.stop(o, reason, r.drift.Findings...)
}

func (c *session) compare(o *Opinion) *guard.Report {
	if o.Approved.Definition != nil {
		if r, err := c.notary.engine.Redefinition(o.Approved.Definition, o.Seen.Definition); err == nil && len(r.Findings) > 0 {
			return r
		}
	}
	r := c.notary.engine.Definition(o.Raw) // what it was is not known: all of it is new
	r.Findings = append(r.Findings, finding("redefinition.changed", "medium", 0.1, "changed in "+strings.Join(changed(o.Approved.Groups, o.Seen.Groups), ", ")))
	return r
}

// server judges what the upstream is. That it is new, or calls itself
// otherwise, is taken over; that it is another one is for policy.
func (c *session) server() {
	if c.offer.Server == nil {
		return
	}
	r := c.read(durward.PinServer, "", c.offer.Server)
	o := &Opinion{Seen: r.pin, Raw: c.offer.Server, Approved: c.book.Of(durward.PinKey{Upstream: c.offer.Upstream, Kind: durward.PinServer})}
	c.add(o)
	locked := c.book.Locked(c.offer.Upstream)
	switch {
	case r.err != nil:
		return
	case o.Approved == nil || o.Approved.Digest == "":
		if !locked {
			c.trust(o)
		}
		return
	case o.Approved.Digest == r.pin.Digest:
		return
	}
	groups := strings.Join(changed(o.Approved.Groups, r.pin.Groups), ", ")
	c.lapsed = otherServer(o.Approved, &r.pin, c.policy.Identity == "strict")
	o.Standing = &durward.Standing{Reason: durward.ReasonServerChanged, Findings: []durward.Finding{finding("pin.server", "medium", 0.5, "changed in "+groups)}}
	if c.lapsed && c.holdsServers() {
		o.Standing.Withheld = c.stops(o.Standing.Findings[0], &o.Seen)
		return
	}
	if !locked {
		c.trust(o)
	}
}

// holdsServers reports whether an upstream that is another server waits for a person.
func (c *session) holdsServers() bool {
	return c.policy.Identity == "withhold" || c.policy.Identity == "strict" || c.first == durward.Quarantine
}

func unpinnable(err error) durward.Finding {
	return finding("pin.form", "medium", 0.5, "it cannot be pinned: "+err.Error())
}

func finding(rule, severity string, score float64, what string) durward.Finding {
	return durward.Finding{Rule: rule, Vector: guard.VectorRugPull, Severity: severity, Score: score, Evidence: what}
}

// finish collects the standings. What has one is not trusted, but for the
// server, whose standing is news.
func (c *session) finish() {
	for _, o := range c.out.Opinions {
		if o.Standing != nil {
			c.out.Standings[o.Seen.Key()] = o.Standing
		}
	}
	c.out.Trusted = slices.DeleteFunc(c.out.Trusted, func(p durward.Pin) bool {
		return p.Kind != durward.PinServer && c.out.Standings[p.Key()] != nil
	})
}
