package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"durward"
)

const (
	maxProblems = 100     // more help nobody
	maxVisits   = 100_000 // of nodes: aliases may repeat a part of the file often
)

// reader fills the types of file.go from nodes and gathers what is wrong.
type reader struct {
	file     string
	refs     references
	problems Problems
	warnings Problems
	places   map[string]place
	visits   int
}

// place is where a key and its value are in the file.
type place struct{ key, value *yaml.Node }

func (r *reader) fail(at *yaml.Node, path, text, hint string) {
	if len(r.problems) >= maxProblems {
		return
	}
	r.problems = append(r.problems, r.problem(at, path, text, hint))
}

func (r *reader) warn(at *yaml.Node, path, text, hint string) {
	if len(r.warnings) >= maxProblems {
		return
	}
	r.warnings = append(r.warnings, r.problem(at, path, text, hint))
}

func (r *reader) problem(at *yaml.Node, path, text, hint string) Problem {
	p := Problem{File: r.file, Path: path, Text: text, Hint: hint}
	if at != nil {
		p.Line, p.Column = at.Line, at.Column
	}
	return p
}

// read fills v, a value of one of the types of file.go.
func (r *reader) read(n *yaml.Node, v reflect.Value, words, path string) {
	if r.visits++; r.visits > maxVisits {
		if r.visits == maxVisits+1 {
			r.fail(n, path, "the file repeats too much", "use fewer aliases (*)")
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch into := v.Addr().Interface().(type) {
	case *ignored:
	case *anything:
		if err := n.Decode(&into.value); err != nil {
			r.fail(n, path, "cannot be read", "")
		}
	case *clientOnly, *later:
		panic("read by its mapping") // it needs the doc of its field
	case *secrets:
		*into = make(secrets, 1)
		r.oneOrMore(n, &(*into)[0], reflect.ValueOf(into).Elem(), path)
	case *baits:
		*into = make(baits, 1)
		r.oneOrMore(n, &(*into)[0], reflect.ValueOf(into).Elem(), path)
	case scalar:
		r.scalar(n, into, words, path)
	default:
		r.collection(n, v, path)
	}
}

func (r *reader) collection(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return // a key with nothing after it
	}
	switch v.Kind() {
	case reflect.Struct:
		r.mapping(n, path, func(key, value *yaml.Node) { r.field(key, value, v, path) })
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		r.mapping(n, path, func(key, value *yaml.Node) {
			one := reflect.New(v.Type().Elem()).Elem()
			r.read(value, one, "", r.at(path, key, value))
			v.SetMapIndex(reflect.ValueOf(key.Value), one)
		})
	case reflect.Slice:
		r.list(n, v, path)
	default:
		panic("no way to read " + v.Type().String())
	}
}

// mapping calls each for the keys of a mapping, once for each.
func (r *reader) mapping(n *yaml.Node, path string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, "is "+kindOf(n)+", not a mapping of keys to values", "")
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(key, path, "has a key that is "+kindOf(key), "")
		case key.ShortTag() == "!!merge":
			r.fail(key, path, "<< is not supported", "write the keys out")
		case seen[key.Value] != nil:
			r.fail(key, join(path, key.Value), fmt.Sprintf("is there twice, first in line %d", seen[key.Value].Line), "")
		default:
			seen[key.Value] = key
			each(key, value)
		}
	}
}

// field reads the value of one key of a struct.
func (r *reader) field(key, value *yaml.Node, v reflect.Value, path string) {
	f, ok := fieldOf(v.Type(), key.Value)
	if !ok {
		hint := ""
		if len(r.problems) >= maxProblems {
			return
		}
		if near := durward.Closest(key.Value, keysOf(v.Type())); near != "" {
			hint = "did you mean " + near + "?"
		}
		r.fail(key, join(path, shown(key.Value)), "is an unknown key", hint)
		return
	}
	into := v.FieldByIndex(f.Index)
	at := r.at(path, key, value)
	switch into.Interface().(type) {
	case clientOnly:
		r.warn(key, at, "has no effect here", f.Tag.Get("doc"))
	case later:
		r.fail(key, at, "is not available", f.Tag.Get("doc"))
	default:
		r.read(value, into, f.Tag.Get("words"), at)
	}
}

