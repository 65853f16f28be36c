package scan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"durward"
	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// LargestDocument bounds a file that is read as a whole; JSON lines have no bound.
const LargestDocument = 16 << 20

// AreLines looks at the beginning of a file and reports whether it holds JSON
// lines: by its name, or because its first line is one.
func AreLines(source string, r *bufio.Reader) bool {
	switch filepath.Ext(source) {
	case ".jsonl", ".ndjson":
		return true
	}
	start, _ := r.Peek(r.Size()) // an error shows when it is read
	first := bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), " \t\r\n")
	line, _, ended := bytes.Cut(first, []byte("\n"))
	if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' {
		return false
	}
	if !ended && len(start) == r.Size() { // a long line: its beginning tells
		return bytes.Contains(line, []byte(`"kind"`)) && idOf(line) != nil
	}
	var l struct{ Kind *string }
	return json.Unmarshal(line, &l) == nil && l.Kind != nil
}

// ReadDocument reads a file as a whole.
func ReadDocument(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, LargestDocument+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > LargestDocument {
		return nil, fmt.Errorf("larger than %d MiB; only JSON lines may be", LargestDocument>>20)
	}
	return raw, nil
}

// Document scans a file as people have it: a tools/list result, a list of
// definitions, one definition, or anything else as a text.
func (s *Scanner) Document(source string, raw []byte) error {
	s.doc = raw
	defer func() { s.doc = nil }()
	doc := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	if err := mcpwire.Value(doc, mcpwire.Limits{Bytes: LargestDocument}); err != nil {
		if meansDefinitions(doc) {
			return s.broken(source, raw, err)
		}
		return s.Text(source, "", raw)
	}
	if defs, ok := definitionsOf(doc); ok {
		return s.Definitions(source, defs)
	}
	if result, ok := mcpwire.Field(doc, "result"); ok && mcpwire.IsObject(doc) && mcpwire.IsObject(result) {
		if defs, ok := definitionsOf(result); ok {
			return s.Definitions(source, defs)
		}
	}
	return s.Text(source, "", raw)
}

// broken reports definitions that cannot be read, and what the text of them
// shows: that it shows nothing does not make them clean.
func (s *Scanner) broken(source string, raw []byte, why error) error {
	if err := s.Fail(&Failure{Source: source, Error: "definitions that cannot be read: " + why.Error()}); err != nil {
		return err
	}
	r := s.engine.Text(raw)
	if r.Effect == durward.Allow {
		return nil
	}
	return s.say(&Result{Source: source, Part: "(as text)", Verdict: verdict(nil, r, -1), raw: raw})
}

// meansDefinitions reports a broken value that was to hold definitions: two
// readers see two things in one that has a key twice, and what is cut off is
// not all.
func meansDefinitions(doc []byte) bool {
	open := doc[:min(len(doc), 1)]
	if rest := bytes.TrimLeft(doc[len(open):], " \t\r\n"); len(rest) == 0 || rest[0] != '"' && rest[0] != '{' {
		return false
	}
	if string(open) != "{" && string(open) != "[" {
		return false
	}
	for _, mark := range []string{`"tools"`, `"prompts"`, `"resources"`, `"resourceTemplates"`, `"inputSchema"`, `"description"`, `"uriTemplate"`} {
		if bytes.Contains(doc, []byte(mark)) {
			return true
		}
	}
	return false
}

// definitionsOf are the definitions that a JSON value holds, if that is what it is for.
func definitionsOf(doc []byte) (all [][]byte, ok bool) {
	switch {
	case mcpwire.IsArray(doc):
		all = elements(doc)
		for _, d := range all {
			if !isDefinition(d) {
				return nil, false
			}
		}
		return all, len(all) > 0
	case !mcpwire.IsObject(doc):
		return nil, false
	}
	for _, list := range []string{"tools", "prompts", "resources", "resourceTemplates"} {
		if v, has := mcpwire.Field(doc, list); has && mcpwire.IsArray(v) {
			all, ok = append(all, elements(v)...), true
		}
	}
	if ok || !isDefinition(doc) {
		return all, ok
	}
	return [][]byte{doc}, true
}

