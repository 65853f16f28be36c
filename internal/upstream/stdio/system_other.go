//go:build !unix

package stdio

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func detached() *syscall.SysProcAttr { return nil }

// killGroup kills the server alone: there are no process groups here.
func killGroup(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

func termGroup(pid int) error { return killGroup(pid) }

func politeSignals() []os.Signal { return []os.Signal{os.Interrupt} }

func sweep(...string) {}
