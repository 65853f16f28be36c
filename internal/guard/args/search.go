package args

import "strings"

// sought judges what somebody searches for. Questions quote attacks, and
// search languages have the words of SQL: a question, and conditions on named
// fields that nothing breaks out of, are told and not stopped.
func sought(s string) Finding {
	a := sqlOrScript(s)
	talk := talks(s)
	if a.Rule == "sqli" && (question(s) && !breaksOut(s) || conditions(s) || spoken(s)) || talk {
		a.Score = min(a.Score, 0.6)
	}
	b := shell(s, false)
	if talk || prose(s) || !lined(s) && !strings.Contains(s, "$(") && !strings.Contains(s, "`") {
		b.Score = min(b.Score, 0.6)
	}
	c := traversalPlain(s)
	if talk || prose(s) || aboutSQL(strings.ToLower(s)) { // somebody asks about the file
		c.Score = min(c.Score, 0.6)
		if strings.Contains(s, "/etc/") && !strings.ContainsAny(s, ";|`$<>&") {
			b.Score = min(b.Score, 0.6)
		}
	}
	for _, f := range []Finding{b, c} {
		if f.Score > a.Score {
			a = f
		}
	}
	return a
}

// talks reports a search about something, with a word that says so.
func talks(s string) bool {
	fields := strings.Fields(strings.ToLower(s))
	if len(fields) < 2 || strings.Contains(s, "$(") {
		return false
	}
	for _, w := range []string{fields[0], fields[len(fields)-1]} {
		switch strings.Trim(w, "?.,:") {
		case "explained", "explain", "explanation", "meaning", "example", "examples", "format", "tutorial", "how", "what", "why", "documentation", "docs", "xss", "injection", "vulnerability", "cve", "permissions", "syntax", "difference":
			return true
		}
	}
	return false
}

// breaksOut reports a quote that ends a string of the statement around, and
// what goes on behind it up to the end of the value: prose before it changes
// nothing.
func breaksOut(s string) bool {
	flat := squeeze(s)
	if aboutSQL(flat) {
		return false
	}
	for from := 0; ; {
		i := strings.IndexAny(flat[from:], "'\"")
		if i < 0 {
			return false
		}
		from += i + 1
		rest := strings.TrimLeft(flat[from:], " )")
		for _, w := range []string{"or ", "and ", "union ", ";", "||"} {
			if !strings.HasPrefix(rest, w) || len(rest) > 200 {
				continue
			}
			if ends := strings.HasSuffix(rest, "--") || strings.HasSuffix(rest, "#") || strings.HasSuffix(rest, "-- -"); ends && structure(rest) >= 1 || tautology(" "+rest) && structure("1' "+rest) >= 2 {
				return true
			}
		}
	}
}

// lined finds a command with its arguments, at the start or behind a separator.
func lined(s string) bool {
	low := unquote(s)
	for i := -1; i < len(low); i++ {
		if i >= 0 && strings.IndexByte(";|&\n", low[i]) < 0 {
			continue
		}
		w, tail := firstWord(behind(low[i+1:], "|&;!\n"))
		if t := strings.TrimLeft(tail, " \t"); isCommand(w) && t != "" && strings.IndexByte("|&;", t[0]) < 0 && strict(tail) {
			return true
		}
	}
	return false
}

// question reports a text that begins with three words of prose.
func question(s string) bool {
	fields := strings.Fields(strings.ToLower(s))
	if len(fields) < 5 {
		return false
	}
	for _, w := range fields[:3] {
		for i := range len(w) {
			if !letter(w[i]) {
				return false
			}
		}
		switch w {
		case "select", "union", "insert", "update", "delete", "drop", "where", "from", "or", "and", "order", "group", "by", "having", "exec", "execute", "waitfor", "delay", "all", "like", "create", "alter", "table",
			"into", "values", "set", "declare", "if", "case", "when", "limit", "shutdown", "grant", "not", "is", "null", "begin", "end", "procedure":
			if w != "is" {
				return false
			}
		}
	}
	return true
}

