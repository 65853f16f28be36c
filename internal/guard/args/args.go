// Package args judges the arguments of a call: SQL where the tool takes none,
// shell commands, paths that leave their place, addresses that must not be
// reached, and script in what will be shown.
//
// What a field is decides what is wrong in it. The type is read from the
// schema where it says so, else from the field's name and the tool's name. A
// query tool may hold SQL, a shell tool may hold commands, prose may quote
// anything: there the same text is no attack, and other policies apply.
package args

import "strings"

// Finding is one suspicious argument.
type Finding struct {
	Rule  string // sqli, command, traversal, address, script, type
	Where string // JSON pointer within the arguments
	Score float64
	What  string // which check, for people
}

// Field is what an argument is for.
type Field uint8

// The kinds of field.
const (
	Plain Field = iota
	Prose
	Query
	Search
	Command
	Code
	Path
	URL
	URI // of a resource: a file too
	Host
	Password // anything may stand in one, but for what breaks out of a statement
)

// placed judges a value by the place where it stands.
func placed(t, path []string, f Field, v string) (best Finding) {
	worse := func(x Finding) {
		if x.Score > best.Score {
			best = x
		}
	}
	switch f {
	case Code:
		worse(sum(t, path, v))
	case Path, URI:
		worse(written(t, v))
		worse(option(path, v))
	case URL, Host:
		worse(option(path, v))
	case Plain:
		worse(option(path, v))
		worse(operator(path, v))
		worse(aims(v))
	}
	return best
}

// member judges the name of a member: whose name it is not may be a value. Where
// it stands in a query, a command, code or prose, it may say what these say.
func member(t, path []string, name string) Finding {
	switch f := fieldOf(t, path, ""); f {
	case Query, Command, Code, Prose, Search:
		return Finding{}
	case Path:
		return traversal(name)
	}
	best := Finding{}
	for _, s := range spellings(name) {
		var statement Finding
		if len(s) > 2 && structure(squeeze(s)) >= 2 { // columns have names such as sum(price)
			statement = Finding{Rule: "sqli", Score: 0.97, What: "SQL structure"}
		}
		for _, f := range []Finding{statement, shell(s, false), traversalPlain(s)} {
			if f.Score >= leastNamed && f.Score > best.Score {
				best = f
			}
		}
	}
	if titled(name) {
		return Finding{}
	}
	return best
}

// leastNamed is the score from which a name is more than an odd one.
const leastNamed = 0.8

// Bounds of one value. A long one is judged in windows that overlap, so that
// nothing hides behind padding.
const (
	longest = 16 << 10
	overlap = 512
	mostAll = 512 << 10
)

// judgeAll returns the gravest finding of a value, and whether all of it was
// judged: statements and addresses make sense as a whole only.
func judgeAll(f Field, v string, public bool) (best Finding, whole bool) {
	if len(v) <= longest {
		return judge(f, v, public), true
	}
	if f == Query || f.names() {
		return judge(f, v[:longest], public), false
	}
	for from := 0; from < min(len(v), mostAll); from += longest - overlap {
		if x := judge(f, v[from:min(len(v), from+longest)], public); x.Score > best.Score {
			best = x
		}
	}
	return best, len(v) <= mostAll
}

// judge returns the gravest finding of a value. public is what strangers are
// shown at once.
func judge(f Field, v string, public bool) Finding {
	if !f.names() && word(v) {
		return Finding{}
	}
	var best Finding
	worse := func(x Finding) {
		if x.Score > best.Score {
			best = x
		}
	}
	forms := spellings(v)
	if f == URI {
		if file, ok := strings.CutPrefix(v, "file://"); ok {
			f, forms = Path, spellings(file)
		} else {
			f = URL
		}
	}
	if f == URL {
		return link(v, forms)
	}
	for _, s := range forms {
		switch f {
		case Prose, Code:
			x := script(s, true)
			if !public { // pages, files and messages about markup hold it
				x.Score = min(x.Score, 0.6)
			}
			worse(x)
		case Query:
			worse(statement(s))
		case Search:
			worse(sought(s))
		case Command:
			worse(Finding{})
		case Path:
			worse(place(s))
		case Password:
			worse(sql(s))
		case Host:
			worse(host(s))
			worse(shell(s, true))
		default:
			for _, x := range []Finding{sqlOrScript(s), shell(s, false), traversalPlain(s)} {
				if x.Rule == "command" && revision(s) {
					continue
				}
				if x.Score > best.Score && x.Rule != "script" && titled(s) { // a title, not a value
					x.Score = min(x.Score, 0.6)
				}
				worse(x)
			}
		}
	}
	return best
}

