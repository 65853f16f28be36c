package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"durward/internal/admin"
)

// folder is a data folder with the example and an agent, as `durward up` leaves it.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "durward", "up", "--once", "--data", "d", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("up --once: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "durward.yaml"), []byte("data: d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// running is a process of ours, which the end of the test ends.
type running struct {
	*exec.Cmd
	errs *strings.Builder
	done chan struct{} // closed when it has ended
}

func start(t *testing.T, dir string, tune func(*exec.Cmd), args ...string) *running {
	t.Helper()
	r := &running{Cmd: exec.Command("durward", args...), errs: new(strings.Builder), done: make(chan struct{})}
	r.Dir, r.Stderr = dir, r.errs
	if tune != nil {
		tune(r.Cmd)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.Wait(); close(r.done) }()
	t.Cleanup(func() {
		_ = r.Process.Kill()
		<-r.done
		if t.Failed() {
			t.Logf("%v said: %s", args, r.errs)
		}
	})
	return r
}

// ends waits for the end and returns the exit code.
func (r *running) ends(t *testing.T) int {
	t.Helper()
	select {
	case <-r.done:
		return r.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%v does not end", r.Args)
		return -1
	}
}

// serves starts a gateway on a folder and waits until it serves.
func serves(t *testing.T, dir string) *running {
	t.Helper()
	g := start(t, dir, nil, "serve", "-c", "durward.yaml", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		run, err := admin.ReadRun(filepath.Join(dir, "d"))
		if err == nil && run.PID == g.Process.Pid {
			return g
		}
		if time.Now().After(late) {
			t.Fatalf("no gateway serves: %v", err)
		}
	}
}

// host is a client that starts `durward stdio` and keeps it.
type host struct {
	*running
	in    io.WriteCloser
	lines chan string // what it hears; closed at the end
	seen  []string    // what was heard while something else was waited for
}

// hosted starts `durward stdio` on a folder.
func hosted(t *testing.T, dir string, args ...string) *host {
	t.Helper()
	h := &host{lines: make(chan string, 1000)}
	h.running = start(t, dir, func(c *exec.Cmd) {
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		h.in, c.Stdout = in, w
		go func() {
			defer close(h.lines)
			for lines := bufio.NewScanner(r); lines.Scan(); {
				h.lines <- lines.Text()
			}
		}()
		t.Cleanup(func() { _ = w.Close() })
	}, append([]string{"stdio", "--data", "d"}, args...)...)
	_ = h.Stdout.(*os.File).Close() // the process has it
	return h
}

func (h *host) send(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(h.in, format+"\n", args...); err != nil {
		t.Fatal(err)
	}
}

// hears waits for a line with all of the words in it.
func (h *host) hears(t *testing.T, words ...string) string {
	t.Helper()
	has := func(line string) bool {
		for _, w := range words {
			if !strings.Contains(line, w) {
				return false
			}
		}
		return true
	}
	for i, line := range h.seen {
		if has(line) {
			h.seen = append(h.seen[:i:i], h.seen[i+1:]...)
			return line
		}
	}
	late := time.After(patience)
	for {
		select {
		case line, ok := <-h.lines:
			if !ok {
				t.Fatalf("the end, want %q; before: %q", words, h.seen)
			}
			if has(line) {
				return line
			}
			h.seen = append(h.seen, line)
		case <-late:
			t.Fatalf("nothing with %q; heard: %q", words, h.seen)
		}
	}
}

// introduce is what a client of 2025-11-25 does first.
func (h *host) introduce(t *testing.T) {
	t.Helper()
	h.send(t, `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	h.hears(t, `"id":"i"`, `"protocolVersion":"2025-11-25"`)
	h.send(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// report begins a call that takes a second or more, and waits until it is under way.
func (h *host) report(t *testing.T, id string, pause int) {
	t.Helper()
	h.send(t, `{"jsonrpc":"2.0","id":%q,"method":"tools/call","params":{"name":"example__notes_report","arguments":{"pause_ms":%d},"_meta":{"progressToken":%q}}}`, id, pause, id)
	h.hears(t, "notifications/progress", id)
}

// now calls a tool and returns its answer.
func (h *host) now(t *testing.T, id string) string {
	t.Helper()
	h.send(t, `{"jsonrpc":"2.0","id":%q,"method":"tools/call","params":{"name":"example__clock_now"}}`, id)
	return h.hears(t, fmt.Sprintf(`"id":%q`, id))
}

func isResult(line string) bool {
	var m struct{ Result json.RawMessage }
	return json.Unmarshal([]byte(line), &m) == nil && m.Result != nil
}

// TestAGatewayDrainsStdio: a call that came through `durward stdio` ends like
// one over HTTP when the gateway is told to stop.
func TestAGatewayDrainsStdio(t *testing.T) {
	dir := folder(t)
	g := serves(t, dir)
	h := hosted(t, dir)
	h.introduce(t)
	h.report(t, "slow", 200)
	if err := g.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line := h.hears(t, `"id":"slow"`); !isResult(line) {
		t.Errorf("the call was not drained: %s", line)
	}
	if code := g.ends(t); code != 0 {
		t.Errorf("the gateway ended with %d: %s", code, g.errs)
	}
}