// conditions reads field, operator, value, joined by and, or, not; before it
// perhaps what is selected, behind it perhaps an order and a limit. Whatever
// else it meets, equal sides too, makes it no search.
func conditions(s string) bool {
	ws, ok := tokens(strings.ToLower(s))
	if !ok || len(ws) < 3 {
		return false
	}
	p := &condition{ws: ws}
	if p.take("select") {
		if !p.names() || !p.take("from") || !p.name() {
			return false
		}
		if hasFold(p.ws[p.at-1], []string{"sys", "pg_", "schema", "mysql", "all_", "dba_", "user", "master", "dual", "admin", "pass", "login"}) {
			return false
		}
		if p.take("where") && !p.joined(0) {
			return false
		}
	} else if !p.joined(0) {
		return false
	}
	if p.take("order") && (!p.take("by") || !p.names()) {
		return false
	}
	if p.take("limit") {
		p.at++
	}
	return p.at == len(ws)
}

type condition struct {
	ws []string
	at int
}

func (p *condition) peek() string {
	if p.at < len(p.ws) {
		return p.ws[p.at]
	}
	return ""
}

func (p *condition) take(w string) bool {
	if p.peek() != w {
		return false
	}
	p.at++
	return true
}

func (p *condition) name() bool {
	w := p.peek()
	if w == "" || !letter(w[0]) {
		return false
	}
	switch w {
	case "select", "union", "from", "where", "sleep", "null", "true", "false", "user", "version", "database", "case", "exec":
		return false
	}
	p.at++
	return true
}

func (p *condition) names() bool {
	for {
		if !p.take("*") && !p.name() {
			return false
		}
		if !p.take("asc") {
			p.take("desc")
		}
		if !p.take(",") {
			return true
		}
	}
}

func (p *condition) joined(depth int) bool {
	if depth > 8 {
		return false
	}
	for {
		p.take("not")
		if p.take("(") {
			if !p.joined(depth+1) || !p.take(")") {
				return false
			}
		} else if !p.one() {
			return false
		}
		if !p.take("and") && !p.take("or") {
			return true
		}
	}
}

func (p *condition) one() bool {
	left := p.peek()
	if !p.name() {
		return false
	}
	p.take("not")
	switch p.peek() {
	case "=", "!=", "~", "!~", ">", "<", ">=", "<=", ":", "contains", "in", "like", "is", "has":
		p.at++
	default:
		return false
	}
	if p.take("(") {
		for p.value(left) {
			if !p.take(",") {
				return p.take(")")
			}
		}
		return false
	}
	return p.value(left)
}

func (p *condition) value(left string) bool {
	w := p.peek()
	if w == "" || strings.Trim(w, "'\"") == left || w == "select" || !letter(w[0]) && (w[0] < '0' || w[0] > '9') && w[0] != '\'' && w[0] != '"' && w[0] != '-' {
		return false
	}
	p.at++
	if letter(w[0]) && p.take("(") {
		return hasFold(w, []string{"current", "now", "startof", "endof", "membersof"}) && p.take(")")
	}
	return true
}

// tokens parts a search; marks that no search language has end it.
func tokens(s string) (out []string, ok bool) {
	for i := 0; i < len(s); {
		c := s[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n':
			i++
			continue
		case c == '\'' || c == '"':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 || strings.ContainsAny(s[i+1:i+1+end], ";\\") {
				return nil, false
			}
			i += end + 2
			if i < len(s) && (isWord(s[i]) || s[i] == '\'' || s[i] == '"') {
				return nil, false
			}
		case c == '(' || c == ')' || c == ',' || c == '*':
			i++
		case strings.IndexByte("=!~<>:", c) >= 0:
			for i < len(s) && strings.IndexByte("=!~<>:", s[i]) >= 0 {
				i++
			}
		case isWord(c), c == '-' && i+1 < len(s) && isWord(s[i+1]):
			for i++; i < len(s) && (isWord(s[i]) || s[i] == '.' || s[i] == '-' && i+1 < len(s) && isWord(s[i+1])); i++ {
			}
		default:
			return nil, false
		}
		out = append(out, s[start:i])
	}
	return out, len(out) < 200
}
