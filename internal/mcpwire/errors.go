package mcpwire

import (
	"fmt"

	"durward"
)

// JSON-RPC and MCP error codes.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603

	// CodeLegacyResourceNotFound is what revisions before 2026-07-28 answer for a missing resource.
	CodeLegacyResourceNotFound = -32002
	// CodeURLElicitationRequired exists in 2025-11-25 only.
	CodeURLElicitationRequired = -32042

	// The codes of 2026-07-28.
	CodeHeaderMismatch     = -32020
	CodeMissingCapability  = -32021
	CodeUnsupportedVersion = -32022
)

// MethodNotFound answers a method that does not exist in the caller's
// revision. In 2026-07-28 the HTTP status is 404.
func MethodNotFound(method string) *durward.RPCError {
	return &durward.RPCError{Code: CodeMethodNotFound, Message: "Method not found: " + clip(method)}
}

// InvalidParams answers parameters that cannot be used.
func InvalidParams(reason string) *durward.RPCError {
	return &durward.RPCError{Code: CodeInvalidParams, Message: reason}
}

// InvalidRequest answers a message that is no valid request here.
func InvalidRequest(reason string) *durward.RPCError {
	return &durward.RPCError{Code: CodeInvalidRequest, Message: reason}
}

// InternalError answers a failure of ours or of an upstream.
func InternalError(reason string) *durward.RPCError {
	return &durward.RPCError{Code: CodeInternal, Message: reason}
}

// ResourceNotFound answers a resource that does not exist or is hidden, in the
// form of 2026-07-28; [ToLegacyError] makes the older one.
func ResourceNotFound(uri string) *durward.RPCError {
	return &durward.RPCError{
		Code: CodeInvalidParams, Message: "Resource not found",
		Data: append(AppendQuote([]byte(`{"uri":`), uri), '}'),
	}
}

// HeaderMismatch answers routing headers that are missing, malformed or
// disagree with the body (MCP 2026-07-28, server validation; HTTP 400).
func HeaderMismatch(reason string) *durward.RPCError {
	return &durward.RPCError{Code: CodeHeaderMismatch, Message: "Header mismatch: " + reason}
}

// MissingCapability answers a request that needs a capability which the client
// did not declare (HTTP 400). required is a raw ClientCapabilities object.
func MissingCapability(required []byte) *durward.RPCError {
	data := append(append([]byte(`{"requiredCapabilities":`), required...), '}')
	return &durward.RPCError{Code: CodeMissingCapability, Message: "Missing required client capability", Data: data}
}

// UnsupportedVersion answers a revision that we do not speak (HTTP 400).
func UnsupportedVersion(requested string) *durward.RPCError {
	data := []byte(`{"supported":[`)
	for i, v := range Supported() {
		if i > 0 {
			data = append(data, ',')
		}
		data = AppendQuote(data, v)
	}
	data = append(AppendQuote(append(data, `],"requested":`...), clip(requested)), '}')
	return &durward.RPCError{Code: CodeUnsupportedVersion, Message: "Unsupported protocol version", Data: data}
}

// ReadError reads a scanned error object of a peer. Raw keeps it as it came; a
// code that is no integer becomes [CodeInternal] and is not passed on.
func ReadError(raw []byte) *durward.RPCError {
	e := &durward.RPCError{Code: CodeInternal, Raw: raw}
	e.Message, _ = FieldText(raw, "message")
	if data, ok := Field(raw, "data"); ok {
		e.Data = data
	}
	code, _ := Field(raw, "code")
	if n, ok := Int(code); ok && int64(int(n)) == n {
		e.Code = int(n)
		return e
	}
	e.Raw = nil
	return e
}

// IsModernCode reports whether an error code proves that its sender speaks
// 2026-07-28 or later.
func IsModernCode(code int) bool {
	return code == CodeHeaderMismatch || code == CodeMissingCapability || code == CodeUnsupportedVersion
}

// clip bounds what a message repeats of its input.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return fmt.Sprintf("%.200s...", s[:most])
	}
	return s
}
