package mcpwire

import "durward"

// The keys of _meta that MCP 2026-07-28 reserves, and the one of 2025-11-25.
const (
	MetaPrefix             = "io.modelcontextprotocol/"
	MetaProtocolVersion    = MetaPrefix + "protocolVersion"
	MetaClientCapabilities = MetaPrefix + "clientCapabilities"
	MetaClientInfo         = MetaPrefix + "clientInfo"
	MetaLogLevel           = MetaPrefix + "logLevel"
	MetaServerInfo         = MetaPrefix + "serverInfo"
	MetaSubscriptionID     = MetaPrefix + "subscriptionId"
	MetaRelatedTask        = MetaPrefix + "related-task"
)

// ReadPayload returns params that were scanned apart from a message with the
// places of the routed values, and refuses routed values of the wrong type. The
// error is a *[durward.RPCError] that names the field. nil params give an empty
// payload.
func ReadPayload(params []byte) (durward.Payload, error) {
	if params == nil {
		return durward.Payload{}, nil
	}
	if !IsObject(params) {
		return durward.Payload{}, InvalidParams("Invalid params: params is not an object")
	}
	p := durward.Payload{Raw: params}
	for m := range members(params) {
		k, _ := routeParams(decodedKey(m.rawKey(params)))
		if span := spanOf(&p, k); span != nil && !span.Present() {
			*span = m.value
		}
	}
	if bad := wrongType(p); bad != nil {
		return durward.Payload{}, bad
	}
	return p, nil
}

func spanOf(p *durward.Payload, k slot) *durward.Span {
	switch k {
	case slotName:
		return &p.Name
	case slotURI:
		return &p.URI
	case slotRef:
		return &p.Ref
	case slotArguments:
		return &p.Arguments
	case slotMeta:
		return &p.Meta
	case slotCursor:
		return &p.Cursor
	case slotInputResponses:
		return &p.InputResponses
	case slotRequestState:
		return &p.RequestState
	case slotTask:
		return &p.Task
	case slotTaskID:
		return &p.TaskID
	}
	return nil
}

// wrongType refuses routed values of the wrong type; nil when there are none.
func wrongType(p durward.Payload) *durward.RPCError {
	for _, f := range [...]struct {
		name string
		span durward.Span
		open byte
		kind string
	}{
		{"name", p.Name, '"', "a string"},
		{"uri", p.URI, '"', "a string"},
		{"ref", p.Ref, '{', "an object"},
		{"arguments", p.Arguments, '{', "an object"},
		{"_meta", p.Meta, '{', "an object"},
		{"cursor", p.Cursor, '"', "a string"},
		{"inputResponses", p.InputResponses, '{', "an object"},
		{"requestState", p.RequestState, '"', "a string"},
		{"taskId", p.TaskID, '"', "a string"},
	} {
		if v := f.span.Of(p.Raw); len(v) > 0 && v[0] != f.open {
			return InvalidParams("Invalid params: " + f.name + " is not " + f.kind)
		}
	}
	return nil
}

// Meta is what a request's _meta says to us. Raw values alias the payload.
type Meta struct {
	ProtocolVersion    string // "" when absent: the request is not modern
	LogLevel           string // "" when absent: no log messages are wanted
	ClientCapabilities []byte // raw object; nil when absent
	ClientInfo         []byte // raw object; nil when absent
	ProgressToken      []byte // raw string or integer; nil when absent
	SubscriptionID     []byte // raw; nil when absent
	Traceparent        string // W3C trace context, unprefixed
	Tracestate         string
}

// readMeta reads _meta and refuses values of the wrong type.
func readMeta(p durward.Payload) (m Meta, _ *durward.RPCError) {
	raw := p.Meta.Of(p.Raw)
	for f := range members(raw) {
		if bad := m.set(f.rawKey(raw), f.of(raw)); bad != "" {
			return m, InvalidParams("Invalid params: _meta: " + bad)
		}
	}
	return m, nil
}

func (m *Meta) set(rawKey, v []byte) (bad string) {
	var ok bool
	switch string(decodedKey(rawKey)) {
	case MetaProtocolVersion:
		if m.ProtocolVersion, ok = version(v); !ok {
			return MetaProtocolVersion + " is not a string"
		}
	case MetaLogLevel:
		if m.LogLevel, ok = logLevel(v); !ok {
			return MetaLogLevel + " is not a log level"
		}
	case MetaClientCapabilities:
		if m.ClientCapabilities = v; v[0] != '{' {
			return MetaClientCapabilities + " is not an object"
		}
	case MetaClientInfo:
		if m.ClientInfo = v; v[0] != '{' {
			return MetaClientInfo + " is not an object"
		}
	case "progressToken":
		if m.ProgressToken = v; !validID(v) {
			return "progressToken is not a string or an integer"
		}
	case MetaSubscriptionID:
		m.SubscriptionID = v
	case "traceparent":
		m.Traceparent, _ = Text(v)
	case "tracestate":
		m.Tracestate, _ = Text(v)
	}
	return ""
}

func decodedKey(rawKey []byte) []byte {
	for _, c := range rawKey {
		if c == '\\' {
			return appendText(nil, rawKey)
		}
	}
	return rawKey
}

// version decodes a revision without allocating for those we know.
func version(v []byte) (string, bool) {
	for _, known := range [...]string{V20260728, V20251125, V20250618, V20250326, V20241105} {
		if IsText(v, known) {
			return known, true
		}
	}
	return Text(v)
}

// logLevels are the levels of log messages, least severe first.
var logLevels = [...]string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// LogRank orders log levels: higher is more severe, -1 is no level.
func LogRank(level string) int {
	for i, l := range logLevels {
		if l == level {
			return i
		}
	}
	return -1
}

func logLevel(v []byte) (string, bool) {
	for _, l := range logLevels {
		if IsText(v, l) {
			return l, true
		}
	}
	return "", false
}

// methodName decodes a method without allocating for those we know.
func methodName(v []byte) (string, bool) {
	text, ok := inner(v)
	if !ok {
		return "", false
	}
	if known := knownMethod(text); known != "" {
		return known, true
	}
	return rawText(text), true
}

func knownMethod(text []byte) string {
	for i := range knownMethods {
		if string(text) == knownMethods[i] {
			return knownMethods[i]
		}
	}
	return ""
}

// knownMethods starts with the most frequent.
var knownMethods = [...]string{
	MethodToolsCall, MethodToolsList, MethodResourcesRead, MethodResourcesList, MethodTemplatesList,
	MethodPromptsGet, MethodPromptsList, MethodComplete, MethodPing, MethodInitialize, MethodDiscover,
	MethodListen, MethodSetLevel, MethodSubscribe, MethodUnsubscribe, MethodElicit, MethodSample, MethodRoots,
	MethodTasksGet, MethodTasksUpdate, MethodTasksCancel, MethodTasksResult, MethodTasksList,
	NotifyInitialized, NotifyCancelled, NotifyProgress, NotifyMessage,
}
