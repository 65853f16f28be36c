package audit

import (
	"errors"
	"os"
	"syscall"
)

func syncData(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for failed = syscall.EINTR; errors.Is(failed, syscall.EINTR); {
			failed = syscall.Fdatasync(int(fd))
		}
	})
	if failed != nil {
		return os.NewSyscallError("fdatasync", failed)
	}
	return err
}
