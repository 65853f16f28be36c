package mcpwire

import "golang.org/x/sys/cpu"

var hasBlocks = cpu.X86.HasAVX2

// plainBlocks returns how many bytes at the start of b are plain, as far as
// whole blocks of 64 reach. It needs AVX2.
//
//go:noescape
func plainBlocks(b []byte) int
