package upstream

import (
	"sync"

	"durward/internal/mcpwire"
)

// profiles remembers the profiles of the clients that call: each says the same
// with every call.
type profiles struct {
	mu    sync.RWMutex
	known map[string]map[string]string // by revision and capabilities; guarded by mu
}

// profilesMost bounds what is remembered of one revision.
const profilesMost = 1000

func (p *profiles) of(revision string, caps []byte) string {
	p.mu.RLock()
	out, ok := p.known[revision][string(caps)]
	p.mu.RUnlock()
	if ok || len(caps) <= 2 {
		return out
	}
	out = profile(revision, caps)
	if len(caps) > 4<<10 {
		return out // a curiosity
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]map[string]string{}
	}
	if p.known[revision] == nil || len(p.known[revision]) >= profilesMost {
		p.known[revision] = map[string]string{}
	}
	p.known[revision][string(caps)] = out
	return out
}

// profile returns what of an end client's capabilities an older session
// declares, in one spelling, so that equal promises share a session: what
// servers of that revision may ask for and what we carry back. Nothing the
// client did not declare is in it.
func profile(revision string, caps []byte) string {
	if len(caps) <= 2 {
		return ""
	}
	ui, apps := mcpwire.Path(caps, "extensions", extensionUI)
	caps = mcpwire.LimitCapabilities(revision, caps)
	var out []byte
	add := func(name string, parts ...string) {
		v, ok := mcpwire.Field(caps, name)
		if !ok || !mcpwire.IsObject(v) {
			return
		}
		if out = append(out, ','); len(out) == 1 {
			out[0] = '{'
		}
		out = append(mcpwire.AppendQuote(out, name), ':', '{')
		for _, part := range parts {
			if sub, ok := mcpwire.Field(v, part); ok && mcpwire.IsObject(sub) {
				if out[len(out)-1] != '{' {
					out = append(out, ',')
				}
				out = append(mcpwire.AppendQuote(out, part), ":{}"...)
			}
		}
		out = append(out, '}')
	}
	add("elicitation", "form", "url")
	add("roots") // without listChanged: nobody would tell
	add("sampling", "context", "tools")
	if apps && mcpwire.IsObject(ui) && len(ui) <= settingsMost { // a promise of older sessions, too
		if out = append(out, ','); len(out) == 1 {
			out[0] = '{'
		}
		out = append(append(append(out, `"extensions":{"`+extensionUI+`":`...), ui...), '}')
	}
	if out == nil {
		return ""
	}
	return string(append(out, '}'))
}

// settingsMost bounds the settings of an extension in a profile.
const settingsMost = 1 << 10

// mayAsk reports whether a server that was told of a profile may ask questions.
func mayAsk(profile string) bool {
	for name := range mcpwire.Fields([]byte(profile)) {
		if name != "extensions" {
			return true
		}
	}
	return false
}

// relayed returns the capabilities of a modern client as far as what they
// allow can be carried: extensions with methods of their own cannot.
func relayed(caps []byte) []byte {
	ext, ok := mcpwire.Field(caps, "extensions")
	if !ok {
		return caps
	}
	var drop []string
	for name := range mcpwire.Fields(ext) {
		if name != extensionUI && name != mcpwire.ExtensionTasks {
			drop = append(drop, name)
		}
	}
	if drop == nil {
		return caps
	}
	return mcpwire.SetField(caps, "extensions", mcpwire.DropFields(ext, drop...))
}

// extensionUI is MCP Apps: its resources and its _meta pass like any other.
const extensionUI = "io.modelcontextprotocol/ui"

// everything is what an introspection declares, because some servers list only
// what the client could serve. It is never used for an agent's call.
const everything = `{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{},` +
	`"extensions":{"` + extensionUI + `":{"mimeTypes":["text/html;profile=mcp-app"]},"` + mcpwire.ExtensionTasks + `":{}}}`

// everythingIn returns it as a revision knows it.
func everythingIn(revision string) []byte {
	if mcpwire.Modern(revision) {
		return []byte(everything)
	}
	return []byte(profile(revision, []byte(everything)))
}
