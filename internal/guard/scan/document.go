package scan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"durward/internal/guard"
	"durward/internal/mcpwire"
)

// Document scans one file as people have it: a tools/list result, a list of
// definitions, one definition, lines of the JSONL form, or plain text. name
// stands before the names of its parts.
func Document(e *guard.Engine, name string, raw []byte) ([]Result, error) {
	trimmed := bytes.TrimSpace(raw)
	switch {
	case mcpwire.Value(trimmed, mcpwire.Limits{Bytes: longestLine}) != nil:
		if lines, ok := asLines(trimmed); ok {
			return eachLine(e, name, lines)
		}
		return []Result{{name, verdict(&Line{ID: orNull(nil)}, e.Text(raw), -1)}}, nil
	case mcpwire.IsArray(trimmed):
		return Tools(e, name, elements(trimmed)), nil
	}
	if _, ok := mcpwire.Field(trimmed, "kind"); ok {
		return eachLine(e, name, [][]byte{trimmed})
	}
	for _, list := range []string{"tools", "prompts", "resources", "resourceTemplates"} {
		if v, ok := mcpwire.Field(trimmed, list); ok && mcpwire.IsArray(v) {
			return Tools(e, name, elements(v)), nil
		}
	}
	if v, ok := mcpwire.Field(trimmed, "result"); ok && mcpwire.IsObject(v) {
		return Document(e, name, v)
	}
	return Tools(e, name, [][]byte{trimmed}), nil
}

// Tools scans the definitions of one server, each and together. It is what a
// scan of a live server calls with its listings.
func Tools(e *guard.Engine, server string, definitions [][]byte) []Result {
	var out []Result
	for i, d := range definitions {
		called, ok := mcpwire.FieldText(d, "name")
		if !ok {
			called = fmt.Sprintf("%d", i)
		}
		out = append(out, Result{server + "/" + called, verdict(&Line{ID: orNull(nil)}, e.Definition(d), -1)})
	}
	if joint := e.List(definitions); len(joint.Findings) > 0 {
		out = append(out, Result{server + "/*", verdict(&Line{ID: orNull(nil)}, joint, -1)})
	}
	return out
}

func elements(list []byte) [][]byte {
	var out [][]byte
	for v := range mcpwire.Elements(list) {
		out = append(out, v)
	}
	return out
}

// asLines parts a text of JSON objects, one a line.
func asLines(raw []byte) ([][]byte, bool) {
	var out [][]byte
	for _, line := range bytes.Split(raw, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if line[0] != '{' || !json.Valid(line) {
			return nil, false
		}
		out = append(out, line)
	}
	return out, len(out) > 1
}

func eachLine(e *guard.Engine, name string, lines [][]byte) ([]Result, error) {
	var out []Result
	for i, raw := range lines {
		var l Line
		if err := json.Unmarshal(raw, &l); err != nil {
			return out, fmt.Errorf("%s line %d: %w", name, i+1, err)
		}
		v, err := One(e, &l)
		if err != nil {
			return out, fmt.Errorf("%s line %d: %w", name, i+1, err)
		}
		out = append(out, Result{name + ":" + strings.Trim(string(l.ID), `"`), v})
	}
	return out, nil
}

// Stopped counts the results that were held or blocked.
func Stopped(results []Result) int {
	n := 0
	for _, r := range results {
		if r.Verdict.Verdict == "hold" || r.Verdict.Verdict == "block" {
			n++
		}
	}
	return n
}
