// Package mcpwire knows MCP as bytes: JSON-RPC messages, SSE frames, routing
// headers, and every protocol revision with its differences.
//
// It promises three things. What it accepts, every strict JSON parser reads the
// same way: no duplicate keys, no key that only differs in case from a routed
// one, no invalid UTF-8, bounded depth and size ([Scan]). What need not change
// is never re-encoded: edits are spliced into the received bytes ([Splice]), so
// unknown fields, key order and the spelling of numbers survive. And it never
// keeps or changes the bytes it is given: results either alias the input or are
// new.
//
// It holds no policy, no state and no connections; it does not decide what an
// agent may do, and it does not judge what a result says.
package mcpwire
