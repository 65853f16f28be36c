// Package mcphttp speaks MCP to servers over HTTP: the stateless revision,
// Streamable HTTP with sessions, and the HTTP+SSE of 2024-11-05.
//
// It promises that redirects are refused and a stream's endpoint is of the
// same origin, so credentials go nowhere else; that what a server may send is
// bounded; and that an abandoned call is withdrawn in the way of its era: by
// closing the stream (2026-07-28), else by notifications/cancelled.
//
// It keeps no pool and tries nothing twice, a stream that the server closed
// early (2025-11-25) aside: its user knows what is safe to repeat.
package mcphttp
