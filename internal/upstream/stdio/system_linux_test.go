package stdio

import (
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// What shows no environment is about to become another program, unless it is
// dead or a thread of the kernel.
func TestBecoming(t *testing.T) {
	for name, c := range map[string]struct {
		command []string
		want    bool
	}{
		"dead":             {[]string{"true"}, false},
		"alive and hidden": {[]string{"sleep", "60"}, true},
	} {
		cmd := exec.Command(c.command[0], c.command[1:]...)
		cmd.Env = []string{} // as in the middle of execve
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := strconv.Itoa(cmd.Process.Pid)
		for deadline := time.Now().Add(time.Minute); becoming(pid) != c.want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%s: becoming = %v", name, !c.want)
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if becoming(pid) {
			t.Errorf("%s: becoming after its end", name)
		}
	}
	if becoming("2") {
		t.Error("becoming = true of the kernel's threads")
	}
}

// Who has no environment for good keeps nobody from ending.
func TestSweepEnds(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	sweep("a-tag-that-nobody-carries")
	if !becoming(strconv.Itoa(cmd.Process.Pid)) {
		t.Error("a process without the tag was killed")
	}
}
