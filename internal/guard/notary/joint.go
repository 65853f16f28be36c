package notary

import (
	"crypto/sha256"
	"slices"
	"sort"

	"durward"
	"durward/internal/guard"
)

// window is the part of a list that gives orders when it is read together.
type window struct {
	of       [sha256.Size]byte // the list
	from, to int               // half open; empty for nothing
	findings []durward.Finding
}

// together reads new tools with their neighbours: orders may be spread over
// several definitions, each harmless by itself. Only those that take part, and
// that nobody has approved, are withheld.
func (c *session) together() {
	if len(c.fresh) == 0 {
		return
	}
	w := c.window()
	for _, o := range c.fresh {
		i := slices.IndexFunc(c.offer.Tools, func(raw []byte) bool { return len(raw) > 0 && len(o.Raw) > 0 && &raw[0] == &o.Raw[0] })
		if i < w.from || i >= w.to {
			continue
		}
		o.Standing = c.stop(o, durward.ReasonDefinitionPoisoned, w.findings...)
	}
}

func (c *session) window() window {
	h := sha256.New()
	for _, raw := range c.offer.Tools {
		sum := sha256.Sum256(raw)
		h.Write(sum[:])
	}
	key := [sha256.Size]byte(h.Sum(nil))
	if w, ok := c.notary.joint[c.offer.Upstream]; ok && w.of == key {
		return w
	}
	w := narrow(c.notary.engine, c.offer.Tools)
	w.of = key
	c.notary.joint[c.offer.Upstream] = w
	return w
}

// narrow finds the least part of a list that gives orders. Where the parts
// alone do not, it is the whole.
func narrow(e *guard.Engine, tools [][]byte) window {
	split := func(part [][]byte) []durward.Finding {
		var out []durward.Finding
		for _, f := range e.List(part).Findings {
			if e.Stops(f) {
				out = append(out, f)
			}
		}
		return out
	}
	found := split(tools)
	if len(found) == 0 {
		return window{}
	}
	n := len(tools)
	to := sort.Search(n, func(i int) bool { return len(split(tools[:i+1])) > 0 }) + 1
	if to > n || len(split(tools[:to])) == 0 {
		return window{from: 0, to: n, findings: found}
	}
	from := to - 1
	for from > 0 && len(split(tools[from:to])) == 0 {
		from--
	}
	return window{from: from, to: to, findings: found}
}

func changed(before, now map[string]string) (groups []string) {
	for g, d := range now {
		if before[g] != d {
			groups = append(groups, g)
		}
	}
	for g := range before {
		if _, ok := now[g]; !ok {
			groups = append(groups, g)
		}
	}
	slices.Sort(groups)
	return groups
}
