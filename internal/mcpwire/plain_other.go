//go:build !amd64

package mcpwire

const hasBlocks = false

// plainBlocks is for machines that have it.
func plainBlocks([]byte) int { return 0 }
