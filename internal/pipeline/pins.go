package pipeline

import (
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"durward"
	"durward/internal/audit"
	"durward/internal/guard"
	"durward/internal/guard/notary"
	"durward/internal/guard/pin"
	"durward/internal/upstream"
)

// pins is what the gateway knows of the definitions behind it: what was
// thought of each when the upstreams' lists changed last. Calls only read the
// standing that their operation has from here.
type pins struct {
	notary *notary.Notary
	reader Rereader      // nil when the upstreams never change
	news   chan struct{} // something is to be kept or recorded

	mu      sync.Mutex // guards this part
	judged  map[string]*notary.Judgement
	trusted map[durward.PinKey]durward.Pin // at first sight, by policy; not in the snapshot yet
	unsaved bool
	told    map[durward.PinKey]string // what the record has of a definition
	events  []*durward.Record
	words   words
}

func newPins(e *guard.Engine) *pins {
	return &pins{
		notary: notary.New(e), news: make(chan struct{}, 1), judged: map[string]*notary.Judgement{},
		trusted: map[durward.PinKey]durward.Pin{}, told: map[durward.PinKey]string{}, words: newWords(),
	}
}

// judge holds what an upstream lists to what was approved of it, and returns
// the standings of what is not simply in use, and whether anything is new. The caller holds g.mu.
func (g *Gateway) judge(p *Plan, up *durward.Upstream, l *upstream.Listing) (standings map[durward.PinKey]*durward.Standing, trusted bool) {
	if l.Fetched.IsZero() {
		return nil, false // there is nothing yet
	}
	s := g.pins
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled(p.book, up.Name)
	offer := &notary.Offer{
		Upstream: up.Name, FirstSight: up.FirstSight, Server: notary.Server(up, l.ServerInfo, l.Key), Instructions: l.Instructions,
		Tools: l.Tools, Prompts: l.Prompts, Resources: l.Resources, Templates: l.Templates,
	}
	for _, v := range l.Varies {
		other := v.Item
		if v.Kind == durward.PinInstructions {
			other = pin.Instructions(string(v.Item))
		}
		offer.Varies = append(offer.Varies, notary.Varied{Kind: v.Kind, Name: v.Name, Who: v.Who, Other: other})
	}
	j := s.notary.Judge(offer, p.book.With(s.trusted), &notary.Policy{
		Guarding: p.snapshot.Guarding, Guard: &p.snapshot.Guard, Word: s.words.of(&p.snapshot.Guard.Classifier),
	})
	s.words.doubt(j.Doubts, &p.snapshot.Guard.Classifier)
	s.judged[up.Name] = j
	for _, t := range j.Trusted {
		t.By, t.At, t.Origin = notary.FirstSight, g.Now().UTC(), durward.FromStore
		s.trusted[t.Key()] = t
		s.unsaved = true
	}
	g.tell(p, j)
	if s.unsaved || len(s.events) > 0 || len(s.words.asking) > 0 {
		s.wake()
	}
	return j.Standings, len(j.Trusted) > 0
}

func (s *pins) wake() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// settled drops what the snapshot has by now. What somebody approved there
// counts for more than a first sight.
func (s *pins) settled(b *notary.Book, upstream string) {
	for k, mine := range s.trusted {
		if k.Upstream != upstream {
			continue
		}
		if kept := b.Of(k); kept != nil && kept.Digest != "" && (k.Kind != durward.PinServer || kept.Digest == mine.Digest || kept.At.After(mine.At)) {
			delete(s.trusted, k)
		}
	}
}

// retain forgets upstreams that are gone.
func (s *pins) retain(ups map[string]*durward.Upstream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := func(k durward.PinKey) bool { return ups[k.Upstream] == nil }
	maps.DeleteFunc(s.judged, func(name string, _ *notary.Judgement) bool { return ups[name] == nil })
	maps.DeleteFunc(s.trusted, func(k durward.PinKey, _ durward.Pin) bool { return gone(k) })
	maps.DeleteFunc(s.told, func(k durward.PinKey, _ string) bool { return gone(k) })
	s.notary.Forget(func(name string) bool { return ups[name] != nil })
}

// eventsMost bounds the records that wait for one relisting; a list with more
// to tell is told of by its first.
const eventsMost = 200

// tell notes for the record what has become of definitions since the last
// time. Called with s.mu held.
func (g *Gateway) tell(p *Plan, j *notary.Judgement) {
	s := g.pins
	for _, o := range j.Opinions {
		k := o.Seen.Key()
		was, known := s.told[k]
		now := ""
		switch {
		case o.Standing == nil && len(o.Notes) > 0:
			now = "classified " + o.Seen.Digest
		case o.Standing != nil && s.words.awaits(o.Seen.Digest) && slices.ContainsFunc(o.Standing.Findings, func(f durward.Finding) bool { return f.Rule == "pin.classifier" }):
			continue // it is told when the classifier has answered
		case o.Standing != nil:
			now = string(o.Standing.Reason) + " " + o.Seen.Digest
			if o.Standing.Withheld {
				now += " withheld"
			}
		}
		for _, v := range o.Variants {
			now += " " + v.Seen.Digest
		}
		if now == was {
			continue
		}
		if s.told[k] = now; now == "" {
			delete(s.told, k)
		}
		if (known || now != "") && len(s.events) < eventsMost {
			s.events = append(s.events, g.event(p, o))
		}
	}
}

