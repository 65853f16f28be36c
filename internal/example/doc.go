// Package example is the upstream that `durward up` starts when there is
// nothing to import: a small, useful MCP server about notes, inside the binary.
//
// It promises to show every kind of thing that a gateway governs, so that the
// first minutes with Durward (and its tests) need no other software and no
// network: read tools, a tool that writes, one that asks a person before it
// deletes, one that takes its time and reports progress, resources with a
// template, a prompt with completion; and one poisoned tool, [Bait], whose
// description tries to talk an agent into handing over the notes. Nothing here
// ever acts on what that description says.
//
// It speaks every protocol revision over stdio and HTTP, because the official
// SDK does. It keeps at most a few MiB, in memory or in a folder, and it is an
// example: it has no users, no keys and no rules of its own. Those are
// Durward's work.
package example
