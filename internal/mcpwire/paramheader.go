package mcpwire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"durward"
)

// maxParamHeaders bounds the annotations of one tool: each costs every call a
// look into its arguments.
const maxParamHeaders = 64

// ParamHeaders reads the x-mcp-header annotations of a tool's inputSchema. An
// error says why the annotations, and with them the tool, are invalid: an HTTP
// client has to drop such a tool from its list (MCP 2026-07-28, custom headers
// from tool parameters).
func ParamHeaders(inputSchema []byte) ([]durward.ParamHeader, error) {
	if !bytes.Contains(inputSchema, []byte("x-mcp-header")) && !bytes.Contains(inputSchema, []byte(`\u`)) {
		return nil, nil // nearly every schema; an escape could spell the key
	}
	w := paramWalk{src: inputSchema, seen: map[string]bool{}}
	if _, err := w.schema(skipSpace(inputSchema, 0), place{reachable: true}); err != nil {
		return nil, err
	}
	return w.out, nil
}

// paramWalk reads a schema once, from front to back. Its methods take the
// index of what they read and return the index behind it.
type paramWalk struct {
	src  []byte
	out  []durward.ParamHeader
	seen map[string]bool // lower-case header names
}

// place is where a schema stands.
type place struct {
	path      []string // of properties from the root
	depth     int      // of schemas
	reachable bool     // only properties led here
}

// below returns the place of a schema that is reached by anything but a property.
func (p place) below() place { return place{p.path, p.depth + 1, false} }

// property returns the place of a property's schema.
func (p place) property(name string) place {
	return place{append(p.path[:len(p.path):len(p.path)], name), p.depth + 1, p.reachable}
}

var errSchemaDepth = errors.New("the schema is nested too deeply")

// schema reads one schema. Its annotation is judged at the end, when its type
// has been seen.
func (w *paramWalk) schema(i int, p place) (int, error) {
	if p.depth > MaxDepth {
		return i, errSchemaDepth
	}
	var annotation, kind []byte
	end, err := w.object(i, func(key string, v int) (int, error) {
		switch key {
		case "x-mcp-header":
			annotation = w.src[v:skipValue(w.src, v)]
		case "type":
			kind = w.src[v:skipValue(w.src, v)]
		case "properties":
			return w.object(v, func(name string, v int) (int, error) { return w.schema(v, p.property(name)) })
		case "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
			return w.object(v, func(_ string, v int) (int, error) { return w.schema(v, p.below()) })
		case "items", "prefixItems", "contains", "additionalItems", "unevaluatedItems", "additionalProperties",
			"unevaluatedProperties", "propertyNames", "oneOf", "anyOf", "allOf", "not", "if", "then", "else", "contentSchema":
			return w.unreachable(v, p.below())
		}
		return skipValue(w.src, v), nil
	})
	if err != nil || annotation == nil {
		return end, err
	}
	return end, w.annotation(annotation, kind, p)
}

// unreachable reads a schema or an array of schemas.
func (w *paramWalk) unreachable(i int, p place) (int, error) {
	if i >= len(w.src) || w.src[i] != '[' {
		return w.schema(i, p)
	}
	for i = skipSpace(w.src, i+1); i < len(w.src) && w.src[i] != ']'; i = skipSpace(w.src, i+1) {
		end, err := w.schema(i, p)
		if err != nil {
			return end, err
		}
		if i = skipSpace(w.src, end); i >= len(w.src) || w.src[i] != ',' {
			break
		}
	}
	return min(i+1, len(w.src)), nil
}

// object gives each member to read; what is no object is skipped.
func (w *paramWalk) object(i int, read func(key string, v int) (int, error)) (int, error) {
	src := w.src
	if i >= len(src) || src[i] != '{' {
		return skipValue(src, i), nil
	}
	for i = skipSpace(src, i+1); i < len(src) && src[i] == '"'; i = skipSpace(src, i+1) {
		key := skipString(src, i)
		v := skipSpace(src, key)
		if key-i < 2 || v >= len(src) || src[v] != ':' {
			break
		}
		end, err := read(rawText(src[i+1:key-1]), skipSpace(src, v+1))
		if err != nil {
			return end, err
		}
		if i = skipSpace(src, end); i >= len(src) || src[i] != ',' {
			break
		}
	}
	return min(i+1, len(src)), nil
}

func (w *paramWalk) annotation(v, kind []byte, p place) error {
	name, ok := Text(v)
	if !ok || !isToken(name) {
		return fmt.Errorf("x-mcp-header %.64s is no header name", v)
	}
	if !p.reachable || len(p.path) == 0 {
		return fmt.Errorf("x-mcp-header %q is not reachable through properties alone", clip(name))
	}
	primitive, _ := Text(kind)
	if primitive != "string" && primitive != "integer" && primitive != "boolean" {
		return fmt.Errorf("x-mcp-header %q is on a parameter that is no string, integer or boolean", clip(name))
	}
	low := strings.ToLower(name)
	if w.seen[low] {
		return fmt.Errorf("x-mcp-header %q appears twice", clip(name))
	}
	if len(w.out) == maxParamHeaders {
		return fmt.Errorf("more than %d x-mcp-header annotations", maxParamHeaders)
	}
	w.seen[low] = true
	w.out = append(w.out, durward.ParamHeader{Header: name, Path: p.path, Type: primitive})
	return nil
}

// isToken reports whether s is an RFC 9110 token.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
