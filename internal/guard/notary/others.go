package notary

import (
	"slices"

	"durward"
	"durward/internal/guard"
	"durward/internal/guard/pin"
)

// others are the approved tools, in the order in which they came, so that what
// was compared with the first of them is later compared with the rest only.
type others struct {
	book  *Book
	stirs uint64
	known map[durward.PinKey]string // digests
	list  []guard.Approved
	epoch int                     // grows when one is gone or another: all is to be compared anew
	from  map[int]*guard.Registry // of the list from an index on
}

// follow takes over the approved tools of a book.
func (x *others) follow(b *Book, claims map[string][]guard.Approved, stirs uint64) {
	if x.book == b && x.stirs == stirs {
		return
	}
	x.book, x.stirs = b, stirs
	now := make(map[durward.PinKey]string, len(x.known))
	var fresh []*durward.Pin
	kept := 0
	b.tools(func(p *durward.Pin) {
		k := p.Key()
		now[k] = p.Digest
		if p.By == FirstSight {
			now[k] += " " + FirstSight
		}
		if x.known[k] == now[k] {
			kept++
			return
		}
		fresh = append(fresh, p)
	})
	var claimed []guard.Approved
	for _, of := range claims {
		for _, t := range of {
			k := durward.PinKey{Upstream: t.Server, Kind: "claim", Name: t.Name}
			now[k] = "claim " + t.Description
			if x.known[k] == now[k] {
				kept++
				continue
			}
			claimed = append(claimed, t)
		}
	}
	if kept == len(x.known) && len(fresh) == 0 && len(claimed) == 0 {
		return
	}
	if kept < len(x.known) {
		x.epoch++
		x.list, fresh, claimed = nil, fresh[:0], claimed[:0]
		for _, of := range claims {
			claimed = append(claimed, of...)
		}
		b.tools(func(p *durward.Pin) { fresh = append(fresh, p) })
	}
	slices.SortFunc(fresh, pin.Order)
	for _, p := range fresh {
		x.list = append(x.list, approved(p.Upstream, p.Name, p.Definition, p.By == FirstSight))
	}
	x.list = append(x.list, claimed...)
	x.known, x.from = now, map[int]*guard.Registry{}
}

// registry holds the tools from an index on.
func (x *others) registry(from int) *guard.Registry {
	r := x.from[from]
	if r == nil {
		r = guard.NewRegistry(x.list[from:], x.list[:from]...)
		x.from[from] = r
	}
	return r
}

// shadowing is what is to be said of a tool and those of other servers.
func (c *session) shadowing(o *Opinion, r *reading, incumbent bool) []durward.Finding {
	x := &c.notary.others
	x.follow(c.book, c.notary.claims, c.notary.stirs)
	among := c.among(incumbent)
	if r.epoch != x.epoch || r.among != among {
		r.epoch, r.among, r.against, r.shadow = x.epoch, among, 0, nil
	}
	if r.against < len(x.list) {
		r.shadow = append(r.shadow, c.notary.engine.ShadowingAmong(c.offer.Upstream, o.Raw, x.registry(r.against), func(name string) bool { return c.names[name] }, incumbent).Findings...)
		r.against = len(x.list)
	}
	return r.shadow
}

// overtaken looks again at a tool that was taken at first sight: the tool that
// it imitates, or gives orders about, may have come after it.
func (c *session) overtaken(o *Opinion, r *reading) {
	var found []durward.Finding
	for _, f := range c.shadowing(o, r, true) {
		if (lookalike(f) || f.Rule == "shadow.reference") && c.notary.engine.Stops(f) {
			found = append(found, f)
		}
	}
	if len(found) > 0 {
		o.Standing = c.stop(o, durward.ReasonDefinitionPoisoned, found...)
	}
}
