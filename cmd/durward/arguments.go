package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

const maxArguments = 16 << 20

// schema is the part of a JSON Schema that guides what a person types.
type schema struct {
	Type       any               `json:"type"` // a word or a list of them
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	Enum       []any             `json:"enum"`
	Header     string            `json:"x-mcp-header"`

	Title       string   `json:"title"`
	Description string   `json:"description"`
	Default     any      `json:"default"`
	Required    []string `json:"required"`
	OneOf       []struct {
		Const string `json:"const"`
		Title string `json:"title"`
	} `json:"oneOf"`
}

// readSchema understands what it can; a schema of another shape guides nothing.
func readSchema(raw json.RawMessage) schema {
	var s schema
	_ = json.Unmarshal(raw, &s)
	return s
}

// types are the types that a schema allows; none means that it does not say.
func (s schema) types() []string {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var all []string
		for _, v := range t {
			if word, ok := v.(string); ok {
				all = append(all, word)
			}
		}
		return all
	}
	return nil
}

func (s schema) is(kind string) bool { return slices.Contains(s.types(), kind) }

// readArguments joins --json and k=v words to the arguments of a call.
func (a *app) readArguments(s schema, whole string, words []string) (map[string]any, error) {
	out, err := a.wholeArguments(whole)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, w := range words {
		name, text, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, usagef("%q is no argument; write name=value, or --json '{...}'", w)
		}
		prop := s.Properties[name]
		v := value(prop, text)
		if before, again := out[name].([]any); seen[name] && again && prop.is("array") {
			if more, ok := v.([]any); ok {
				v = append(before, more...)
			}
		}
		out[name], seen[name] = v, true
	}
	return out, nil
}

// wholeArguments reads --json: the object itself, @file, or - for the input.
func (a *app) wholeArguments(whole string) (map[string]any, error) {
	out := map[string]any{}
	if whole == "" {
		return out, nil
	}
	raw := []byte(whole)
	var err error
	switch {
	case whole == "-":
		raw, err = io.ReadAll(io.LimitReader(a.in, maxArguments))
	case strings.HasPrefix(whole, "@"):
		raw, err = os.ReadFile(whole[1:])
	}
	if err != nil {
		return nil, fmt.Errorf("read --json: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		return nil, usagef("--json is not a JSON object: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, usagef("--json holds more than one JSON object")
	}
	return out, nil
}

// value is what a person means by text: a string where the schema says so,
// JSON where the schema does not want a string and text is JSON, else a string.
func value(s schema, text string) any {
	if s.is("string") {
		if text == "null" && s.is("null") {
			return nil
		}
		return text
	}
	v, err := parseJSON(text)
	if s.is("array") {
		if list, ok := v.([]any); ok && err == nil {
			return list
		}
		return listed(s, text)
	}
	if err != nil {
		return text
	}
	if _, quoted := v.(string); quoted && s.Type == nil {
		return text // quotes that were typed are meant
	}
	return v
}

// listed reads "a,b" as a list.
func listed(s schema, text string) []any {
	items := schema{}
	if s.Items != nil {
		items = *s.Items
	}
	out := []any{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, value(items, part))
		}
	}
	return out
}

// parseJSON reads exactly one JSON value and keeps numbers as they were typed.
func parseJSON(text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// paramHeaders are the arguments that travel as headers too (MCP 2026-07-28, x-mcp-header).
func paramHeaders(s schema, args map[string]any) map[string]string {
	out := map[string]string{}
	for name, prop := range s.Properties {
		v, ok := args[name]
		if !ok || v == nil {
			continue
		}
		if below, isObject := v.(map[string]any); isObject {
			maps.Copy(out, paramHeaders(prop, below))
			continue
		}
		if prop.Header != "" {
			out["Mcp-Param-"+prop.Header] = fmt.Sprint(v)
		}
	}
	return out
}
