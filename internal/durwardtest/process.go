package durwardtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Process is a program that runs beside the test, in a process group of its own.
type Process struct {
	Cmd    *exec.Cmd
	Stdout *Output
	Stderr *Output
	name   string
	exited chan struct{} // closed after Wait
}

// Output gathers what a process writes, for reading while it runs.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String is all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// StartOptions are what a process may need beside its command line.
type StartOptions struct {
	Dir string
	Env []string // added to the test's own
}

// Start runs a program until the test ends; what it wrote is logged when the test failed.
func Start(t testing.TB, o StartOptions, bin string, args ...string) *Process {
	t.Helper()
	p := &Process{Cmd: exec.Command(bin, args...), Stdout: &Output{}, Stderr: &Output{}, exited: make(chan struct{})}
	p.name = bin[strings.LastIndexByte(bin, '/')+1:]
	p.Cmd.Dir = o.Dir
	p.Cmd.Env = append(os.Environ(), o.Env...)
	p.Cmd.Stdout, p.Cmd.Stderr = p.Stdout, p.Stderr
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.Cmd.WaitDelay = 2 * time.Second // a grandchild may hold the pipes
	if err := p.Cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.Cmd.Wait()
	}()
	t.Cleanup(func() {
		p.Stop(10 * time.Second)
		if t.Failed() {
			t.Logf("%s wrote:\n%s%s", p.name, tail(p.Stdout.String()), tail(p.Stderr.String()))
		}
	})
	return p
}

func tail(s string) string {
	const most = 32 << 10
	if len(s) > most {
		return "[...]" + s[len(s)-most:]
	}
	return s
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop asks the process to end, and kills its whole group when it does not in
// time; a Go program then says first what its goroutines were doing.
// It reports whether the process ended by itself.
func (p *Process) Stop(grace time.Duration) bool {
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	inTime := p.endsWithin(grace)
	if !inTime {
		_ = p.Cmd.Process.Signal(syscall.SIGQUIT)
		p.endsWithin(2 * time.Second)
	}
	p.Kill()
	return inTime
}

func (p *Process) endsWithin(d time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(d):
		return false
	}
}

// Kill ends the process group at once, without a chance to say goodbye.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// WaitFor polls until ready, and gives the test up when the process ends first.
func (p *Process) WaitFor(t testing.TB, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		if ready() {
			return
		}
		select {
		case <-p.exited:
			if ready() {
				return
			}
			t.Fatalf("%s ended before %s:\n%s%s", p.name, what, tail(p.Stdout.String()), tail(p.Stderr.String()))
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("%s: %s did not happen within a minute", p.name, what)
}

// StartHTTP runs a server that is told where to listen ({ADDR} and {PORT} are
// replaced in arguments and environment), waits until it accepts connections, and returns the address.
func StartHTTP(t testing.TB, o StartOptions, bin string, args ...string) (addr string) {
	t.Helper()
	addr = FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	for i := range args {
		args[i] = strings.ReplaceAll(strings.ReplaceAll(args[i], "{ADDR}", addr), "{PORT}", port)
	}
	for i := range o.Env {
		o.Env[i] = strings.ReplaceAll(o.Env[i], "{PORT}", port)
	}
	p := Start(t, o, bin, args...)
	p.WaitFor(t, "listening on "+addr, func() bool { return dials(addr) == nil })
	return addr
}

func dials(addr string) error {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	return c.Close()
}

// given is how many addresses this process has given out: a mutable variable,
// because no two tests may have the same.
var given atomic.Int64

// FreeAddr is a loopback address on which nothing listens just now. Its port is
// below those that systems give to connections, or one of these could take it
// before the server is there; and processes of tests begin at different places.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func listen() (l net.Listener, err error) {
	const first, many = 10_000, 20_000
	for range many {
		port := first + (int64(os.Getpid())*191+given.Add(1))%many
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}

// Alive reports whether a process with this id runs; a zombie does not.
func Alive(pid int) bool {
	state, _, ok := stat(fmt.Sprintf("/proc/%d/stat", pid))
	if ok {
		return state != "Z"
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// Children are the processes below pid that are no zombies.
func Children(t testing.TB, pid int) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		Missing(t, "no /proc: the children of a process cannot be listed")
	}
	parent := map[int]int{}
	for _, f := range files {
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		state, up, ok := stat(f)
		if err == nil && ok && state != "Z" {
			parent[id] = up
		}
	}
	return below(parent, pid)
}

// stat reads the state and the parent of a process from its line in /proc:
// pid (comm) state ppid ...; comm may hold anything, also parentheses.
func stat(file string) (state string, parent int, ok bool) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", 0, false // it ended meanwhile
	}
	_, err = fmt.Sscan(string(raw[bytes.LastIndexByte(raw, ')')+1:]), &state, &parent)
	return state, parent, err == nil
}

func below(parent map[int]int, pid int) (pids []int) {
	for id, up := range parent {
		if up == pid {
			pids = append(append(pids, id), below(parent, id)...)
		}
	}
	return pids
}
