package stdio_test

import (
	"bufio"
	"bytes"
	"context"
	"durward/internal/durwardtest"
	"durward/internal/upstream/stdio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary plays three more parts: the watchdog, and a gateway that is
// going to be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "watchdog" {
		stdio.Watch(os.Stdin, os.Args[2])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "gateway" {
		doomedGateway(os.Args[2:])
		return
	}
	os.Exit(durwardtest.LeakFree(m))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// collector keeps the lines that a server writes.
type collector struct {
	lines chan string
	long  chan struct{}
}

func newCollector() *collector {
	return &collector{make(chan string, 1000), make(chan struct{}, 10)}
}

func (c *collector) next(t *testing.T) string {
	t.Helper()
	select {
	case l := <-c.lines:
		return l
	case <-time.After(time.Minute):
		t.Fatal("no line within a minute")
		return ""
	}
}

func launch(t *testing.T, g *stdio.Guard, script string, change func(*stdio.Command)) (*stdio.Process, *collector) {
	t.Helper()
	out := newCollector()
	c := stdio.Command{
		Path: "/bin/sh", Args: []string{"-c", script}, Log: quiet(), Grace: 200 * time.Millisecond,
		Line:     func(l []byte) { out.lines <- string(l) },
		Overlong: func() { out.long <- struct{}{} },
	}
	if change != nil {
		change(&c)
	}
	p, err := g.Start(c)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return p, out
}

func newGuard(t *testing.T) *stdio.Guard {
	g := stdio.NewGuard(stdio.GuardOptions{Log: quiet()})
	t.Cleanup(g.Close)
	return g
}

func TestLinesGoBothWays(t *testing.T) {
	p, out := launch(t, newGuard(t), "cat", nil)
	for i := range 3 {
		msg := fmt.Sprintf(`{"n":%d}`, i)
		if err := p.Send(t.Context(), []byte(msg)); err != nil {
			t.Fatalf("Send: %v", err)
		}
		if got := out.next(t); got != msg {
			t.Errorf("line = %q, want %q", got, msg)
		}
	}
	p.Stop(t.Context())
	if p.Err() == nil {
		t.Error("a stopped process has no reason")
	}
	if err := p.Send(t.Context(), []byte("x")); err == nil {
		t.Error("Send to a stopped process succeeded")
	}
}

func TestALongLineIsSkippedAndTheNextArrives(t *testing.T) {
	script := `head -c 300000 /dev/zero | tr '\0' a; echo; echo short; head -c 90000 /dev/zero | tr '\0' b; echo; cat`
	_, out := launch(t, newGuard(t), script, func(c *stdio.Command) { c.MaxLine = 100_000 })
	if got := out.next(t); got != "short" {
		t.Errorf("first line = %.20q, want short", got)
	}
	select {
	case <-out.long:
	default:
		t.Error("the long line was not reported")
	}
	if got := out.next(t); len(got) != 90_000 {
		t.Errorf("second line has %d bytes, want 90000", len(got))
	}
}

func TestTheEnvironmentIsSmallAndClean(t *testing.T) {
	t.Setenv("DURWARD_ADMIN_KEY", "secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	_, out := launch(t, newGuard(t), "env; echo END", func(c *stdio.Command) {
		c.Env = map[string]string{"TOKEN": "declared", "HOME": "/elsewhere"}
	})
	seen := map[string]string{}
	for l := out.next(t); l != "END"; l = out.next(t) {
		k, v, _ := strings.Cut(l, "=")
		seen[k] = v
	}
	if seen["TOKEN"] != "declared" || seen["HOME"] != "/elsewhere" || seen["PATH"] == "" {
		t.Errorf("declared and inherited variables are missing: %v", seen)
	}
	for k, v := range seen {
		if strings.HasPrefix(k, "DURWARD_") || v == "secret" {
			t.Errorf("%s=%s reached the server", k, v)
		}
	}
}

