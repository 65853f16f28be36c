package guard

import (
	"math"
	"slices"
	"strings"

	"durward"
	"durward/internal/guard/shadow"
)

// Neighbours are the tools of all servers, to find in what one server says
// orders about those of another. It never changes.
type Neighbours struct {
	index *shadow.Index
	own   map[string]map[string]bool // names in lower case, by server
}

// NewNeighbours indexes tools: only their servers and names count.
func NewNeighbours(tools []Approved) *Neighbours {
	n := &Neighbours{index: shadow.NewIndex(tools), own: map[string]map[string]bool{}}
	for _, t := range tools {
		if n.own[t.Server] == nil {
			n.own[t.Server] = map[string]bool{}
		}
		n.own[t.Server][strings.ToLower(t.Name)] = true
	}
	return n
}

// Know makes the tools known that there are now.
func (p *Policy) Know(n *Neighbours) { p.neighbours.Store(n) }

// Bounds of looking for the names of tools.
const (
	nearText  = 300     // bytes around orders
	shortText = 4 << 10 // that is looked at as a whole, when its words are hardly orders
)

// foreign raises what is thought of words that may be orders where they name a
// tool of another server: a page that tells to call send_mail is no page about
// mail. What is sure enough then is cut out like any orders.
func (s *Scope) foreign(text []byte, rep *Report) {
	n := s.policy.neighbours.Load()
	if n == nil || s.op == nil || !rep.hot {
		return
	}
	r := rule("shadow.result")
	if raised(rep.orders) < r.Act {
		return
	}
	found := shadow.Tool{}
	for i := range rep.Findings {
		f := &rep.Findings[i]
		from, to, placed := bytesOf(f.Where)
		if of, _ := ruleNamed(f.Rule); !of.orders() || !placed {
			continue
		}
		if t, ok := n.named(s.op.Upstream, text[max(min(from, len(text))-nearText, 0):min(to+nearText, len(text))]); ok {
			if f.Score < s.engine.response.Act() { // it was not enough to cut them out
				rep.spans = append(rep.spans, span{from, min(to, len(text))})
			}
			found, f.Score = t, round(raised(f.Score))
			rep.Score, rep.orders = max(rep.Score, f.Score), max(rep.orders, f.Score)
		}
	}
	told := slices.ContainsFunc(rep.Findings, func(f durward.Finding) bool { of, _ := ruleNamed(f.Rule); return of.orders() })
	if found.Name == "" && !told && len(text) <= shortText {
		if t, ok := n.named(s.op.Upstream, text); ok {
			found, rep.orders = t, raised(rep.orders)
			rep.Score = max(rep.Score, rep.orders)
		}
	}
	if found.Name == "" {
		return
	}
	rep.Findings = append(rep.Findings, durward.Finding{
		Rule: r.ID, Vector: r.Vector, Severity: r.severity(rep.orders), Score: round(rep.orders), Where: "bytes 0-0",
		Evidence: "names " + found.Name + " of " + found.Server,
	})
}

// raised is a probability with what naming a foreign tool adds to it.
func raised(p float64) float64 {
	p = min(max(p, 1e-6), 1-1e-6)
	return 1 / (1 + math.Exp(-(math.Log(p/(1-p)) + foreignBonus)))
}

// named finds a tool of another server whose name no prose has by chance.
func (n *Neighbours) named(server string, text []byte) (shadow.Tool, bool) {
	return n.index.Named(server, func(name string) bool { return n.own[server][name] }, string(text))
}
