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
