package catalog

import (
	"slices"

	"durward"
	"durward/internal/mcpwire"
)

// extensions are the protocol extensions that pass through us unchanged and
// may therefore be advertised when an upstream has them.
var extensions = []string{"io.modelcontextprotocol/ui", mcpwire.ExtensionTasks}

// Describe says what the endpoint offers: the union of what the viewer's
// upstreams declared, limited to what we relay in the revision of enc.
func (v *View) Describe(enc Encoding) durward.Description {
	return durward.Description{
		Capabilities: v.capabilities(enc),
		Instructions: headings(v.sections),
		TTL:          v.TTL().Milliseconds(),
	}
}

func (v *View) capabilities(enc Encoding) []byte {
	out := []byte{'{'}
	add := func(member string) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, member...)
	}
	// Tools are always offered, be the list empty: an agent whose upstreams are
	// still starting must not be told that there will never be any. The same
	// holds for the rest while nobody knows.
	unread := v.unread()
	add(`"tools":{"listChanged":true}`)
	if unread || v.any("prompts") {
		add(`"prompts":{"listChanged":true}`)
	}
	if unread || v.any("resources") {
		if unread || v.anySubscribes() {
			add(`"resources":{"subscribe":true,"listChanged":true}`)
		} else {
			add(`"resources":{"listChanged":true}`)
		}
	}
	if unread || v.any("completions") {
		add(`"completions":{}`)
	}
	if unread || v.any("logging") {
		add(`"logging":{}`)
	}
	if v.HasTasks(enc) && !enc.Modern { // without list: an agent's tasks are known to who started them
		add(`"tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}`)
	}
	if ext := v.extensions(enc); ext != nil {
		add(`"extensions":` + string(ext))
	}
	return append(out, '}')
}

func (v *View) any(capability string) bool {
	for _, s := range v.sections {
		if s.declares(capability) {
			return true
		}
	}
	return false
}

// unread reports whether an upstream has not yet said what it has.
func (v *View) unread() bool {
	return slices.ContainsFunc(v.sections, func(s *section) bool { return s.Capabilities == nil && s.Trouble != "" })
}

func (v *View) anySubscribes() bool {
	for _, s := range v.sections {
		if resources, ok := mcpwire.Field(s.Capabilities, "resources"); ok {
			if b, _ := mcpwire.Field(resources, "subscribe"); string(b) == "true" {
				return true
			}
		}
	}
	return false
}

func (v *View) extensions(enc Encoding) []byte {
	var out []byte
	for _, name := range extensions {
		if name == mcpwire.ExtensionTasks && (!enc.Modern || !v.HasTasks(enc)) {
			continue
		}
		for _, s := range v.sections {
			declared, ok := mcpwire.Field(s.Capabilities, "extensions")
			if !ok {
				continue
			}
			settings, ok := mcpwire.Field(declared, name)
			if !ok {
				continue
			}
			if out == nil {
				out = []byte{'{'}
			} else {
				out = append(out, ',')
			}
			out = append(append(append(out, mcpwire.Quote(name)...), ':'), settings...)
			break
		}
	}
	if out == nil {
		return nil
	}
	return append(out, '}')
}
