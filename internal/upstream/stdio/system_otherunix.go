//go:build unix && !linux

package stdio

import "syscall"

// ownGroup makes the process the leader of a session, and so of a group, of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// sweep does nothing here: there is no portable way to read the environment of
// another process, so a process that left its group is not found.
func sweep(...string) {}
