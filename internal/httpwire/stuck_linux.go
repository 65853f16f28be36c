package httpwire

import (
	"net"
	"syscall"
	"unsafe"
)

// stuck tells that the other side has not taken all that was sent.
func stuck(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var left int32
	err = raw.Control(func(fd uintptr) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&left))); errno != 0 {
			left = 0
		}
	})
	return err == nil && left > 0
}

// spoke tells that the other side has said something, or that it is gone.
func spoke(c net.Conn) bool { return !quiet(c) }
