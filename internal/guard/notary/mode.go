package notary

import (
	"strings"

	"durward"
	"durward/internal/guard"
)

// stops reports whether a finding keeps a definition out of use. The mode is
// asked of the tool first, then of the upstream, then of the whole; in each the
// rule, then its vector, then the strictest that findings may do.
func (c *session) stops(f durward.Finding, o *durward.Pin) bool {
	if !ownRule(f.Rule) && !c.notary.engine.Stops(f) {
		return false
	}
	g := c.policy.Guard
	if g == nil {
		return true
	}
	for _, scope := range []durward.GuardScope{toolScope(g, o), g.Upstreams[o.Upstream], g.GuardScope} {
		for _, mode := range []string{scope.Rules[f.Rule], scope.Vectors[f.Vector], scope.Mode} {
			if mode != "" && mode != guard.Off { // definitions are held to their pins all the same
				return mode == "hold" || mode == "block"
			}
		}
	}
	return true
}

// toolScope is the scope of the most specific pattern that an operation has.
func toolScope(g *durward.Guard, o *durward.Pin) durward.GuardScope {
	best := ""
	own, shown := o.Upstream+"__"+o.Name, durward.PublicName(o.Upstream, o.Name)
	for pattern := range g.Tools {
		if (guard.Match(pattern, own) || guard.Match(pattern, shown)) && (best == "" || moreSpecific(pattern, best)) {
			best = pattern
		}
	}
	return g.Tools[best]
}

func moreSpecific(a, b string) bool {
	la, lb := len(a)-strings.Count(a, "*"), len(b)-strings.Count(b, "*")
	return la > lb || la == lb && a < b
}

// ownRule reports findings that come of pins and not of a scan.
func ownRule(rule string) bool {
	return strings.HasPrefix(rule, "pin.") || rule == "redefinition.changed" || rule == "guard.partial"
}
