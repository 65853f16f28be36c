//go:build unix

package stdio

import (
	"os"
	"syscall"
)

// detached puts the watchdog where no signal meant for us reaches it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

func termGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGTERM) }

func politeSignals() []os.Signal {
	return []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}
}
