package catalog

import "strings"

// matcher tells whether a URI may come from a URI template (RFC 6570). It is
// generous inside an expression, because expansion is not ours to check: an
// expression stands for any run of characters, of one segment for simple
// expressions, of anything for {+x}, {#x} and {/x*}.
type matcher struct {
	literals []string
	greedy   []bool // greedy[i]: the expression before literals[i+1] crosses slashes
}

const maxExpressions = 16

func compileTemplate(text string) matcher {
	var m matcher
	for {
		before, rest, found := strings.Cut(text, "{")
		m.literals = append(m.literals, before)
		if !found || len(m.greedy) >= maxExpressions {
			return m
		}
		expr, after, closed := strings.Cut(rest, "}")
		if !closed {
			return m
		}
		m.greedy = append(m.greedy, expr != "" && strings.ContainsRune("+#/;?&.", rune(expr[0])))
		text = after
	}
}

// matches never backtracks over more than maxExpressions expressions.
func (m matcher) matches(uri string) bool {
	rest, ok := strings.CutPrefix(uri, m.literals[0])
	if !ok {
		return false
	}
	for i, greedy := range m.greedy {
		var literal string
		if i+1 < len(m.literals) {
			literal = m.literals[i+1]
		}
		last := i == len(m.greedy)-1
		at := len(rest)
		switch {
		case last && literal != "":
			if at = len(rest) - len(literal); at < 0 || rest[at:] != literal {
				return false
			}
		case literal != "":
			if at = strings.Index(rest, literal); at < 0 {
				return false
			}
		}
		if !greedy && strings.ContainsRune(rest[:at], '/') {
			return false
		}
		rest = rest[min(len(rest), at+len(literal)):]
	}
	return rest == ""
}