// event is the record of what has become of a definition.
func (g *Gateway) event(p *Plan, o *notary.Opinion) *durward.Record {
	r := &durward.Record{
		Time: g.Now().UTC(), ID: rand.Text(), Lane: durward.LaneMCP, Method: "guard/definition", Upstream: o.Seen.Upstream,
		Tool: o.Seen.Name, Asked: o.Seen.Kind + " " + o.Seen.Name, Verdict: durward.Allow.String(), Outcome: durward.OutcomeOK, Revision: p.Revision,
	}
	if o.Seen.Digest != "" {
		r.Rule = "sha256:" + o.Seen.Digest
	}
	w := o.Standing
	switch {
	case w == nil:
		r.Findings = o.Notes
		if o.Approved != nil && o.Approved.By != "" {
			r.Rule += " approved by " + o.Approved.By
		}
	case w.Withheld:
		r.Verdict, r.Outcome, r.Reason, r.Findings = durward.Deny.String(), durward.OutcomeRefused, w.Reason, w.Findings
	default:
		r.Verdict, r.Reason, r.Findings = durward.Flag.String(), w.Reason, w.Findings
	}
	return r
}

// keepPins stores what was trusted, and records what happened.
func (g *Gateway) keepPins(ctx context.Context) {
	s := g.pins
	s.mu.Lock()
	events, unsaved := s.events, s.unsaved
	s.events, s.unsaved = nil, false
	fresh := slices.Collect(maps.Values(s.trusted))
	s.mu.Unlock()
	for _, r := range events {
		if err := g.Records.Append(ctx, r, audit.Batched); err != nil {
			g.Log.Error("event could not be recorded", "upstream", r.Upstream, "definition", r.Asked, "err", err)
		}
		if r.Verdict != durward.Allow.String() {
			g.Log.Warn("definition of upstream is not as approved", "upstream", r.Upstream, "definition", r.Asked, "reason", string(r.Reason), "verdict", r.Verdict)
		}
	}
	if !unsaved || len(fresh) == 0 || g.Keep == nil {
		return
	}
	if err := g.Keep(ctx, fresh); err != nil && ctx.Err() == nil {
		g.Log.Error("pins could not be stored; they hold until the gateway ends", "err", err)
		s.mu.Lock()
		s.unsaved = true // with the next change
		s.mu.Unlock()
	}
}

// Rereader is what upstreams can do besides that say when they change.
type Rereader interface {
	// Stale reports whether an upstream has said that its lists changed and they
	// were not read since.
	Stale(name string) bool
	// Reread waits until they were.
	Reread(ctx context.Context, name string) error
}

// Prober is what upstreams can do besides that look at what others are shown.
type Prober interface{ Probe(every time.Duration) }

// rereadTime is how long a call waits for lists that are being read anew.
const rereadTime = 5 * time.Second

// pinned judges the definition that is in force. An upstream that has said that
// its definitions changed is read before it is called, so that a call meets
// what it was judged by.
func (g *Gateway) pinned(ctx context.Context, t *transit) error {
	name := t.call.Target.Upstream
	if g.pins.reader != nil && g.pins.reader.Stale(name) && !t.dry() {
		ctx, cancel := context.WithTimeout(ctx, rereadTime)
		defer cancel()
		if err := g.pins.reader.Reread(ctx, name); err != nil {
			return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonUpstreamUnavailable, Retry: rereadTime, Err: err,
				Message: "The upstream " + name + " says that what it offers has changed, and could not be read since; try again in a moment."}
		}
		g.CatchUp(name)
		t.plan = g.plan.Load()
		if err := g.identify(t); err != nil {
			return err
		}
		if err := g.resolve(t); err != nil {
			return err
		}
	}
	return t.pinned()
}

// CatchUp makes a plan of the newest reading of an upstream, unless there is one.
func (g *Gateway) CatchUp(name string) {
	g.mu.Lock()
	plan := g.plan.Load()
	listings := g.Upstreams.Listings()
	i := slices.IndexFunc(listings, func(l *upstream.Listing) bool { return l.Upstream == name })
	if i >= 0 && plan.read[name] != listings[i].Generation {
		g.put(g.offering(plan))
	}
	g.mu.Unlock()
	g.wake()
}

// pinned refuses a call of a definition that is not in use as it was approved.
// Who may not know of it hears that from permit.
func (t *transit) pinned() error {
	op := t.call.Target
	w := op.Standing
	if w == nil && op.Definition == nil {
		w = t.plan.catalog.Covering(op)
	}
	if t.dry() {
		t.tellStanding(w)
	}
	if w == nil || t.view.Decide(op).Denies() {
		return nil
	}
	t.findings = append(t.findings, w.Findings...)
	if !w.Withheld {
		t.standing = w
		return nil
	}
	t.reason = w.Reason
	return &durward.Error{Code: durward.Conflict, Reason: w.Reason, Message: withheldSentence(w.Reason, t.call.Asked)}
}

