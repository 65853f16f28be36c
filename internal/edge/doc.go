// Package edge is where traffic of agents enters: the data listener with its
// limits, the checks that need no knowledge of who calls (host, origin,
// framing, where a credential may stand), and the one table that turns an
// error into statuses.
//
// It promises that a request which reaches a [Lane] came to the right host,
// from an allowed web page if from any, with at most one credential that was in
// a header, and that nothing it serves is unbounded in size or time. It does
// not know who the caller is and does not read bodies: that is for the lanes
// and for what stands behind them.
package edge
