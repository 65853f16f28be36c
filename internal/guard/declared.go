package guard

import (
	"strings"

	"durward/internal/mcpwire"
)

// declares reports whether the tool's schema has a field for a credential at a
// JSON Pointer of the arguments. A field that it does not have may be called
// whatever its sender likes.
func (s *Scope) declares(pointer string) bool {
	names := strings.Split(pointer, "/")[1:]
	for i, n := range names {
		names[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(n)
	}
	for i := len(names) - 1; i >= 0; i-- { // a list takes several of what its name says
		if !isIndex(names[i]) {
			w := follower{s.op.InputSchema, mostSteps}
			return takesCredential(names[i]) && w.has(w.root, names, 0)
		}
	}
	return false
}

func isIndex(name string) bool { return name != "" && strings.Trim(name, "0123456789") == "" }

// takesCredential reports names of fields that take credentials where they are
// declared.
func takesCredential(name string) bool {
	if asksSecret(name) {
		return true
	}
	ws := partsOf(name)
	for _, w := range ws {
		switch w {
		case "page", "next", "cursor", "continuation", "sync", "max", "count", "limit", "tokens":
			return false
		}
	}
	for _, w := range ws {
		switch w {
		case "token", "auth", "authorization", "bearer", "jwt", "pat", "credentials":
			return true
		}
	}
	return false
}

func partsOf(name string) []string {
	var b strings.Builder
	for i, c := range name {
		if i > 0 && 'A' <= c && c <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return strings.FieldsFunc(strings.ToLower(b.String()), func(r rune) bool { return r == ' ' || r == '_' || r == '-' || r == '.' })
}

// stranger reports a field that a schema with fields of its own does not have,
// where a credential's name was given to it.
func (s *Scope) stranger(pointer string) bool {
	parent, name, _ := cutLast(pointer)
	if !asksSecret(name) || s.declares(pointer) {
		return false
	}
	if parent == "" {
		_, ok := mcpwire.Field(object(s.op.InputSchema), "properties")
		return ok
	}
	return false
}

func cutLast(pointer string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(pointer, '/')
	if i < 0 {
		return "", "", false
	}
	return pointer[:i], pointer[i+1:], true
}

func object(v []byte) []byte {
	if !mcpwire.IsObject(v) {
		return []byte("{}")
	}
	return v
}

// Bounds on how a schema is followed: servers write it.
const (
	deepestField = 24 // references included
	mostSteps    = 2000
)

// follower follows names through a schema.
type follower struct {
	root []byte
	left int
}

func (w *follower) has(schema []byte, names []string, depth int) bool {
	if w.left--; w.left < 0 || depth > deepestField || !mcpwire.IsObject(schema) {
		return false
	}
	if len(names) == 0 {
		return true
	}
	if props, ok := mcpwire.Field(schema, "properties"); ok && mcpwire.IsObject(props) {
		if sub, ok := mcpwire.Field(props, names[0]); ok && w.has(sub, names[1:], depth+1) {
			return true
		}
	}
	if items, ok := mcpwire.Field(schema, "items"); ok && isIndex(names[0]) && w.has(items, names[1:], depth+1) {
		return true
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		list, ok := mcpwire.Field(schema, key)
		if !ok || len(list) == 0 || list[0] != '[' {
			continue
		}
		for sub := range mcpwire.Elements(list) {
			if w.has(sub, names, depth+1) {
				return true
			}
		}
	}
	return w.referred(schema, names, depth)
}

func (w *follower) referred(schema []byte, names []string, depth int) bool {
	ref, ok := mcpwire.FieldText(schema, "$ref")
	path, local := strings.CutPrefix(ref, "#/")
	if !ok || !local {
		return false
	}
	at := w.root
	for _, name := range strings.Split(path, "/") {
		if !mcpwire.IsObject(at) {
			return false
		}
		if at, ok = mcpwire.Field(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(name)); !ok {
			return false
		}
	}
	return w.has(at, names, depth+1)
}
