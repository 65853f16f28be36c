package pipeline

import (
	"strings"

	"durward/internal/mcpwire"
)

// aside is what a request says in _meta beyond the words of the protocol and
// the gateway's own, as an object: it goes to the server like arguments, and is
// judged like them. It is nil for nothing.
func (t *transit) aside() []byte {
	meta := t.call.Input.Meta.Of(t.call.Input.Raw)
	if meta == nil {
		return nil
	}
	var out []byte
	for key, value := range mcpwire.Fields(meta) {
		if !t.worded(key) {
			out = appendMember(out, key, value)
		}
	}
	if out == nil {
		return nil
	}
	return append(out, '}')
}

// appendMember goes on with an object that is still open; it opens one on nil.
func appendMember(obj []byte, key string, value []byte) []byte {
	if obj == nil {
		obj = append(obj, '{')
	} else {
		obj = append(obj, ',')
	}
	return append(append(mcpwire.AppendQuote(obj, key), ':'), value...)
}

// worded reports members of _meta that are the protocol's or the gateway's.
func (t *transit) worded(key string) bool {
	if talk := t.plan.snapshot.Guard.Conversation; talk != "" && key == talk {
		return true
	}
	return strings.HasPrefix(key, mcpwire.MetaPrefix) || strings.HasPrefix(key, "durward/")
}

// metaWith is the _meta of a request with what is said aside as it is now,
// which names may be part of; nil when that has not changed.
func (t *transit) metaWith(aside []byte) []byte {
	if aside == nil {
		return nil
	}
	var out []byte
	for key, value := range mcpwire.Fields(t.call.Input.Meta.Of(t.call.Input.Raw)) {
		if t.worded(key) {
			out = appendMember(out, key, value)
		}
	}
	for key, value := range mcpwire.Fields(aside) {
		out = appendMember(out, key, value)
	}
	return append(out, '}')
}
