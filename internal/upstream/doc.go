// Package upstream reaches what stands behind us: MCP servers of every
// revision, over HTTP and as processes.
//
// A [Set] holds one server for each declared upstream and keeps for it what
// its era demands: nothing but connections for the stateless revision, a pool
// of sessions or processes for the older ones. A keeper per upstream reads
// what it offers, listens for changes and comes back after failures.
//
// It promises that an upstream that is dead, slow or hostile delays and
// changes nothing but its own calls; that a server is never promised more than
// the end client of a call can do; that a call with side effects is made once;
// and that everything a server can make grow has a bound. It opens connections
// when they are first needed.
//
// It does not decide who may call what and rewrites nothing but what must
// differ upstream. What a modern server wants to know of an older client it
// puts to the client itself, see bridge.go; what an older server asks of a
// modern client waits for another request of that client, which is not its to
// see: where the caller's peer does not ([Request.Answers]), such a call ends
// with the reason capability_missing.
package upstream
