package durward

import "context"

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

// Watch is a running subscription of one agent.
type Watch interface {
	// Granted is what of the wanted topics is honoured.
	Granted() Topics
	// Events gives what happened. It is bounded: for a slow reader events are
	// merged or dropped, and nobody waits. It is closed when the watch ends.
	Events() <-chan Event
	// Set changes what is watched; Granted tells the result.
	Set(ctx context.Context, t Topics) error
	// Close ends the watch; it may be called more than once.
	Close()
}

// Description is what an endpoint says of itself to one agent.
type Description struct {
	Capabilities []byte // raw JSON ServerCapabilities
	Instructions string
	TTL          int64 // ms
}
