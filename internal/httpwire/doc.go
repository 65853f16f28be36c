// Package httpwire is the HTTP engine behind the edge and the upstreams, so
// that the engine can be changed without touching either.
//
// The client half promises: a pool of idle connections wide enough for a
// gateway, head and body of a request in one write, no proxy from the
// environment, no redirect followed, nothing decompressed, and a bound on
// every wait and on the head of a response. It does not bound the body of a
// response: who reads it knows how much is sensible, see [ReadAll].
//
// The server half promises: bounds on connections, headers, bodies, the memory
// that large bodies take together, and on every wait; an [Exchange] is answered
// in one write, or by a [Stream] whose every write has a deadline; and a
// graceful end. Simple requests are served by a front of our own, all others
// by net/http (ADR 0010). It does not bound how long a handler takes.
//
// It knows nothing of MCP.
package httpwire
