package stdio

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ownGroup makes the process the leader of a session, and so of a group, of
// its own: signals for the gateway's group do not reach it, and it has no
// terminal on which to ask a person for a password. The kernel kills it when
// the thread that forked it ends.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// sweep kills every process that carries the tag, or one that extends it, in
// its environment: what a server started in a group of its own. It looks again
// until it finds none, because a process may fork while it is looked for, or be
// about to become another program.
func sweep(tags ...string) {
	marks := make([][]byte, len(tags))
	for i, tag := range tags {
		marks[i] = []byte(tagName + "=" + tag)
	}
	pause := killPause
	for range 50 {
		switch found, unsure := sweepOnce(marks); {
		case found:
			time.Sleep(killPause)
		case unsure && pause <= unsureMost:
			time.Sleep(pause)
			pause *= 2
		default:
			return
		}
	}
}

const (
	killPause  = 2 * time.Millisecond   // a killed process keeps its entry for a moment
	unsureMost = 128 * time.Millisecond // some processes have no environment for good
)

// sweepOnce looks at every process once. It is unsure where one may carry a
// mark in a moment.
func sweepOnce(marks [][]byte) (found, unsure bool) {
	dir, err := os.Open("/proc")
	if err != nil {
		return false, false
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		// Others' processes cannot be read; a dead one reads as empty.
		env, err := os.ReadFile("/proc/" + name + "/environ")
		switch {
		case err != nil:
		case len(env) == 0:
			unsure = unsure || becoming(name)
		case slices.ContainsFunc(marks, func(mark []byte) bool { return carries(env, mark) }) && syscall.Kill(pid, syscall.SIGKILL) == nil:
			found = true
		}
	}
	return found, unsure
}

// becoming reports whether a process without an environment is in the middle
// of execve(2), where it has none to show yet. The others are dead, or threads
// of the kernel.
func becoming(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // behind the name: state, parent, ...
	const state, parent, kthreadd = 0, 1, "2"
	return len(fields) > parent && !bytes.ContainsAny(fields[state], "ZX") && pid != kthreadd && string(fields[parent]) != kthreadd
}

// carries reports whether the environment holds the mark as a whole value or
// as its first part.
func carries(env, mark []byte) bool {
	for rest := env; ; {
		i := bytes.Index(rest, mark)
		if i < 0 {
			return false
		}
		start, end := i == 0 || rest[i-1] == 0, i+len(mark)
		if start && (end == len(rest) || rest[end] == 0 || rest[end] == '.') {
			return true
		}
		rest = rest[end:]
	}
}