func (r *reader) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, path, "is "+kindOf(n)+", not a list", "write it as [a, b]")
		return
	}
	if len(n.Content) > maxVisits {
		r.fail(n, path, "is too long", "")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.places[at] = place{key: item, value: item}
		r.read(item, out.Index(i), "", at)
	}
	v.Set(out)
}

// oneOrMore reads a list, or its only element in its place.
func (r *reader) oneOrMore(n *yaml.Node, one scalar, list reflect.Value, path string) {
	if n.Kind == yaml.SequenceNode {
		r.list(n, list, path)
		return
	}
	r.scalar(n, one, "", path)
}

func (r *reader) scalar(n *yaml.Node, into scalar, words, path string) {
	if n.Kind != yaml.ScalarNode {
		r.fail(n, path, "is "+kindOf(n)+", not "+wanted(into), "")
		return
	}
	value, quotable := n.Value, mayQuote(into)
	if n.ShortTag() == "!!str" {
		expanded, found, refused := r.refs.expand(value)
		if refused != nil {
			r.fail(n, path, refused.text, refused.hint)
			return
		}
		if found {
			quotable = false // what came from elsewhere is a secret
		} else if !accepts(into, "!!str") {
			r.fail(n, path, "is text, not "+wanted(into), "")
			return
		}
		value = expanded
	} else if !accepts(into, n.ShortTag()) {
		hint := ""
		switch {
		case isTime(into) && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float"):
			hint = fmt.Sprintf("write its unit: %ss, %sm or %sh", n.Value, n.Value, n.Value)
		case accepts(into, "!!str"):
			hint = "put it in quotes"
		}
		r.fail(n, path, "is "+kindOf(n)+", not "+wanted(into), hint)
		return
	}
	if refused := check(into, value, words); refused != nil {
		text := refused.text
		if quotable {
			text = fmt.Sprintf("%q %s", shown(value), text)
		}
		r.fail(n, path, text, refused.hint)
	}
}

func check(into scalar, value, words string) *refusal {
	if words != "" {
		allowed := strings.Split(words, "|")
		for _, w := range allowed {
			if w == value {
				return into.parse(value)
			}
		}
		if near := durward.Closest(value, allowed); near != "" {
			return &refusal{text: "is not known", hint: "did you mean " + near + "?"}
		}
		return &refusal{text: "is not known", hint: "use one of " + strings.Join(allowed, ", ")}
	}
	return into.parse(value)
}

// at remembers where a key is and returns its path.
func (r *reader) at(path string, key, value *yaml.Node) string {
	full := join(path, key.Value)
	r.places[full] = place{key: key, value: value}
	return full
}

func join(path, key string) string {
	if strings.ContainsAny(key, ". []\"\n\t") || key == "" {
		return fmt.Sprintf("%s[%q]", path, shown(key))
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func accepts(s scalar, tag string) bool {
	for _, t := range s.accepts() {
		if t == tag {
			return true
		}
	}
	return false
}

// mayQuote tells whether an error may repeat a value that stands in the file.
func mayQuote(s scalar) bool {
	switch s.(type) {
	case *secret, *bait, *loose, *text, *link:
		return false
	}
	return true
}

func wanted(s scalar) string {
	if isTime(s) {
		return "a duration"
	}
	switch s.accepts()[0] {
	case "!!int":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "text"
}

// isTime tells the kinds that are written with a unit of time.
func isTime(s scalar) bool {
	switch s.(type) {
	case *duration, *every, *period, *clientTimeout:
		return true
	}
	return false
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	case "!!str":
		return "text"
	}
	return "of an unknown type"
}

// fieldOf finds the field of a key, in embedded structs too.
func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if k := f.Tag.Get("key"); k != "" && k == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// keysOf lists the keys that have a meaning.
func keysOf(t reflect.Type) (keys []string) {
	for _, f := range reflect.VisibleFields(t) {
		k := f.Tag.Get("key")
		if k != "" && f.Type != reflect.TypeFor[clientOnly]() && f.Type != reflect.TypeFor[later]() {
			keys = append(keys, k)
		}
	}
	return keys
}

func (v duration) value() time.Duration { return time.Duration(v) }
