package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// What texts look like to the schema: without references, and with some.
const (
	literalPattern   = `^([^$]|\$\$\{|\$+([^${]|$))*$`
	referencePattern = `^([^$]|\$\$\{|\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^}]+)\}|\$+([^${]|$))*$`
	aReference       = `\$\{(env|file):`
)

// Schema is the JSON Schema (2020-12) of durward.yaml for editors, made from
// the types that the reader reads by. What needs more than one look at a value
// (names that clash, an anonymous agent, variables that are set) is beyond it.
func Schema() []byte {
	return schemaOf(defaults(), "durward.yaml", "Configuration of the Durward gateway.")
}

// schemaOf is the schema of a file; in holds its defaults.
func schemaOf(in any, title, description string) []byte {
	root := describe(reflect.ValueOf(in), reflect.StructField{})
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"], root["description"] = title, description
	root["$defs"] = object{"reference": reference()}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil { // plain data always marshals
		panic(err)
	}
	return append(out, '\n')
}

func reference() object {
	return object{
		"description": "A text with ${env:NAME} or ${file:path} in it.",
		"type":        "string",
		"allOf":       []any{object{"pattern": referencePattern}, object{"pattern": aReference}},
	}
}

func oneOrMore(s scalar) object {
	one := withReferences(s.describe())
	return object{"anyOf": []any{one, object{"type": []any{"array", "null"}, "items": one}}}
}

// describe is a type as JSON Schema; v holds its default.
func describe(v reflect.Value, f reflect.StructField) object {
	switch v.Interface().(type) {
	case ignored, clientOnly, anything:
		return object{}
	case later:
		return object{"not": object{}}
	case secrets:
		return oneOrMore((*secret)(nil))
	case baits:
		return oneOrMore((*bait)(nil))
	}
	if s, ok := reflect.New(v.Type()).Interface().(scalar); ok {
		return withReferences(withWords(s.describe(), f.Tag.Get("words")))
	}
	switch v.Kind() {
	case reflect.Map:
		return object{
			"type":                 []any{"object", "null"},
			"propertyNames":        keyNames(f.Tag.Get("names")),
			"additionalProperties": describe(reflect.Zero(v.Type().Elem()), reflect.StructField{}),
		}
	case reflect.Slice:
		return object{"type": []any{"array", "null"}, "items": describe(reflect.Zero(v.Type().Elem()), reflect.StructField{})}
	case reflect.Struct:
		return describeStruct(v)
	}
	panic("no schema for " + v.Type().String())
}

func describeStruct(v reflect.Value) object {
	properties := object{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		key := f.Tag.Get("key")
		if key == "" {
			continue
		}
		value := v.FieldByIndex(f.Index)
		p := describe(value, f)
		if doc := f.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		if d, ok := printed(value); ok {
			p["default"] = d
		}
		properties[key] = p
	}
	out := object{"type": []any{"object", "null"}, "properties": properties, "additionalProperties": false}
	switch v.Interface().(type) {
	case upstream:
		maps.Copy(out, addressed("url"))
	case clientServer:
		maps.Copy(out, addressed("url", "httpUrl", "serverUrl"))
	}
	return out
}

// addressed says that a server has a command or one of the keys for a URL, and
// not what belongs to the other kind.
func addressed(urls ...string) object {
	var remote, without []any
	for _, u := range urls {
		remote = append(remote, object{"required": []any{u}})
	}
	for _, k := range append([]string{"args", "env", "cwd", "dir"}, urls...) {
		without = append(without, object{"required": []any{k}})
	}
	local := object{
		"required": []any{"command"},
		"not":      object{"anyOf": append(slices.Clone(remote), object{"required": []any{"headers"}})},
		"properties": object{
			"type":      object{"not": object{"enum": []any{"http", "sse", "streamable-http", "streamableHttp"}}},
			"transport": object{"not": object{"enum": []any{"http", "sse"}}},
		},
	}
	return object{"type": "object", "oneOf": []any{local, object{
		"anyOf": remote,
		"not": object{"anyOf": append(slices.DeleteFunc(without, func(x any) bool {
			return slices.Contains(urls, x.(object)["required"].([]any)[0].(string))
		}), object{"required": []any{"command"}})},
		"properties": object{
			"type":      object{"not": object{"const": "stdio"}},
			"transport": object{"not": object{"const": "stdio"}},
		},
	}}}
}

func withWords(s object, words string) object {
	if words == "" {
		return s
	}
	var list []any
	for w := range strings.SplitSeq(words, "|") {
		list = append(list, w)
	}
	return object{"enum": list}
}

// withReferences allows a reference in place of, or within, a value.
func withReferences(s object) object {
	if _, enum := s["enum"]; !enum {
		s = object{"allOf": []any{s, object{"pattern": literalPattern}}}
	}
	return object{"anyOf": []any{s, object{"$ref": "#/$defs/reference"}}}
}

func keyNames(of string) object {
	switch of {
	case "upstream":
		return object{"pattern": `^[A-Za-z0-9]([A-Za-z0-9-]|_($|[A-Za-z0-9-])){0,31}$`, "maxLength": 32}
	case "server":
		return object{"pattern": `[A-Za-z0-9]`}
	case "pattern":
		return (*pattern)(nil).describe()
	case "rule":
		return object{"pattern": `^[a-z]+\.[a-z]+$`}
	case "vector":
		return object{"pattern": `^[a-z_]+$`}
	case "agent", "role", "class":
		return object{"pattern": namePattern}
	case "header":
		return object{"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"}
	case "variable":
		return object{"pattern": `^[^=\x00]+$`}
	}
	return object{}
}
