// Package inventory knows the clients of MCP on a person's machine: where each
// keeps its configuration, how it spells a server, and what to write so that
// it talks to a gateway instead.
//
// [Find] and [Read] turn configurations into proposals, [durward.Upstream]
// values with the files that they came from. They promise to read and never to
// write, to start nothing and to send nothing, to be bounded however large or
// broken a file is, and to put no value of an environment variable, header or
// argument into a note. One bad file or entry is a note with its place; the
// rest is still read. [Recipe] is the other direction: the exact lines for a
// client.
//
// It does not decide what is imported, and it does not look at processes or
// the network.
package inventory
