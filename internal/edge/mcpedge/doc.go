// Package mcpedge is the face on which agents speak MCP: Streamable HTTP in
// all its revisions on one URL, HTTP+SSE of 2024-11-05, and stdio. It turns
// bytes into a [durward.Call], asks the [Gateway], and turns the reply back into
// the bytes that the agent's revision expects. The methods are a table in
// methods.go.
//
// It promises that each request is scanned once and strictly before anything
// is decided, that request ids come back as they were written, that a session
// or connection is only ever used by the agent that opened it, that a slow or
// dead agent holds up nobody else, and that everything it keeps is bounded.
//
// It decides nothing about what an agent may do and does not know the servers
// behind the gateway.
package mcpedge