// tellStanding says in a rehearsal what is thought of the definition.
func (t *transit) tellStanding(w *durward.Standing) {
	switch {
	case w == nil && t.call.Target.Definition == nil:
		t.tell("nothing is listed that a pin could be of")
	case w == nil:
		t.tell("the definition is as it was approved")
	case w.Withheld:
		t.tell("the definition is withheld: %s; durward diff %s", w.Reason, t.call.Target.Upstream)
	default:
		t.tell("the definition is in use although %s: findings are only recorded", w.Reason)
	}
}

// withheldSentence says to the agent why something is withheld, and what to do.
func withheldSentence(why durward.Reason, asked string) string {
	const after = " It is withheld until an operator has approved it: do without it, or tell the user."
	switch why {
	case durward.ReasonDefinitionChanged:
		return asked + " is not what was approved: its definition has changed." + after
	case durward.ReasonDefinitionPoisoned:
		return asked + " has a definition that looks like an attack." + after
	case durward.ReasonServerChanged:
		return asked + " belongs to a server that is not the one that was approved." + after
	}
	return asked + " has a definition that nobody has approved yet." + after
}

// Definitions tells what an upstream defines and what is thought of it, in
// order of kind and name; false when nothing was read of it yet.
func (g *Gateway) Definitions(upstream string) ([]durward.Definition, bool) {
	plan := g.plan.Load()
	s := g.pins
	s.mu.Lock()
	j := s.judged[upstream]
	s.mu.Unlock()
	if j == nil {
		return nil, false
	}
	var out []durward.Definition
	listed := make(map[durward.PinKey]bool, len(j.Opinions))
	for _, o := range j.Opinions {
		listed[o.Seen.Key()] = true
		out = append(out, status(o))
	}
	plan.book.All(upstream, func(p *durward.Pin) {
		if !listed[p.Key()] && p.Kind != durward.PinServer {
			out = append(out, durward.Definition{Upstream: p.Upstream, Kind: p.Kind, Name: p.Name, State: durward.DefinitionGone,
				Approved: p.Digest, By: p.By, At: p.At, Origin: p.Origin})
		}
	})
	slices.SortFunc(out, func(a, b durward.Definition) int {
		return cmp.Or(cmp.Compare(kindOrder(a.Kind), kindOrder(b.Kind)), cmp.Compare(a.Name, b.Name))
	})
	return out, true
}

func kindOrder(kind string) int {
	return slices.Index([]string{durward.PinServer, durward.PinInstructions, durward.PinTool, durward.PinPrompt, durward.PinTemplate, durward.PinResource}, kind)
}

func status(o *notary.Opinion) durward.Definition {
	d := durward.Definition{
		Upstream: o.Seen.Upstream, Kind: o.Seen.Kind, Name: o.Seen.Name, State: durward.DefinitionApproved,
		Digest: o.Seen.Digest, Now: o.Seen.Definition, Groups: o.Seen.Groups,
	}
	if a := o.Approved; a != nil {
		d.Approved, d.By, d.At, d.Origin, d.Proposal = a.Digest, a.By, a.At, a.Origin, a.Proposal
		if a.Digest != "" && a.Digest != d.Digest && a.Definition != nil && d.Now != nil {
			d.Class, d.Changes = differences(a.Definition, d.Now)
			if d.Kind == durward.PinServer && o.Standing != nil && o.Standing.Withheld {
				d.Class = pin.Risky.String() // what is behind the name may be somebody else
			}
		}
	}
	for _, v := range o.Variants {
		d.Variants = append(d.Variants, variant(o, &v))
	}
	d.Findings = o.Notes
	if w := o.Standing; w != nil {
		d.State, d.Reason, d.Findings = durward.DefinitionFlagged, w.Reason, append(slices.Clip(w.Findings), o.Notes...)
		if w.Withheld {
			d.State = durward.DefinitionWithheld
		}
	}
	return d
}

// variant is a definition as somebody else is shown it, beside what was approved.
func variant(o *notary.Opinion, v *notary.Variant) durward.DefinitionVariant {
	out := durward.DefinitionVariant{Who: v.Who, Digest: v.Seen.Digest, Approved: v.Approved, Findings: v.Findings}
	before := o.Seen.Definition
	if a := o.Approved; a != nil && a.Digest != "" && a.Digest != v.Seen.Digest && a.Definition != nil {
		before = a.Definition
	}
	if before != nil && v.Seen.Definition != nil {
		out.Class, out.Changes = differences(before, v.Seen.Definition)
	}
	return out
}

func differences(before, after []byte) (class string, out []durward.DefinitionChange) {
	drift, err := pin.Compare(before, after)
	if err != nil || drift.Same {
		return "", nil
	}
	for _, c := range drift.Changes {
		out = append(out, durward.DefinitionChange{Path: c.Path, Class: c.Class.String(), Why: c.Why, Before: c.Before, After: c.After})
	}
	return drift.Class.String(), out
}
