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
// until it finds none, because a process may fork while it is looked for.
func sweep(tags ...string) {
	marks := make([][]byte, len(tags))
	for i, tag := range tags {
		marks[i] = []byte(tagName + "=" + tag)
	}
	for range 50 {
		if !sweepOnce(marks) {
			return
		}
		time.Sleep(2 * time.Millisecond) // a killed process keeps its entry for a moment
	}
}

func sweepOnce(marks [][]byte) (found bool) {
	dir, err := os.Open("/proc")
	if err != nil {
		return false
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
		if err == nil && slices.ContainsFunc(marks, func(mark []byte) bool { return carries(env, mark) }) && syscall.Kill(pid, syscall.SIGKILL) == nil {
			found = true
		}
	}
	return found
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
