package mcpwire

import (
	"strings"

	"durward"
)

// ToModernError returns an error of an older revision as 2026-07-28 says it:
// a resource that was not found is -32602 with its URI. uri is what was asked
// for, used when the error does not say. Other errors stay as they are.
func ToModernError(method, uri string, e *durward.RPCError) *durward.RPCError {
	if e == nil || e.Code != CodeLegacyResourceNotFound || method != MethodResourcesRead {
		return e
	}
	data := e.Data
	switch {
	case data == nil || IsNull(data):
		data = append(AppendQuote([]byte(`{"uri":`), uri), '}')
	case IsObject(data):
		if _, ok := Field(data, "uri"); !ok {
			data = AddField(data, "uri", Quote(uri))
		}
	}
	return &durward.RPCError{Code: CodeInvalidParams, Message: e.Message, Data: data}
}

// ToLegacyError returns an error of 2026-07-28 for a caller of an older
// revision: a resource that was not found is -32002; a missing capability and
// faults between us and the upstream are internal errors. Other errors stay as
// they are.
func ToLegacyError(method string, e *durward.RPCError) *durward.RPCError {
	if e == nil {
		return nil
	}
	switch e.Code {
	case CodeInvalidParams:
		if method == MethodResourcesRead && saysNotFound(e) {
			return &durward.RPCError{Code: CodeLegacyResourceNotFound, Message: e.Message, Data: e.Data}
		}
	case CodeMissingCapability:
		return &durward.RPCError{
			Code: CodeInternal, Data: e.Data,
			Message: "The server needs a capability that this client or its protocol revision does not have: " + capabilities(e.Data),
		}
	case CodeHeaderMismatch, CodeUnsupportedVersion:
		return InternalError("The gateway and the server could not agree on the protocol")
	}
	return e
}

// VisitFirst returns an error -32042 of 2025-11-25 for a client that cannot be
// sent to URLs: its revision has no such error, or it never declared the
// capability. What a person can do about it stays in the message, and the data
// as it came. Only pages are named: other schemes could make a client act.
func VisitFirst(e *durward.RPCError) *durward.RPCError {
	msg := "The server wants its user to visit a page first, which this client or its protocol revision cannot be asked to do (elicitation.url); visit it and call again"
	list, _ := Field(e.Data, "elicitations")
	n := 0
	for entry := range Elements(list) {
		url, _ := FieldText(entry, "url")
		if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") || strings.ContainsFunc(url, unprintable) || len(url) > urlMost {
			continue
		}
		if n++; n > urlsTold {
			break
		}
		why, _ := FieldText(entry, "message")
		msg += "\n" + clip(why) + " " + url
	}
	return &durward.RPCError{Code: CodeInternal, Message: msg, Data: e.Data}
}

// Bounds of what is said of URLs in an error.
const (
	urlsTold = 4
	urlMost  = 2 << 10
)

func unprintable(r rune) bool { return r <= ' ' || r == 0x7f || r > 0x7e }

func saysNotFound(e *durward.RPCError) bool {
	if _, ok := Field(e.Data, "uri"); ok {
		return true
	}
	return strings.Contains(strings.ToLower(e.Message), "not found")
}

// capabilities names what a -32021 asks for.
func capabilities(data []byte) string {
	var names []string
	required, _ := Field(data, "requiredCapabilities")
	for name, v := range Fields(required) {
		var parts []string
		for part := range Fields(v) {
			parts = append(parts, clip(name+"."+part))
		}
		if parts == nil {
			parts = []string{clip(name)}
		}
		names = append(names, parts...)
		if len(names) > 16 {
			break
		}
	}
	if names == nil {
		return "unnamed"
	}
	return strings.Join(names, ", ")
}