func isDefinition(d []byte) bool {
	if !mcpwire.IsObject(d) {
		return false
	}
	if _, ok := mcpwire.FieldText(d, "name"); !ok {
		return false
	}
	for _, mark := range []string{"description", "inputSchema", "annotations", "uri", "uriTemplate", "arguments"} {
		if _, ok := mcpwire.Field(d, mark); ok {
			return true
		}
	}
	return false
}

func elements(list []byte) [][]byte {
	var out [][]byte
	for v := range mcpwire.Elements(list) {
		out = append(out, v)
	}
	return out
}

// Definitions scans the definitions of one server, each and together.
func (s *Scanner) Definitions(server string, defs [][]byte) error {
	return s.Among(server, defs, nil)
}

// Among scans the definitions of one server, each, together, and against the
// tools of other servers that the same agents would see.
func (s *Scanner) Among(server string, defs [][]byte, others *guard.Registry) error {
	for i, d := range defs {
		called, ok := mcpwire.FieldText(d, "name")
		if !ok {
			called = strconv.Itoa(i)
		}
		r := s.engine.Definition(d)
		if others != nil {
			r.Merge(s.engine.Shadowing(server, d, others))
		}
		if err := s.say(&Result{Source: server, Part: called, Verdict: verdict(nil, r, -1), raw: d}); err != nil {
			return err
		}
	}
	joint := s.engine.List(defs)
	if len(joint.Findings) == 0 {
		return nil
	}
	return s.say(&Result{Source: server, Part: "(all together)", Verdict: verdict(nil, joint, -1)})
}

// Instructions scans what a server says of itself to the model.
func (s *Scanner) Instructions(server, text string) error {
	if text == "" {
		return nil
	}
	raw, err := json.Marshal(map[string]string{"description": text})
	if err != nil {
		return err
	}
	return s.say(&Result{Source: server, Part: "(instructions)", Verdict: verdict(nil, s.engine.Definition(raw), -1), raw: raw})
}

// Text scans a text as a server might send it.
func (s *Scanner) Text(source, part string, raw []byte) error {
	return s.say(&Result{Source: source, Part: part, Verdict: verdict(nil, s.engine.Text(raw), -1), raw: raw})
}

// Configuration looks for credentials in the clear in a file that declares
// servers. Nothing is redacted there: they are flagged.
func (s *Scanner) Configuration(source string, raw []byte) error {
	s.doc = raw
	defer func() { s.doc = nil }()
	r := guard.NewReport()
	for _, f := range s.engine.Text(raw).Findings {
		var start, end int
		if f.Rule != "secret.credential" {
			continue
		}
		if n, err := fmt.Sscanf(f.Where, "bytes %d-%d", &start, &end); n == 2 && err == nil && start <= len(raw) {
			f.Where = "line " + strconv.Itoa(lineAt(raw, start))
			if names := pathAt(raw, start); names != "" {
				f.Where += ", " + names
			}
		}
		r.Findings, r.Score = append(r.Findings, f), max(r.Score, f.Score)
	}
	v := verdict(nil, r, -1)
	if len(r.Findings) > 0 {
		v.Verdict = "flag"
	}
	return s.say(&Result{Source: source, Verdict: v})
}

// Approve makes a registry of what other servers list.
func Approve(servers map[string][][]byte) *guard.Registry {
	var all []guard.Approved
	for server, defs := range servers {
		for _, d := range defs {
			name, _ := mcpwire.FieldText(d, "name")
			description, _ := mcpwire.FieldText(d, "description")
			all = append(all, guard.Approved{Server: server, Name: name, Description: description})
		}
	}
	return guard.NewRegistry(all)
}
