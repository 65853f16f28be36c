// Package stdio runs MCP servers as child processes and speaks to them in
// lines over their standard input and output.
//
// It promises that no process outlives the gateway: each server leads a
// process group of its own that is killed as a whole; the kernel kills the
// server when the thread that started it dies; and a watchdog process, which
// holds the other end of a pipe, kills every group and every stray descendant
// when the gateway dies without a word. It promises a small clean environment,
// bounded lines, and that what a server writes to its standard error reaches
// the log and nothing else.
//
// It does not restart what died and knows nothing of JSON: its user does.
package stdio
