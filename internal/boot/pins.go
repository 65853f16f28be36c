package boot

import (
	"context"
	"errors"
	"slices"

	"durward"
	"durward/internal/config"
	"durward/internal/guard"
	"durward/internal/guard/notary"
	"durward/internal/guard/pin"
	"durward/internal/store"
)

// keepPins stores what the guard trusted at first sight.
func (g *Gateway) keepPins(ctx context.Context, pins []durward.Pin) error {
	return g.control.Trust(ctx, durward.Actor{Name: "guard", Operator: true}, pins)
}

func readLock(raw []byte) ([]durward.Pin, error) {
	all, err := pin.ParseLock(raw)
	return pin.Approved(all), err
}

// Lock is what a lock file holds, or would hold.
type Lock struct{ all []pin.Locked }

// ReadLock reads the content of a lock file.
func ReadLock(raw []byte) (*Lock, error) {
	all, err := pin.ParseLock(raw)
	return &Lock{all}, err
}

// Text is the lock file.
func (l *Lock) Text() ([]byte, error) { return pin.AppendLock(nil, l.all) }

// Withheld are the definitions that it holds and does not approve.
func (l *Lock) Withheld() []durward.PinKey {
	var out []durward.PinKey
	for i := range l.all {
		if l.all[i].Withheld {
			out = append(out, l.all[i].Key())
		}
	}
	return out
}

// Len counts upstreams and definitions.
func (l *Lock) Len() (upstreams, definitions int) {
	names := map[string]bool{}
	for i := range l.all {
		names[l.all[i].Upstream] = true
		if l.all[i].Kind != durward.PinServer {
			definitions++
		}
	}
	return len(names), definitions
}

// Offered is what upstreams list now, as a lock: what a scan finds an attack
// in is withheld, unless old approves the very same, or trust everything.
type Offered struct {
	Lock
	Findings map[durward.PinKey][]durward.Finding // of what is withheld
	Failed   map[string]error                     // upstreams that could not be read
}

// Offer starts or reaches upstreams, as long as ctx lasts, and reads what they
// list. They are ended before it returns.
func Offer(ctx context.Context, version string, ups []durward.Upstream, g durward.Guarding, old *Lock, trust bool) (*Offered, error) {
	ups = slices.DeleteFunc(slices.Clone(ups), func(u durward.Upstream) bool { return u.Disabled })
	all, failed := listings(ctx, version, ups)
	offers := make([]offering, len(ups))
	for i, l := range all {
		if offers[i] = (offering{name: ups[i].Name, err: failed[i]}); failed[i] == nil {
			offers[i].offer = notary.Offer{
				Upstream: ups[i].Name, Server: notary.Server(&ups[i], l.ServerInfo, l.Key), Instructions: l.Instructions,
				Tools: l.Tools, Prompts: l.Prompts, Resources: l.Resources, Templates: l.Templates,
			}
		}
	}
	return offered(offers, g, old, trust)
}

// Told is what a running gateway tells of an upstream, or why it cannot.
type Told struct {
	Upstream    string
	Definitions []durward.Definition // with their texts
	Err         error
}

// OfferTold is Offer of what a running gateway has read.
func OfferTold(all []Told, g durward.Guarding, old *Lock, trust bool) (*Offered, error) {
	offers := make([]offering, len(all))
	for i, t := range all {
		offers[i] = offering{name: t.Upstream, err: t.Err, offer: notary.Offer{Upstream: t.Upstream}}
		for _, d := range t.Definitions {
			offers[i].add(d.Kind, d.Now)
		}
	}
	return offered(offers, g, old, trust)
}

