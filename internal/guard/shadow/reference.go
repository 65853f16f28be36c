package shadow

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Index knows the names of approved tools and servers, to find them in texts.
// It never changes.
type Index struct {
	tools   map[string]Tool   // by folded name
	servers map[string]string // folded name -> server
	plain   map[string]Tool   // tools whose names are everyday words
}

// NewIndex builds the index. Names that are everyday words are left out.
func NewIndex(approved []Tool) *Index {
	x := &Index{tools: map[string]Tool{}, servers: map[string]string{}, plain: map[string]Tool{}}
	for _, t := range approved {
		if distinct(t.Name) {
			x.tools[strings.ToLower(t.Name)] = t
		} else if len(t.Name) >= 3 {
			x.plain[strings.ToLower(t.Name)] = t
		}
		if s := strings.ToLower(t.Server); len(s) >= 4 {
			x.servers[s] = t.Server
		}
	}
	return x
}

// distinct reports names that prose would not hold by chance: two words
// joined, or camelCase.
func distinct(name string) bool {
	if len(name) < leastName {
		return false
	}
	if strings.ContainsAny(name, "_-./:") {
		return true
	}
	for i := 1; i < len(name); i++ {
		if 'A' <= name[i] && name[i] <= 'Z' && 'a' <= name[i-1] && name[i-1] <= 'z' {
			return true
		}
	}
	return false
}

// References finds, in a text of one server, tools that belong to others. own
// tells names that the text may use: the server's tools, the tool's parameters.
func (x *Index) References(server string, own func(name string) bool, s string) []Match {
	var out []Match
	seen := map[string]bool{}
	for run := range runs(s) {
		if t, word, ok := x.foreign(server, own, run); ok && !seen[word] {
			seen[word] = true
			out = append(out, Match{Kind: Reference, Against: t, How: "tool"})
		}
	}
	return append(out, x.quoted(server, own, s, seen)...)
}

// Named finds the first tool of another server that a text names, of those
// whose names prose does not hold by chance.
func (x *Index) Named(server string, own func(name string) bool, s string) (Tool, bool) {
	for run := range runs(s) {
		if len(run) < leastName {
			continue
		}
		if t, _, ok := x.foreign(server, own, run); ok {
			return t, true
		}
	}
	return Tool{}, false
}

// runs yields the parts of a text that could be names.
func runs(s string) iter.Seq[string] {
	return strings.FieldsFuncSeq(s, func(r rune) bool { return r >= utf8.RuneSelf || !nameByte(byte(r)) })
}

// foreign finds the tool of another server that a run of a text names, and the
// word that does.
func (x *Index) foreign(server string, own func(name string) bool, run string) (t Tool, word string, ok bool) {
	word = strings.ToLower(strings.Trim(run, ".-:/"))
	t, ok = x.find(word)
	return t, word, ok && t.Server != server && !own(word) && !own(strings.ToLower(t.Name))
}

// leastName is how long a name is at least that prose would not hold.
const leastName = 5

func (x *Index) find(word string) (Tool, bool) {
	if t, ok := x.tools[word]; ok {
		return t, true
	}
	for _, sep := range []string{"__", ".", ":", "/"} { // server__tool and its like
		if i := strings.LastIndex(word, sep); i > 0 {
			if t, ok := x.tools[word[i+len(sep):]]; ok {
				return t, true
			}
		}
	}
	return Tool{}, false
}

// quoted finds everyday names where the text marks them as tools or servers.
func (x *Index) quoted(server string, own func(string) bool, s string, seen map[string]bool) []Match {
	var out []Match
	lower := strings.ToLower(s)
	for name, t := range x.plain {
		if t.Server != server && !own(name) && !seen[name] && marked(lower, name, toolForms) {
			seen[name] = true
			out = append(out, Match{Kind: Reference, Against: t, How: "tool"})
		}
	}
	for name, srv := range x.servers {
		if srv != server && !own(name) && !seen["@"+name] && marked(lower, name, serverForms) {
			seen["@"+name] = true
			out = append(out, Match{Kind: Reference, Against: Tool{Server: srv}, How: "server"})
		}
	}
	return out
}

var (
	toolForms   = [][2]string{{"`", "`"}, {"the ", " tool"}, {"tool ", " "}, {"'", "'"}, {"\"", "\""}, {"call ", " "}, {"calling ", " "}, {"invoke ", " "}, {"calls to ", " "}, {" ", "()"}, {"when ", " is called"}, {"using ", ","}}
	serverForms = [][2]string{{" ", " server"}, {"`", "`"}, {" ", " tool"}, {"'", "'"}, {"\"", "\""}, {"the ", " mcp"}, {" ", "'s "}}
)

func marked(s, name string, forms [][2]string) bool {
	if !strings.Contains(s, name) {
		return false
	}
	for _, f := range forms {
		if strings.Contains(s, f[0]+name+f[1]) {
			return true
		}
	}
	return false
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' || c == ':' || c == '/'
}
