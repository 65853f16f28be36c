package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/BurntSushi/toml"
)

// document is what one file declares.
type document struct {
	entries []entry
	bad     []fault
	off     map[string][]string // names that a person switched off, by project folder
}

// fault is a part of a file that could not be read.
type fault struct{ place, text string }

// entry is one declaration, not yet understood.
type entry struct {
	section string // "mcpServers"
	name    string
	client  Client
	project string // the folder that the declaration belongs to, if any
	spec    json.RawMessage
	off     bool
}

func (e entry) place() string { return e.section + "." + e.name }

func (d *document) fault(place, format string, args ...any) {
	d.bad = append(d.bad, fault{place, fmt.Sprintf(format, args...)})
}

// jsonFile holds the places where a JSON configuration may declare servers.
type jsonFile struct {
	MCPServers json.RawMessage `json:"mcpServers"` // nearly everybody
	Servers    json.RawMessage `json:"servers"`    // VS Code, mcp.json
	MCP        json.RawMessage `json:"mcp"`        // VS Code, settings.json; Gemini's switches
	Projects   json.RawMessage `json:"projects"`   // Claude Code
}

// parseJSON reads JSON as editors allow it: with comments and trailing commas.
func parseJSON(raw []byte) document {
	var d document
	var f jsonFile
	raw = plain(raw)
	if err := json.Unmarshal(raw, &f); err != nil {
		d.fault(where(raw, err), "is not valid JSON: %s", reason(err))
		return d
	}
	d.servers("mcpServers", "", f.MCPServers)
	d.servers("servers", "", f.Servers)
	d.projects(f.Projects)
	d.mcp(f.MCP)
	return d
}

// servers reads a map of name to declaration.
func (d *document) servers(section, project string, raw json.RawMessage) {
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		d.fault(section, "is not an object of servers")
		return
	}
	double := twice(raw)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if double[name] {
			d.fault(section+"."+name, "is declared twice; remove one, and import again")
			continue
		}
		d.entries = append(d.entries, entry{section: section, name: name, project: project, spec: all[name]})
	}
}

// twice tells which keys an object has more than once.
func twice(object []byte) map[string]bool {
	seen := map[string]bool{} // true: again
	dec := json.NewDecoder(bytes.NewReader(object))
	_, err := dec.Token() // the brace
	for err == nil && dec.More() {
		var key json.Token
		if key, err = dec.Token(); err != nil {
			break
		}
		name, _ := key.(string)
		_, seen[name] = seen[name]
		var value json.RawMessage
		err = dec.Decode(&value)
	}
	return seen
}

// projects reads what Claude Code keeps for each folder.
func (d *document) projects(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		d.fault("projects", "is not an object of folders")
		return
	}
	d.off = map[string][]string{}
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		var p struct {
			MCPServers json.RawMessage `json:"mcpServers"`
			Off        []string        `json:"disabledMcpServers"`
			OffShared  []string        `json:"disabledMcpjsonServers"`
		}
		if err := json.Unmarshal(all[dir], &p); err != nil {
			d.fault("projects."+dir, "has an unexpected shape")
			continue
		}
		d.off[dir] = append(p.Off, p.OffShared...)
		d.servers("mcpServers", dir, p.MCPServers)
	}
}

// mcp reads VS Code's older place for servers, and Gemini's list of those that may run.
func (d *document) mcp(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var m struct {
		Servers  json.RawMessage `json:"servers"`
		Allowed  []string        `json:"allowed"`
		Excluded []string        `json:"excluded"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		d.fault("mcp", "has an unexpected shape")
		return
	}
	for i, e := range d.entries {
		notAllowed := len(m.Allowed) > 0 && !slices.Contains(m.Allowed, e.name)
		d.entries[i].off = notAllowed || slices.Contains(m.Excluded, e.name)
	}
	d.servers("mcp.servers", "", m.Servers)
}

// parseTOML reads Codex's [mcp_servers.NAME] tables.
func parseTOML(raw []byte) document {
	var d document
	var f struct {
		Servers map[string]map[string]any `toml:"mcp_servers"`
	}
	if _, err := toml.Decode(string(raw), &f); err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			d.fault(fmt.Sprintf("%d:%d", at.Position.Line, at.Position.Col), "is not valid TOML: %s", at.Message)
			return d
		}
		d.fault("mcp_servers", "is not a table of servers")
		return d
	}
	for _, name := range slices.Sorted(maps.Keys(f.Servers)) {
		spec, err := json.Marshal(f.Servers[name])
		if err != nil {
			d.fault("mcp_servers."+name, "holds a value that no server can have")
			continue
		}
		d.entries = append(d.entries, entry{section: "mcp_servers", name: name, spec: spec})
	}
	return d
}

// plain turns JSON with comments, trailing commas and a byte order mark into
// JSON of the same length, so that places stay right.
func plain(raw []byte) []byte {
	if json.Valid(raw) {
		return raw
	}
	out := bytes.Clone(raw)
	if bytes.HasPrefix(out, []byte("\xef\xbb\xbf")) {
		blank(out[:3])
	}
	comma := -1 // a comma that nothing but space has followed yet
	for i := 0; i < len(out); {
		n := tokenAt(out[i:])
		switch {
		case isComment(out[i:]):
			blank(out[i : i+n])
		case out[i] == ',':
			comma = i
		case (out[i] == '}' || out[i] == ']') && comma >= 0:
			out[comma] = ' '
			comma = -1
		case !isSpace(out[i]):
			comma = -1
		}
		i += n
	}
	return out
}

// tokenAt is the length of the string or comment at the start of b, else 1.
func tokenAt(b []byte) int {
	switch {
	case b[0] == '"':
		for i := 1; i < len(b); i++ {
			switch b[i] {
			case '\\':
				i++
			case '"', '\n':
				return i + 1
			}
		}
		return len(b)
	case bytes.HasPrefix(b, []byte("//")):
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return i
		}
		return len(b)
	case bytes.HasPrefix(b, []byte("/*")):
		if i := bytes.Index(b[2:], []byte("*/")); i >= 0 {
			return i + 4
		}
		return len(b)
	}
	return 1
}

func isComment(b []byte) bool { return len(b) > 1 && b[0] == '/' && (b[1] == '/' || b[1] == '*') }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func blank(b []byte) {
	for i, c := range b {
		if c != '\n' {
			b[i] = ' '
		}
	}
}

// where is the line and column of a JSON error.
func where(raw []byte, err error) string {
	at := int64(len(raw))
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	}
	before := raw[:max(0, min(at-1, int64(len(raw))))]
	line := 1 + bytes.Count(before, []byte("\n"))
	return fmt.Sprintf("%d:%d", line, len(before)-bytes.LastIndexByte(before, '\n'))
}

// reason is a JSON error without a value of the file in it.
func reason(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return "the file must be one object"
	}
	return err.Error()
}
