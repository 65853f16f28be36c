//go:build !linux

package httpwire

import "net"

// stuck cannot be told here.
func stuck(net.Conn) bool { return false }

// spoke cannot be told either.
func spoke(net.Conn) bool { return false }