// Stored are the upstreams that were added by command to the state of a
// configuration that no gateway uses at the moment.
func Stored(ctx context.Context, cfg *config.Config) (ups []durward.Upstream, err error) {
	db, err := store.Open(cfg.Data, store.Options{Seal: sealKey(cfg)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := db.State(ctx)
	if err != nil {
		return nil, err
	}
	return s.Upstreams, nil
}

// offering is what one upstream lists, or why that is not known.
type offering struct {
	name  string
	offer notary.Offer
	err   error
}

// add adds a definition; one that is not listed, or cannot be pinned, has no text.
func (o *offering) add(kind string, text []byte) {
	if len(text) == 0 {
		return
	}
	switch n := &o.offer; kind {
	case durward.PinServer:
		n.Server = text
	case durward.PinInstructions:
		n.Instructions = pin.Text(text)
	case durward.PinTool:
		n.Tools = append(n.Tools, text)
	case durward.PinPrompt:
		n.Prompts = append(n.Prompts, text)
	case durward.PinResource:
		n.Resources = append(n.Resources, text)
	case durward.PinTemplate:
		n.Templates = append(n.Templates, text)
	}
}

// offered judges what upstreams list.
func offered(all []offering, g durward.Guarding, old *Lock, trust bool) (*Offered, error) {
	engine, err := guard.New(guard.Options{})
	if err != nil {
		return nil, err
	}
	out := &Offered{Findings: map[durward.PinKey][]durward.Finding{}, Failed: map[string]error{}}
	var approved []durward.Pin
	if old != nil {
		approved = pin.Approved(old.all)
		for i := range approved { // of the store, so that what is new is scanned
			approved[i].Origin = durward.FromStore
		}
	}
	n, book := notary.New(engine), notary.NewBook(approved)
	g.FirstSight = durward.ScanThenTrust
	trusted := map[durward.PinKey]durward.Pin{}
	for pass := range 2 { // again, since one upstream bears on those that were judged before it
		for i := range all {
			if all[i].err != nil {
				out.Failed[all[i].name] = all[i].err
				continue
			}
			j := n.Judge(&all[i].offer, book.With(trusted), &notary.Policy{Guarding: g})
			for _, t := range j.Trusted {
				t.By = notary.FirstSight
				trusted[t.Key()] = t
			}
			if pass == 1 {
				out.take(j, g, trust)
			}
		}
	}
	slices.SortFunc(out.all, func(a, b pin.Locked) int { return pin.Order(&a.Pin, &b.Pin) })
	return out, nil
}

func (o *Offered) take(j *notary.Judgement, g durward.Guarding, trust bool) {
	for _, p := range j.Opinions {
		if p.Seen.Digest == "" || (p.Seen.Kind == durward.PinResource && g.Resources != "pin") {
			continue
		}
		l := pin.Locked{Pin: p.Seen}
		if w := p.Standing; w != nil && w.Reason == durward.ReasonDefinitionPoisoned && !trust {
			l.Withheld = true
			o.Findings[l.Key()] = w.Findings
		}
		o.all = append(o.all, l)
	}
}

// Drift is the difference between a lock and what upstreams offer.
func (o *Offered) Drift(l *Lock) []durward.Definition {
	var out []durward.Definition
	had := make(map[durward.PinKey]*pin.Locked, len(l.all))
	for i := range l.all {
		had[l.all[i].Key()] = &l.all[i]
	}
	for i := range o.all {
		now := &o.all[i]
		was := had[now.Key()]
		delete(had, now.Key())
		if was != nil && was.Digest == now.Digest {
			continue
		}
		d := durward.Definition{Upstream: now.Upstream, Kind: now.Kind, Name: now.Name, Digest: now.Digest, State: durward.DefinitionWithheld,
			Reason: durward.ReasonDefinitionUnapproved, Findings: o.Findings[now.Key()]}
		if was != nil {
			d.Reason, d.Approved = durward.ReasonDefinitionChanged, was.Digest
			if c, err := pin.Compare(was.Definition, now.Definition); err == nil {
				d.Class, d.Changes = c.Class.String(), changes(c)
			}
		}
		out = append(out, d)
	}
	for _, was := range had {
		if o.Failed[was.Upstream] == nil {
			out = append(out, durward.Definition{Upstream: was.Upstream, Kind: was.Kind, Name: was.Name, Approved: was.Digest, State: durward.DefinitionGone})
		}
	}
	slices.SortFunc(out, func(a, b durward.Definition) int {
		return pin.Order(&durward.Pin{Upstream: a.Upstream, Kind: a.Kind, Name: a.Name}, &durward.Pin{Upstream: b.Upstream, Kind: b.Kind, Name: b.Name})
	})
	return out
}

func changes(d pin.Drift) (out []durward.DefinitionChange) {
	for _, c := range d.Changes {
		out = append(out, durward.DefinitionChange{Path: c.Path, Class: c.Class.String(), Why: c.Why, Before: c.Before, After: c.After})
	}
	return out
}