func TestStopIsPoliteFirst(t *testing.T) {
	g := newGuard(t)
	t.Run("a server that ends with its input", func(t *testing.T) {
		p, out := launch(t, g, `cat; echo bye`, func(c *stdio.Command) { c.Grace = time.Minute })
		p.Stop(t.Context())
		if got := out.next(t); got != "bye" {
			t.Errorf("line = %q, want bye", got)
		}
	})
	t.Run("a server that ends on the signal", func(t *testing.T) {
		p, out := launch(t, g, `trap 'echo term; exit 0' TERM; echo up; while :; do sleep 0.05; done`, func(c *stdio.Command) { c.Grace = 4 * time.Second })
		out.next(t)
		p.Stop(t.Context())
		if got := out.next(t); got != "term" {
			t.Errorf("line = %q, want term", got)
		}
	})
	t.Run("a server that ends only by force, with its children", func(t *testing.T) {
		p, out := launch(t, g, `trap '' TERM; sleep 1000 & echo $!; while :; do sleep 0.05; done`, nil)
		child := number(t, out.next(t))
		p.Stop(t.Context())
		waitGone(t, child)
	})
	t.Run("in no time when there is none", func(t *testing.T) {
		p, out := launch(t, g, `trap '' TERM; echo up; while :; do sleep 0.05; done`, func(c *stdio.Command) { c.Grace = time.Hour })
		out.next(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		p.Stop(ctx)
	})
}

func TestWhatAServerLeavesBehindDies(t *testing.T) {
	p, out := launch(t, newGuard(t), `sleep 1000 & echo $!; setsid sleep 1001 & echo $!; sleep 0.2; exit 3`, nil)
	group, stray := number(t, out.next(t)), number(t, out.next(t))
	<-p.Exited()
	if err := p.Err(); !errors.Is(err, stdio.ErrExited) || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Err = %v, want ErrExited with its status", err)
	}
	waitGone(t, group)
	waitGone(t, stray)
}

func TestAServerThatDoesNotReadIsKilled(t *testing.T) {
	p, _ := launch(t, newGuard(t), "sleep 1000", func(c *stdio.Command) { c.WriteTimeout = 100 * time.Millisecond })
	big := bytes.Repeat([]byte("x"), 1<<20)
	if err := p.Send(t.Context(), big); err == nil || !strings.Contains(err.Error(), "does not read") {
		t.Errorf("Send = %v, want that the server does not read", err)
	}
	<-p.Exited()
}

func TestStandardErrorGoesToTheLogWithinBounds(t *testing.T) {
	var mu sync.Mutex
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(lockedWriter{&mu, &buf}, nil)).With("upstream", "noisy")
	p, _ := launch(t, newGuard(t), `echo hello >&2; head -c 100000 /dev/zero | tr '\0' z >&2; echo >&2; i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done`,
		func(c *stdio.Command) { c.Log = log })
	<-p.Exited()
	p.Stop(t.Context())
	mu.Lock()
	defer mu.Unlock()
	text := buf.String()
	if !strings.Contains(text, "upstream=noisy") || !strings.Contains(text, "line=hello") {
		t.Errorf("the log lacks the line or its upstream: %.200s", text)
	}
	if n := strings.Count(text, "\n"); n > 400 {
		t.Errorf("%d lines logged, want a bounded number", n)
	}
	if !strings.Contains(text, "muted") {
		t.Error("that lines were muted is not logged")
	}
	if strings.Contains(text, strings.Repeat("z", 5000)) {
		t.Error("a long line was logged whole")
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func TestACommandThatIsNotThere(t *testing.T) {
	g := newGuard(t)
	if _, err := g.Start(stdio.Command{Path: "no-such-command-here", Log: quiet()}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Start = %v, want ErrNotFound", err)
	}
	if _, err := g.Start(stdio.Command{Path: "/etc/passwd", Log: quiet()}); err == nil {
		t.Error("Start of a file that is no program succeeded")
	}
	g.Close()
	if _, err := g.Start(stdio.Command{Path: "cat", Log: quiet()}); !errors.Is(err, stdio.ErrClosed) {
		t.Errorf("Start after Close = %v, want ErrClosed", err)
	}
}

func TestThePathOfTheServerFindsTheCommand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "srv"), []byte("#!/bin/sh\necho found\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, out := launch(t, newGuard(t), "", func(c *stdio.Command) {
		c.Path, c.Args, c.Env = "srv", nil, map[string]string{"PATH": dir + ":/bin:/usr/bin"}
	})
	if got := out.next(t); got != "found" {
		t.Errorf("line = %q, want found", got)
	}
}

