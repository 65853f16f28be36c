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
		if t.worded(key) {
			continue
		}
		if out == nil {
			out = append(out, '{')
		} else {
			out = append(out, ',')
		}
		out = append(append(mcpwire.AppendQuote(out, key), ':'), value...)
	}
	if out == nil {
		return nil
	}
	return append(out, '}')
}

// worded reports members of _meta that are the protocol's or the gateway's.
func (t *transit) worded(key string) bool {
	if talk := t.plan.snapshot.Guard.Conversation; talk != "" && key == talk {
		return true
	}
	return strings.HasPrefix(key, mcpwire.MetaPrefix) || strings.HasPrefix(key, "durward/")
}

// metaWith is the _meta of a request with some of its members as they are now;
// nil when there are none.
func (t *transit) metaWith(aside []byte) []byte {
	if aside == nil {
		return nil
	}
	meta := t.call.Input.Meta.Of(t.call.Input.Raw)
	for key, value := range mcpwire.Fields(aside) {
		meta = mcpwire.SetField(meta, key, value)
	}
	return meta
}
