package shadow

import (
	"strings"
)

// Index knows the names of approved tools and servers, to find them in texts.
// It never changes.
type Index struct {
	tools   map[string]Tool   // by folded name
	servers map[string]string // folded name -> server
}

// NewIndex builds the index. Names that are everyday words are left out.
func NewIndex(approved []Tool) *Index {
	x := &Index{tools: map[string]Tool{}, servers: map[string]string{}}
	for _, t := range approved {
		if distinct(t.Name) {
			x.tools[strings.ToLower(t.Name)] = t
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
	if len(name) < 5 {
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
// are names that the text may use: the server's tools, the tool's parameters.
func (x *Index) References(server string, own map[string]bool, s string) []Match {
	var out []Match
	seen := map[string]bool{}
	for start := 0; start < len(s); {
		if !nameByte(s[start]) {
			start++
			continue
		}
		end := start
		for end < len(s) && nameByte(s[end]) {
			end++
		}
		word := strings.ToLower(strings.Trim(s[start:end], ".-:/"))
		if t, ok := x.find(word); ok && t.Server != server && !own[word] && !own[strings.ToLower(t.Name)] && !seen[word] {
			seen[word] = true
			out = append(out, Match{Kind: Reference, Against: t, How: "tool"})
		}
		start = end
	}
	return append(out, x.quoted(server, own, s, seen)...)
}

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

// quoted finds single-word names where the text marks them as tools.
func (x *Index) quoted(server string, own map[string]bool, s string, seen map[string]bool) []Match {
	var out []Match
	lower := strings.ToLower(s)
	for name, srv := range x.servers {
		if srv == server || len(name) < 4 || seen["@"+name] || own[name] {
			continue
		}
		for _, form := range []string{" " + name + " server", "`" + name + "`", " " + name + " tool", "'" + name + "'", "\"" + name + "\"", "the " + name + " mcp", " " + name + "'s "} {
			if strings.Contains(lower, form) {
				seen["@"+name] = true
				out = append(out, Match{Kind: Reference, Against: Tool{Server: srv}, How: "server"})
				break
			}
		}
	}
	return out
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.' || c == ':' || c == '/'
}
