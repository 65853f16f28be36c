package notary

import (
	"slices"

	"durward"
	"durward/internal/guard"
	"durward/internal/guard/pin"
	"durward/internal/mcpwire"
)

// others are the approved tools, in the order in which they came, so that what
// was compared with the first of them is later compared with the rest only.
type others struct {
	book  *Book
	known map[durward.PinKey]string // digests
	list  []guard.Approved
	epoch int                     // grows when one is gone or another: all is to be compared anew
	from  map[int]*guard.Registry // of the list from an index on
}

// follow takes over the approved tools of a book.
func (x *others) follow(b *Book) {
	if x.book == b {
		return
	}
	x.book = b
	now := make(map[durward.PinKey]string, len(x.known))
	var fresh []*durward.Pin
	kept := 0
	b.tools(func(p *durward.Pin) {
		k := p.Key()
		now[k] = p.Digest
		if x.known[k] == p.Digest {
			kept++
			return
		}
		fresh = append(fresh, p)
	})
	if kept == len(x.known) && len(fresh) == 0 {
		return
	}
	if kept < len(x.known) {
		x.epoch++
		x.list, fresh = nil, fresh[:0]
		b.tools(func(p *durward.Pin) { fresh = append(fresh, p) })
	}
	slices.SortFunc(fresh, pin.Order)
	for _, p := range fresh {
		description, _ := mcpwire.FieldText(p.Definition, "description")
		x.list = append(x.list, guard.Approved{Server: p.Upstream, Name: p.Name, Description: description})
	}
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
func (c *session) shadowing(o *Opinion, r *reading) []durward.Finding {
	x := &c.notary.others
	x.follow(c.book)
	if r.epoch != x.epoch {
		r.epoch, r.against, r.shadow = x.epoch, 0, nil
	}
	if r.against < len(x.list) {
		r.shadow = append(r.shadow, c.notary.engine.Shadowing(c.offer.Upstream, o.Raw, x.registry(r.against)).Findings...)
		r.against = len(x.list)
	}
	return r.shadow
}

// overtaken looks again at a tool that was taken at first sight: the tool that
// it imitates, or gives orders about, may have come after it.
func (c *session) overtaken(o *Opinion, r *reading) {
	var found []durward.Finding
	for _, f := range c.shadowing(o, r) {
		if (f.Rule == "shadow.disguise" || f.Rule == "shadow.reference") && c.notary.engine.Stops(f) {
			found = append(found, f)
		}
	}
	if len(found) > 0 {
		o.Standing = c.stop(o, durward.ReasonDefinitionPoisoned, found...)
	}
}