func sqlOrScript(s string) Finding {
	a, b := sql(s), script(s, false)
	if b.Score > a.Score {
		return b
	}
	return a
}

// fieldOf types a field by its schema format, its name, and the words of the
// tool.
func fieldOf(t, path []string, format string) Field {
	name := lastName(path)
	n := words(name)
	switch format {
	case "uri", "iri", "uri-reference":
		if any(n, "uri", "uris") {
			return URI
		}
		return URL
	case "url":
		return URL
	case "hostname", "ipv4", "ipv6":
		return Host
	}
	switch {
	case any(t, "sql", "query", "statement", "postgres", "mysql", "sqlite", "bigquery", "snowflake", "clickhouse", "cypher", "redshift", "athena", "duckdb", "mongodb", "oracle") && any(n, "sql", "query", "statement", "input", "q", "text", "command", "queries", "expression"):
		return Query
	case any(n, "password", "passphrase", "passwd", "pwd"):
		return Password
	case any(n, "sql", "statement", "cypher", "graphql", "soql", "kql", "promql", "jql", "logql"):
		return Query
	case any(n, "text", "string", "str", "contents") && any(n, "file", "old", "new", "insert", "replace", "replacement"):
		return Code // what an editor takes out, and puts in
	case any(t, "code", "grep", "regex") && any(n, "q", "query", "search", "pattern", "text"):
		return Code
	case any(t, "search", "find") && any(n, "q", "query", "search", "keywords", "keyword", "terms", "term", "text", "phrase"), any(n, "q", "query", "search", "keywords", "filter", "filters") && !any(n, "id", "name"):
		return Search
	case any(t, "shell", "bash", "command", "terminal", "exec", "cmd", "powershell", "script", "console") && any(n, "command", "cmd", "input", "script", "code", "args", "line", "text", "commands"):
		return Command
	case any(n, "command", "cmd", "script", "shell"):
		return Command
	case any(n, "code", "regex", "pattern", "regexp", "snippet", "diff", "patch", "template", "source", "expression", "jsonpath", "xpath", "glob") || any(t, "code", "grep", "regex"):
		return Code
	case any(n, "uri", "uris") && !any(n, "url", "name"):
		return URI
	case any(n, "url", "href", "link", "endpoint", "webhook", "callback", "repository", "repo", "urls", "links", "proxy") && !any(n, "name"):
		return URL
	case any(n, "host", "hostname", "ip", "domain", "server", "addr"):
		return Host
	case any(n, "path", "file", "filename", "filepath", "dir", "directory", "folder", "cwd", "paths", "files", "attachment", "dest", "destination") && !any(n, "content"):
		return Path
	case any(n, "body", "content", "text", "message", "description", "summary", "comment", "thought", "notes", "note", "prompt", "markdown", "html", "instructions", "reason", "question", "answer", "details", "fact", "facts", "observation", "observations", "memory", "memories"):
		return Prose
	case any(t, "issue", "comment", "message", "mail", "email", "note", "document", "doc", "page", "think", "chat", "post") && any(n, "input", "title", "subject", "value", "data"):
		return Prose
	}
	return Plain
}

// lastName is the innermost name of a path that is not an index.
func lastName(path []string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] != "" && (path[i][0] < '0' || path[i][0] > '9') {
			return path[i]
		}
	}
	return ""
}

// words parts a name at separators and capitals.
func words(s string) []string {
	var out []string
	start := 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == '_' || s[i] == '-' || s[i] == '.' || s[i] == '/' || s[i] == ' ':
			if i > start {
				out = append(out, strings.ToLower(s[start:i]))
			}
			start = i + 1
		case i > start && 'A' <= s[i] && s[i] <= 'Z' && 'a' <= s[i-1] && s[i-1] <= 'z':
			out = append(out, strings.ToLower(s[start:i]))
			start = i
		}
	}
	return out
}

func any(have []string, want ...string) bool {
	for _, h := range have {
		for _, w := range want {
			if h == w {
				return true
			}
		}
	}
	return false
}
