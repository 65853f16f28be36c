package args

import (
	"strings"

	"durward/internal/guard/carrier"
)

// ReadOnly holds the queries of a tool that is said to read only to one
// statement that reads. It judges words outside quotes and comments; what it
// cannot tell apart it does not let pass.
func ReadOnly(tool string, arguments []byte, formats map[string]string) []Finding {
	return For(tool, formats).ReadOnly(arguments)
}

// ReadOnly is [ReadOnly] for a tool that is known.
func (t *Tool) ReadOnly(arguments []byte) []Finding { return t.queries(arguments, changes) }

// queries are the findings of a judge in the queries of a call.
func (t *Tool) queries(arguments []byte, judge func(string) string) []Finding {
	var out []Finding
	carrier.Walk(arguments, func(path []string, value []byte, key bool) {
		if key || len(value) == 0 {
			return
		}
		if t.field(path) != Query {
			return
		}
		if what := judge(string(value)); what != "" {
			out = append(out, Finding{Rule: "statement", Where: pointer(path), Score: 0.95, What: what})
		}
	})
	return out
}

// changes says why a query is not one statement that reads; "" when it is.
func changes(query string) string {
	words, more, ok := statements(query)
	switch {
	case !ok:
		return "a quote or comment that does not end"
	case more:
		return "more than one statement"
	case len(words) == 0:
		return ""
	case !reads(strings.TrimSuffix(words[0], called)):
		return "it begins with " + cut(words[0])
	case words[0] == "pragma" && (len(words) < 2 || !looks(words[len(words)-1]) && !looks(words[1])) && strings.ContainsAny(query, "=("):
		return "it sets something of the database"
	}
	for _, w := range words[1:] {
		if name := strings.TrimSuffix(w, called); writes(name) {
			return "it has the word " + name
		}
		if acts(w) {
			return "it calls " + cut(strings.TrimSuffix(w, called))
		}
	}
	return ""
}

func cut(w string) string { return w[:min(len(w), 24)] }

func reads(w string) bool {
	switch w {
	case "select", "with", "show", "explain", "describe", "desc", "values", "table", "pragma", // SQL
		"match", "optional", "unwind", "return", // Cypher
		"query", "fragment", "prefix", "ask", "from", "search", "fetch", "where": // GraphQL, SPARQL, pipes
		return true
	}
	return false
}

func writes(w string) bool {
	switch w {
	case "insert", "update", "delete", "drop", "alter", "create", "truncate", "grant", "revoke", "merge", "exec", "execute", "call", "copy", "into",
		"attach", "detach", "vacuum", "reindex", "lock", "rename", "replace_into", "upsert", "remove", "load", "mutation", "dblink", "pg_read_file",
		"lo_import", "lo_export", "load_extension", "writefile", "readfile":
		return true
	}
	return false
}

// statements parts a query into the words outside quotes and comments, in
// lower case. more tells that something follows a semicolon.
func statements(q string) (words []string, more, ok bool) {
	ended := false
	for i := 0; i < len(q); {
		c := q[i]
		switch {
		case c == '\'' || c == '"' || c == '`':
			end := closing(q, i)
			if end < 0 {
				return words, more, false
			}
			if c != '\'' && opens(q, end) { // the name of a function may be quoted
				words = append(words, strings.ToLower(q[i+1:end-1])+called)
			}
			more = more || ended
			i = end
		case c == '-' && strings.HasPrefix(q[i:], "--"), c == '#' && len(words) > 0:
			n := strings.IndexByte(q[i:], '\n')
			if n < 0 {
				return words, more, true
			}
			i += n
		case c == '/' && strings.HasPrefix(q[i:], "/*"):
			n := strings.Index(q[i+2:], "*/")
			if n < 0 {
				return words, more, false
			}
			if inner := q[i+2 : i+2+n]; strings.HasPrefix(inner, "!") { // executed by MySQL
				said, again, fine := statements(strings.TrimLeft(inner[1:], "0123456789"))
				words, more = append(words, said...), more || again || ended
				if !fine {
					return words, more, false
				}
			}
			i += n + 4
		case c == ';':
			ended = true
			i++
		case inWord(c):
			start := i
			for i < len(q) && inWord(q[i]) {
				i++
			}
			w := strings.ToLower(q[start:i])
			if opens(q, i) {
				w += called
			}
			words, more = append(words, w), more || ended
		default:
			more = more || ended && c > ' '
			i++
		}
	}
	return words, more, true
}

func inWord(c byte) bool { return c == '_' || isWord(c|0x20) }

// opens reports a parenthesis behind a word, comments and blanks aside.
func opens(q string, i int) bool {
	for i < len(q) {
		switch {
		case q[i] <= ' ':
			i++
		case strings.HasPrefix(q[i:], "/*"):
			n := strings.Index(q[i+2:], "*/")
			if n < 0 {
				return false
			}
			i += n + 4
		case strings.HasPrefix(q[i:], "--"):
			n := strings.IndexByte(q[i:], '\n')
			if n < 0 {
				return false
			}
			i += n
		default:
			return q[i] == '('
		}
	}
	return false
}

// closing is where a quoted part ends; a doubled quote is part of it, and so is
// one behind a backslash, which some dialects end: both readings are tried by
// the caller's refusal of what does not end.
func closing(q string, i int) int {
	for k := i + 1; k < len(q); k++ {
		switch q[k] {
		case '\\':
			if q[i] == '\'' || q[i] == '"' { // an end in one dialect, not in another: nobody needs it
				if k+1 < len(q) && q[k+1] == q[i] {
					return -1
				}
				k++
			}
		case q[i]:
			if k+1 < len(q) && q[k+1] == q[i] {
				k++
				continue
			}
			return k + 1
		}
	}
	return -1
}
