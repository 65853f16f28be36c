package mcpwire

import (
	"bytes"

	"durward"
)

// Rewrite tells what changes in params on the way to an upstream; everything
// else keeps its bytes.
type Rewrite struct {
	// Name and URI replace params.name and params.uri, or those of params.ref
	// when there is a ref; "" leaves them. They never add a member.
	Name, URI string
	// TaskID replaces params.taskId; "" leaves it.
	TaskID string
	// Task is the task that a request before 2026-07-28 asks to become, raw; nil
	// leaves out what the caller said of it.
	Task []byte
	// ProgressToken replaces the token of a caller that sent one: nil leaves
	// it, empty drops it.
	ProgressToken []byte
}

// RequestMeta is what every request of MCP 2026-07-28 says in _meta.
type RequestMeta struct {
	Version      string // "" means the newest modern revision
	Capabilities []byte // raw object; nil means none
	Info         []byte // raw object; nil leaves it out
	LogLevel     string // "" leaves it out
}

// ModernParams returns params for an upstream of 2026-07-28: rewritten, and
// with m in _meta in place of what the caller's own _meta said of itself. Other
// members of _meta stay.
func ModernParams(p *durward.Payload, r Rewrite, m RequestMeta) Pieces {
	added := appendRequestMeta(make([]byte, 0, 192+len(m.Capabilities)+len(m.Info)), m)
	if p == nil || p.Raw == nil {
		return Pieces{append(append([]byte(`{"_meta":{`), added...), "}}"...)}
	}
	edits := nameEdits(p, r)
	if !p.Meta.Present() {
		return SplicePieces(p.Raw, append(edits, insertion(p.Raw, append(append([]byte(`"_meta":{`), added...), '}')))...)
	}
	meta := rewriteMeta(p.Meta.Of(p.Raw), r)
	return SplicePieces(p.Raw, append(edits, Edit{p.Meta, addMembers(meta, added)})...)
}

// LegacyParams returns params for an upstream before 2026-07-28: rewritten,
// without what requests of that revision say of themselves in _meta, and
// without inputResponses and requestState. A task is what r says. nil stays nil.
func LegacyParams(p *durward.Payload, r Rewrite) []byte {
	if p == nil || p.Raw == nil {
		return nil
	}
	edits := nameEdits(p, r)
	emptied := false
	if p.Meta.Present() {
		old := p.Meta.Of(p.Raw)
		meta := rewriteMeta(old, r)
		emptied = !emptyObject(old) && emptyObject(meta)
		if !emptied && !bytes.Equal(old, meta) {
			edits = append(edits, Edit{p.Meta, meta})
		}
	}
	out := Splice(p.Raw, edits...)
	if p.InputResponses.Present() || p.RequestState.Present() || p.Task.Present() {
		out = DropFields(out, "inputResponses", "requestState", "task")
	}
	if r.Task != nil {
		out = AddField(out, "task", r.Task)
	}
	if emptied {
		out = DropFields(out, "_meta")
	}
	return out
}

func appendRequestMeta(dst []byte, m RequestMeta) []byte {
	if m.Version == "" {
		m.Version = NewestModern
	}
	if m.Capabilities == nil {
		m.Capabilities = []byte("{}")
	}
	dst = AppendQuote(append(dst, `"`+MetaProtocolVersion+`":`...), m.Version)
	dst = append(append(dst, `,"`+MetaClientCapabilities+`":`...), m.Capabilities...)
	if m.Info != nil {
		dst = append(append(dst, `,"`+MetaClientInfo+`":`...), m.Info...)
	}
	if m.LogLevel != "" {
		dst = AppendQuote(append(dst, `,"`+MetaLogLevel+`":`...), m.LogLevel)
	}
	return dst
}

// rewriteMeta drops what a modern request says of itself and replaces the
// progress token.
func rewriteMeta(meta []byte, r Rewrite) []byte {
	dropToken := r.ProgressToken != nil && len(r.ProgressToken) == 0
	meta = keepFields(meta, func(rawKey []byte) bool {
		switch string(decodedKey(rawKey)) {
		case MetaProtocolVersion, MetaClientCapabilities, MetaClientInfo, MetaLogLevel:
			return false
		case "progressToken":
			return !dropToken
		}
		return true
	})
	if len(r.ProgressToken) > 0 {
		return replaceField(meta, "progressToken", r.ProgressToken)
	}
	return meta
}

// nameEdits replaces the routed name or URI.
func nameEdits(p *durward.Payload, r Rewrite) []Edit {
	if p.Ref.Present() {
		ref := p.Ref.Of(p.Raw)
		if r.Name != "" {
			ref = replaceField(ref, "name", Quote(r.Name))
		}
		if r.URI != "" {
			ref = replaceField(ref, "uri", Quote(r.URI))
		}
		return []Edit{{p.Ref, ref}}
	}
	edits := make([]Edit, 0, 4)
	if r.Name != "" {
		edits = append(edits, Edit{p.Name, Quote(r.Name)})
	}
	if r.URI != "" {
		edits = append(edits, Edit{p.URI, Quote(r.URI)})
	}
	if r.TaskID != "" && p.TaskID.Present() {
		edits = append(edits, Edit{p.TaskID, Quote(r.TaskID)})
	}
	return edits
}

// replaceField replaces the value of a key that is there.
func replaceField(obj []byte, key string, value []byte) []byte {
	for m := range members(obj) {
		if isRawText(m.rawKey(obj), key) {
			return Splice(obj, Edit{m.value, value})
		}
	}
	return obj
}

func emptyObject(obj []byte) bool {
	for range members(obj) {
		return false
	}
	return true
}

// LimitCapabilities returns a client's capabilities as far as a revision knows
// them, for an upstream that speaks it: a promise that the revision cannot
// express is not made (MCP, capability negotiation).
func LimitCapabilities(revision string, caps []byte) []byte {
	if caps == nil {
		return []byte("{}")
	}
	r := Revision(revision)
	if r.Modern() {
		return DropFields(caps, "tasks")
	}
	caps = DropFields(caps, "extensions", "tasks")
	if r.URLElicitation() { // 2025-11-25 knows the rest
		return caps
	}
	if sampling, ok := Field(caps, "sampling"); ok && IsObject(sampling) {
		caps = replaceField(caps, "sampling", DropFields(sampling, "tools", "context"))
	}
	form, ok := Field(caps, "elicitation")
	if !ok {
		return caps
	}
	_, hasForm := Field(form, "form")
	if !r.Elicitation() || (!hasForm && !emptyObject(form)) {
		return DropFields(caps, "elicitation")
	}
	return replaceField(caps, "elicitation", []byte("{}"))
}
