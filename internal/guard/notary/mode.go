package notary

import (
	"strings"

	"durward"
)

// stops reports whether a finding keeps a definition out of use. The mode is
// asked of the upstream first, then of the whole; in each the rule, then its
// vector, then the strictest that findings may do.
func (c *session) stops(f durward.Finding) bool {
	own := ownRule(f.Rule)
	if !own && !c.notary.engine.Stops(f) {
		return false
	}
	g := c.policy.Guard
	if g == nil {
		return true
	}
	for _, scope := range []durward.GuardScope{g.Upstreams[c.offer.Upstream], g.GuardScope} {
		for _, mode := range []string{scope.Rules[f.Rule], scope.Vectors[f.Vector], scope.Mode} {
			if mode != "" {
				return mode == "hold" || mode == "block"
			}
		}
	}
	return true
}

// ownRule reports findings that come of pins and not of a scan.
func ownRule(rule string) bool {
	return strings.HasPrefix(rule, "pin.") || rule == "redefinition.changed" || rule == "guard.partial"
}
