package durward

// Topics is a set of things to be told about (MCP 2026-07-28,
// subscriptions/listen); the stateful revisions are mapped onto it.
type Topics struct {
	Tools, Prompts, Resources bool     // list changes
	URIs                      []string // resource updates
}

// Event is one change that a watcher asked for.
type Event struct {
	Method string // notifications/tools/list_changed, notifications/resources/updated, ...
	Params []byte // raw JSON object without subscription metadata; nil for none
}

// Description is what an endpoint says of itself to one agent.
type Description struct {
	Capabilities []byte // raw JSON ServerCapabilities
	Instructions string
	TTL          int64 // ms
}
