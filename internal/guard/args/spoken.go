package args

import "strings"

// spoken reports a search that speaks of SQL and breaks out of nothing: no
// quote but around words, no comment, no second statement, no number that a
// condition follows. One that asks for what it is about may show a condition.
func spoken(s string) bool {
	low := strings.ToLower(strings.TrimSpace(s))
	if low == "" || !letter(low[0]) && low[0] != '\'' && low[0] != '"' {
		return false
	}
	out, ok := unquoted(low)
	if !ok || stacked(out) || hasFold(out, []string{"--", "#", "/*", "`", "\\", "||", "&&", "@@", "0x", "%"}) || reaching(out) {
		return false
	}
	if aboutSQL(out) {
		return true
	}
	out = withoutAside(out)
	return !strings.ContainsAny(out, "=<>(@$*") && !unionReads(out) && !tautology(out) && !hasFold(out, []string{"from sys", "from information_schema", "from pg_", "from mysql", "from all_tables", " and sleep(", " or sleep(", " and benchmark(", " or benchmark(", "(select"})
}

// titled reports a sentence that speaks of SQL where a value stands.
func titled(s string) bool {
	return (question(s) || len(strings.Fields(s)) >= 5 && aboutSQL(strings.ToLower(s))) && spoken(s)
}

// stacked reports a second statement behind a semicolon.
func stacked(s string) bool {
	for _, part := range strings.Split(s, ";")[1:] {
		w, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		switch w {
		case "select", "insert", "update", "delete", "drop", "exec", "execute", "create", "alter", "truncate", "shutdown", "declare", "waitfor", "grant", "union", "begin", "set", "kill", "use", "with", "call", "copy":
			return true
		}
	}
	return strings.HasSuffix(s, ";")
}

// unquoted is a text without its quotes, where these stand around words and
// nothing clings to them; false where they do not.
func unquoted(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\'' && c != '"' {
			b.WriteByte(c)
			continue
		}
		if c == '\'' && i > 0 && i+1 < len(s) && letter(s[i-1]) && letter(s[i+1]) { // it's
			continue
		}
		end := strings.IndexByte(s[i+1:], c)
		if end < 1 || i > 0 && s[i-1] != ' ' && s[i-1] != '(' || !wordLike(s[i+1]) || !wordLike(s[i+end]) {
			return "", false
		}
		if next := i + end + 2; next < len(s) && strings.IndexByte(" ,.?!):", s[next]) < 0 {
			return "", false
		}
		b.WriteString("word")
		i += end + 1
	}
	return b.String(), true
}

// withoutAside is a text without words in brackets.
func withoutAside(s string) string {
	i := strings.Index(s, " (")
	if i < 0 {
		return s
	}
	end := strings.IndexByte(s[i:], ')')
	if end < 0 || strings.Trim(s[i+2:i+end], "abcdefghijklmnopqrstuvwxyz ") != "" || strings.Contains(s[i:i+end], "select") {
		return s
	}
	return s[:i] + withoutAside(s[i+end+1:])
}

func wordLike(c byte) bool { return letter(c) || '0' <= c && c <= '9' }

// reaching finds functions that no text about SQL needs to name with their
// arguments.
func reaching(s string) bool {
	return hasFold(s, []string{"xp_", "load_file(", "into outfile", "into dumpfile", "extractvalue(", "updatexml(", "dbms_", "utl_", "concat(", "char(", "chr("})
}

// aboutSQL reports the words with which people ask.
func aboutSQL(s string) bool {
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '?' || r == ':' || r == ',' || r == '.' }) {
		switch w {
		case "tutorial", "example", "examples", "syntax", "explained", "explain", "explanation", "meaning", "injection", "how", "what", "why", "difference", "vs", "versus", "docs", "documentation", "guide", "cheatsheet", "error", "performance", "when", "does":
			return true
		}
	}
	return false
}

// unionReads reports a second question behind the first: union, select, what,
// from where.
func unionReads(s string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], "union ")
		if i < 0 {
			return false
		}
		i += from
		from = i + len("union ")
		if i > 0 && isWord(s[i-1]) {
			continue
		}
		rest, ok := afterUnion(s[from:])
		if !ok {
			continue
		}
		items, table, ok := strings.Cut(rest, " from ")
		if !ok || !listed(items) {
			continue
		}
		name, tail, _ := strings.Cut(strings.TrimSpace(table), " ")
		if !named(name) || !clause(tail) {
			continue
		}
		if before := strings.TrimSpace(s[:i]); before == "" || !letter(before[len(before)-1]) || secretly(items) || secretly(name) {
			return true
		}
	}
}

func afterUnion(s string) (string, bool) {
	for _, p := range []string{"all ", "distinct "} {
		s = strings.TrimPrefix(s, p)
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(s, "( "), "select")
	if !ok || rest != "" && isWord(rest[0]) {
		return "", false
	}
	return strings.TrimLeft(rest, " "), true
}

// listed reports names, numbers and calls with commas between them.
func listed(s string) bool {
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item == "" || strings.Contains(item, " ") && !strings.Contains(item, " as ") {
			return false
		}
	}
	return true
}

func named(s string) bool {
	s = strings.TrimRight(s, ";)'\"")
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != '.' && s[i] != '`' {
			return false
		}
	}
	return s != ""
}

// clause reports the end of a statement, or what may follow its table.
func clause(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" || !letter(s[0]) {
		return true
	}
	w, _, _ := strings.Cut(s, " ")
	switch w {
	case "where", "limit", "order", "group", "union", "having", "join", "for", "offset":
		return true
	}
	return false
}

// secretly reports names of what is worth stealing.
func secretly(s string) bool {
	return hasFold(s, []string{"pass", "user", "login", "account", "admin", "member", "card", "secret", "token", "hash", "email", "schema", "sqlite_", "sys", "customer", "credential", "employee", "null", "*", "version", "database"})
}

// unionSelects reports union select with something behind it that could be
// selected: the words alone are no statement.
func unionSelects(s string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], "union")
		if i < 0 {
			return false
		}
		i += from
		from = i + len("union")
		rest, ok := afterUnion(strings.TrimLeft(s[from:], "( "))
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, " (")
		if before := strings.TrimSpace(s[:i]); rest == "" {
			if before == "" || strings.IndexByte("0123456789'\")", before[len(before)-1]) < 0 {
				continue
			}
			return true
		}
		end := 0
		for end < len(rest) && (isWord(rest[end]) || rest[end] == '.') {
			end++
		}
		switch first, tail := rest[:end], strings.TrimLeft(rest[end:], " "); {
		case !letter(rest[0]), first == "null", first == "char", first == "concat":
			return true
		case tail == "", strings.IndexByte(",(;#'\")`+|", tail[0]) >= 0, strings.HasPrefix(tail, "--"), strings.HasPrefix(tail, "/*"), strings.Contains(tail, "from "):
			return true
		}
	}
}
