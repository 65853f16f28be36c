package mcpwire

import (
	"bytes"
	"strconv"

	"durward"
)

// Questions reports whether a method is one that a server may ask its client:
// as a request until 2025-11-25, inside input_required from 2026-07-28 on.
func Questions(method string) bool {
	return method == MethodElicit || method == MethodSample || method == MethodRoots
}

// ToLegacyQuestion returns the params of a question of 2026-07-28 for a client
// of an older revision. elicitationID is what a question that sends the user
// to a URL has there and not here; it is used for nothing else.
func ToLegacyQuestion(method, revision string, params []byte, elicitationID string) []byte {
	r := Revision(revision)
	switch method {
	case MethodElicit:
		if mode, _ := FieldText(params, "mode"); mode == "url" {
			return SetField(params, "elicitationId", Quote(elicitationID))
		}
		if !r.URLElicitation() { // one mode, and no word for it
			return DropFields(params, "mode")
		}
	case MethodSample:
		if !r.SamplingTools() {
			return oneBlockEach(DropFields(params, "tools", "toolChoice"))
		}
	}
	return params
}

// ToModernQuestion returns the params of a question of an older revision as an
// input request of 2026-07-28.
func ToModernQuestion(method string, params []byte) []byte {
	switch method {
	case MethodElicit:
		return DropFields(params, "elicitationId", "task")
	case MethodSample:
		return DropFields(params, "task")
	}
	return params
}

// ToLegacyAnswer returns a client's answer to a question as a server of an
// older revision understands it.
func ToLegacyAnswer(method, revision string, result []byte) []byte {
	if method != MethodSample || Revision(revision).SamplingTools() {
		return result
	}
	content, ok := Field(result, "content")
	if !ok || !IsArray(content) {
		return result
	}
	for block := range Elements(content) { // models answer one block
		return replaceField(result, "content", bytes.Clone(block))
	}
	return result
}

// oneBlockEach gives every content block of a sampling request a message of
// its own: before 2025-11-25 a message holds one.
func oneBlockEach(params []byte) []byte {
	messages, ok := Field(params, "messages")
	if !ok || !IsArray(messages) {
		return params
	}
	var edits []Edit
	for e := range elements(messages) {
		message := messages[e.Start:e.End:e.End]
		content, ok := Field(message, "content")
		if !ok || !IsArray(content) {
			continue
		}
		var several []byte
		for block := range Elements(content) {
			if several != nil {
				several = append(several, ',')
			}
			several = append(several, replaceField(message, "content", bytes.Clone(block))...)
		}
		if several != nil {
			edits = append(edits, Edit{e, several})
		}
	}
	if edits == nil {
		return params
	}
	return replaceField(params, "messages", Splice(messages, edits...))
}

// urlsMost bounds the URLs that one error sends a user to.
const urlsMost = 16

// InputRequired returns the input_required result that puts the elicitations
// of an error -32042 of 2025-11-25 to a client of 2026-07-28; nil when the
// error holds none. The client's retry is a new call, so nothing is carried.
func InputRequired(e *durward.RPCError) []byte {
	list, _ := Field(e.Data, "elicitations")
	if !IsArray(list) {
		return nil
	}
	out := []byte(`{"resultType":"input_required","inputRequests":{`)
	n := 0
	for entry := range Elements(list) {
		if mode, _ := FieldText(entry, "mode"); mode != "url" || n == urlsMost {
			continue
		}
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = append(strconv.AppendInt(append(out, `"url`...), int64(n), 10), `":{"method":"elicitation/create","params":`...)
		out = append(out, ToModernQuestion(MethodElicit, entry)...)
		out = append(out, '}')
	}
	if n == 0 {
		return nil
	}
	return append(out, "}}"...)
}

// URLElicitationRequired is the error of 2025-11-25 that names URLs which the
// user has to visit before a call can succeed. Each entry is the params of a
// question in that revision's shape.
func URLElicitationRequired(entries [][]byte) *durward.RPCError {
	data := append([]byte(`{"elicitations":[`), bytes.Join(entries, []byte{','})...)
	return &durward.RPCError{
		Code: CodeURLElicitationRequired, Data: append(data, "]}"...),
		Message: "The user has to visit a URL before this call can succeed",
	}
}
