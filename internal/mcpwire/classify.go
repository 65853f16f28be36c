package mcpwire

import (
	"net/http"
	"strings"

	"durward"
)

// Decision tells in which era a message is spoken.
type Decision struct {
	Modern bool
	// Revision is what the message itself declares: always for a modern
	// request, from the version header for a legacy one, "" without.
	Revision string
	Payload  durward.Payload
	Meta     Meta
}

// Refusal is an answer to a message that cannot be served: the HTTP status,
// and the JSON-RPC error for its body.
type Refusal struct {
	Status int
	Err    *durward.RPCError
}

func refuse(status int, e *durward.RPCError) *Refusal { return &Refusal{status, e} }

// Classify tells the era of a message that came by HTTP POST and checks what
// the era asks of its routing headers. Modern is a message whose _meta names a
// revision that is not a known legacy one, or whose version header does; an
// initialize without a version in _meta is always legacy, whatever the header
// says, since clients send their newest version there.
//
// It does not check the session, whether the method exists, or Mcp-Param-*
// ([CheckParams]): those need more than the message.
func Classify(h http.Header, m *Message) (Decision, *Refusal) {
	said, conflict := single(h, HeaderVersion)
	d, err := read(m)
	d.Modern = declaresModern(d.Meta) || (Modern(said) && (m.Method != MethodInitialize || d.Meta.ProtocolVersion != ""))
	if !d.Modern {
		return classifyLegacy(d, m, said, conflict, err)
	}
	switch {
	case conflict:
		return d, refuse(http.StatusBadRequest, HeaderMismatch("MCP-Protocol-Version appears more than once"))
	case m.Kind == Response:
		return d, refuse(http.StatusBadRequest, InvalidRequest("A response cannot be sent on its own in this revision"))
	case said == "":
		return d, refuse(http.StatusBadRequest, HeaderMismatch("MCP-Protocol-Version is missing"))
	case err != nil:
		return d, refuse(http.StatusBadRequest, err)
	}
	return checkModern(d, m, h, said)
}

// ClassifyStdio is [Classify] for transports without headers.
func ClassifyStdio(m *Message) (Decision, *Refusal) {
	d, err := read(m)
	d.Modern = declaresModern(d.Meta)
	d.Revision = d.Meta.ProtocolVersion
	switch {
	case err != nil:
		return d, refuse(http.StatusBadRequest, err)
	case !d.Modern || m.Kind != Request:
		return d, nil
	case d.Revision != NewestModern:
		return d, refuse(http.StatusBadRequest, UnsupportedVersion(d.Revision))
	case d.Meta.ClientCapabilities == nil:
		return d, refuse(http.StatusBadRequest, missingMeta(MetaClientCapabilities))
	}
	return d, nil
}

func declaresModern(m Meta) bool { return m.ProtocolVersion != "" && !KnownLegacy(m.ProtocolVersion) }

// read reads payload and _meta. What could be read before an error is kept,
// so that a broken request is still answered in its own era.
func read(m *Message) (d Decision, bad *durward.RPCError) {
	bad = wrongType(m.payload)
	if f := m.payload.Meta.Of(m.payload.Raw); f != nil && f[0] != '{' {
		return d, bad
	}
	meta, badMeta := readMeta(m.payload)
	if d.Meta = meta; bad == nil {
		bad = badMeta
	}
	if bad == nil {
		d.Payload = m.payload
	}
	return d, bad
}

func classifyLegacy(d Decision, m *Message, said string, conflict bool, err *durward.RPCError) (Decision, *Refusal) {
	if m.Method == MethodInitialize {
		said, conflict = "", false
	}
	if conflict || (said != "" && !KnownLegacy(said)) {
		return d, refuse(http.StatusBadRequest, InvalidRequest("Unsupported MCP-Protocol-Version: "+clip(said)))
	}
	if err != nil {
		return d, refuse(http.StatusOK, err)
	}
	d.Revision = said
	return d, nil
}

// checkModern goes through the checks of MCP 2026-07-28 in the order that
// tells a client most.
func checkModern(d Decision, m *Message, h http.Header, said string) (Decision, *Refusal) {
	d.Revision = said
	asked := d.Meta.ProtocolVersion
	if m.Kind == Notification && asked == "" {
		asked = said // notifications need no _meta
	}
	switch {
	case asked == "":
		return d, refuse(http.StatusBadRequest, missingMeta(MetaProtocolVersion))
	case asked != said:
		return d, refuse(http.StatusBadRequest, HeaderMismatch("MCP-Protocol-Version does not match the body"))
	case asked != NewestModern:
		return d, refuse(http.StatusBadRequest, UnsupportedVersion(asked))
	}
	if bad := checkMethod(h, m); bad != "" {
		return d, refuse(http.StatusBadRequest, HeaderMismatch(bad))
	}
	if m.Kind == Notification {
		return d, nil
	}
	if bad := checkName(h, m, &d.Payload); bad != "" {
		return d, refuse(http.StatusBadRequest, HeaderMismatch(bad))
	}
	if d.Meta.ClientCapabilities == nil {
		return d, refuse(http.StatusBadRequest, missingMeta(MetaClientCapabilities))
	}
	return d, nil
}

func checkMethod(h http.Header, m *Message) (bad string) {
	said, conflict := single(h, HeaderMethod)
	switch {
	case conflict:
		return "Mcp-Method appears more than once"
	case said == m.Method:
		return ""
	case said == "" && m.Kind == Notification: // not defined for notifications
		return ""
	case said == "":
		return "Mcp-Method is missing"
	}
	return "Mcp-Method does not match the body"
}

// checkName compares Mcp-Name with what it mirrors. When the body lacks that
// as well, the method itself will say so.
func checkName(h http.Header, m *Message, p *durward.Payload) (bad string) {
	field := NameOf(m.Method)
	if field == "" {
		return ""
	}
	said, conflict := single(h, HeaderName)
	body, inBody := FieldText(p.Raw, field)
	_, sent := h[HeaderName]
	switch {
	case conflict:
		return "Mcp-Name appears more than once"
	case !sent && inBody:
		return "Mcp-Name is missing"
	case !sent:
		return ""
	case !inBody:
		return "Mcp-Name has no " + field + " in the body"
	}
	name, err := DecodeHeader(said)
	if err != nil {
		return "Mcp-Name has an " + err.Error()
	}
	if name != body {
		return "Mcp-Name does not match the body"
	}
	return ""
}

func missingMeta(key string) *durward.RPCError {
	return InvalidParams("Invalid params: _meta lacks " + key)
}

// single returns the trimmed value of a header, and whether it was sent more
// than once with different values.
func single(h http.Header, name string) (value string, conflict bool) {
	vs := h[name]
	if len(vs) == 0 {
		return "", false
	}
	value = strings.Trim(vs[0], " \t")
	for _, v := range vs[1:] {
		conflict = conflict || strings.Trim(v, " \t") != value
	}
	return value, conflict
}
