//go:build !linux

package ship

import (
	"errors"
	"net"
)

// unsent cannot be told here.
func unsent(net.Conn) (int, error) { return 0, errors.ErrUnsupported }
