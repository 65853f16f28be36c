package mcpwire

import (
	"bytes"

	"durward"
)

// NameAsker returns the params of a question with the server that asks it
// before what a person reads of it: behind a gateway nobody else can tell them.
// Only elicitations are read by people. name is of the characters of an alias.
func NameAsker(method string, params []byte, name string) []byte {
	message, ok := Field(params, "message")
	if method != MethodElicit || !ok || len(message) == 0 || message[0] != '"' {
		return params
	}
	named := append([]byte(`"[`+name+`] `), message[1:]...) // the rest keeps its bytes
	return replaceField(params, "message", named)
}

// NameAskers does so in a result that asks for input.
func NameAskers(result []byte, name string) []byte {
	requests, ok := Field(result, "inputRequests")
	if !ok || !IsObject(requests) {
		return result
	}
	var edits []Edit
	for m := range members(requests) {
		q := m.of(requests)
		method, _ := FieldText(q, "method")
		if params, ok := Field(q, "params"); ok && method == MethodElicit && IsObject(params) {
			edits = append(edits, Edit{m.value, replaceField(q, "params", NameAsker(method, params, name))})
		}
	}
	if edits == nil {
		return result
	}
	return replaceField(result, "inputRequests", Splice(requests, edits...))
}

// WithoutAsker takes off what NameAsker put on; named reports that it was there.
func WithoutAsker(method string, params []byte, name string) (bare []byte, named bool) {
	message, ok := Field(params, "message")
	prefix := `"[` + name + `] `
	if method != MethodElicit || !ok || !bytes.HasPrefix(message, []byte(prefix)) {
		return params, false
	}
	return replaceField(params, "message", append([]byte{'"'}, message[len(prefix):]...)), true
}

// WithoutAskers takes off what NameAskers put on.
func WithoutAskers(result []byte, name string) (bare []byte, named bool) {
	requests, ok := Field(result, "inputRequests")
	if !ok || !IsObject(requests) {
		return result, false
	}
	var edits []Edit
	for m := range members(requests) {
		q := m.of(requests)
		method, _ := FieldText(q, "method")
		params, ok := Field(q, "params")
		if !ok || !IsObject(params) {
			continue
		}
		if without, had := WithoutAsker(method, params, name); had {
			edits = append(edits, Edit{m.value, replaceField(q, "params", without)})
		}
	}
	if edits == nil {
		return result, false
	}
	return replaceField(result, "inputRequests", Splice(requests, edits...)), true
}

// NameURLAskers does so in an error -32042 of 2025-11-25.
func NameURLAskers(e *durward.RPCError, name string) *durward.RPCError {
	list, _ := Field(e.Data, "elicitations")
	if e.Code != CodeURLElicitationRequired || !IsArray(list) {
		return e
	}
	var edits []Edit
	for at := range elements(list) {
		if entry := list[at.Start:at.End:at.End]; IsObject(entry) {
			edits = append(edits, Edit{at, NameAsker(MethodElicit, entry, name)})
		}
	}
	named := *e
	named.Data = replaceField(e.Data, "elicitations", Splice(list, edits...))
	return &named
}
