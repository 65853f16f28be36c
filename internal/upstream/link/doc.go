// Package link is what every way to an upstream has in common: a call and its
// answer, the handshakes of both eras, and the matching of what a server says
// to the call that it belongs to.
//
// It promises that each call ends once, with the answer that bears its id, an
// error that says why there is none, or the context's error; that late,
// duplicate and foreign messages are dropped and counted; and that what a
// server sends during one call is bounded. It opens no connections: its
// children in spirit are stdio and mcphttp.
package link