// A gateway that is killed without a word leaves nothing behind: not the
// server, not what the server started, not even what left the server's group.
func TestNoOrphanAfterTheGatewayWasKilled(t *testing.T) {
	for _, watched := range []bool{true, false} {
		t.Run(fmt.Sprintf("watchdog %v", watched), func(t *testing.T) {
			gw := exec.Command(os.Args[0], "gateway", strconv.FormatBool(watched))
			stdout, err := gw.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := gw.Start(); err != nil {
				t.Fatal(err)
			}
			var pids []int
			for s := bufio.NewScanner(stdout); len(pids) < 4 && s.Scan(); {
				pids = append(pids, number(t, s.Text()))
			}
			if len(pids) != 4 {
				t.Fatalf("the gateway named %d processes, want 4", len(pids))
			}
			for _, pid := range pids {
				if !alive(pid) {
					t.Fatalf("process %d does not live", pid)
				}
			}
			_ = gw.Process.Kill()
			_ = gw.Wait()
			if !watched { // then only the servers themselves
				defer func(orphans []int) {
					for _, pid := range orphans {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}(pids[1:3])
				pids = []int{pids[0], pids[3]}
			}
			for _, pid := range pids {
				waitGone(t, pid)
			}
		})
	}
}

// doomedGateway starts two servers, prints the ids of all processes and waits to be killed.
func doomedGateway(args []string) {
	o := stdio.GuardOptions{Log: quiet()}
	if args[0] == "true" {
		o.Watchdog = []string{os.Args[0], "watchdog"}
	}
	g := stdio.NewGuard(o)
	lines := make(chan string)
	start := func(script string) {
		p, err := g.Start(stdio.Command{
			Path: "/bin/sh", Args: []string{"-c", script}, Log: quiet(), Line: func(l []byte) { lines <- string(l) },
		})
		if err != nil {
			panic(err)
		}
		fmt.Println(p.Pid())
	}
	start(`trap '' TERM HUP; sleep 1000 & echo $!; setsid sleep 1001 & echo $!; while :; do sleep 1; done`)
	fmt.Println(<-lines)
	fmt.Println(<-lines)
	start(`trap '' TERM HUP; while :; do sleep 1; done`)
	select {}
}

// A watchdog that was killed is replaced, and the new one knows every server.
func TestTheWatchdogIsWatched(t *testing.T) {
	g := stdio.NewGuard(stdio.GuardOptions{Log: quiet(), Watchdog: []string{os.Args[0], "watchdog"}})
	defer g.Close()
	launch(t, g, "cat", nil)
	first := waitWatchdog(t, 0)
	time.Sleep(1100 * time.Millisecond) // it is started at most once a second
	_ = syscall.Kill(first, syscall.SIGKILL)
	waitWatchdog(t, first)
}

// waitWatchdog returns the pid of a child of ours that is a watchdog, other than not.
func waitWatchdog(t *testing.T, not int) int {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range list {
			b, _ := os.ReadFile(f)
			pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
			if pid != not && bytes.HasPrefix(b, []byte(os.Args[0]+"\x00watchdog\x00")) && parent(pid) == os.Getpid() {
				return pid
			}
		}
	}
	t.Fatal("no watchdog within a minute")
	return 0
}

func parent(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}

func TestTheGuardEndsWithProcessesStillRunning(t *testing.T) {
	g := stdio.NewGuard(stdio.GuardOptions{Log: quiet()})
	p, _ := launch(t, g, "trap '' TERM; while :; do sleep 0.1; done", nil)
	g.Close()
	select {
	case <-p.Exited():
	default:
		t.Error("a process lives after Close")
	}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%q is not a process id", s)
	}
	return n
}

// alive reports whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	i := bytes.LastIndexByte(b, ')')
	return i+2 < len(b) && b[i+2] != 'Z'
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("process %d still lives", pid)
			return
		}
	}
}

// A line break between tokens is legal JSON, and would begin a message that
// nobody has checked.
func TestAMessageIsOneLineWhateverItHolds(t *testing.T) {
	p, out := launch(t, newGuard(t), "cat", nil)
	smuggled := "{\"params\":{\"arguments\":{\"x\":\n{\"method\":\"tools/call\",\"params\":{\"name\":\"forbidden\"}}\r\n}}}"
	if err := p.Send(t.Context(), []byte(smuggled)); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if got, want := out.next(t), strings.NewReplacer("\n", " ", "\r", " ").Replace(smuggled); got != want {
		t.Errorf("the server read %q as its first line, want %q", got, want)
	}
	p.Stop(t.Context())
}
