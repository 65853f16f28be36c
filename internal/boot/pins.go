package boot

import (
	"context"
	"slices"

	"durward"
	"durward/internal/guard"
	"durward/internal/guard/notary"
	"durward/internal/guard/pin"
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
	ups = slices.DeleteFunc(slices.Clone(ups), func(u durward.Upstream) bool { return u.Disabled })
	all, failed := listings(ctx, version, ups)
	g.FirstSight = durward.ScanThenTrust
	trusted := map[durward.PinKey]durward.Pin{}
	for pass := range 2 { // again, since one upstream bears on those that were judged before it
		for i, l := range all {
			if failed[i] != nil {
				out.Failed[ups[i].Name] = failed[i]
				continue
			}
			j := n.Judge(&notary.Offer{
				Upstream: ups[i].Name, Server: notary.Server(&ups[i], l.ServerInfo, l.Key), Instructions: l.Instructions,
				Tools: l.Tools, Prompts: l.Prompts, Resources: l.Resources, Templates: l.Templates,
			}, book.With(trusted), &notary.Policy{Guarding: g})
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
