//go:build !linux

package main

// dropProgram does nothing: elsewhere the system is left to find what is not needed.
func dropProgram() {}
