package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"durward/internal/admin"
	"durward/internal/boot"
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

// serves starts a gateway on a folder, with serve or as args say, and waits
// until it serves.
func serves(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	if len(args) == 0 {
		args = []string{"serve", "-c", "durward.yaml"}
	}
	g := start(t, dir, nil, append(args, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")...)
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		run, err := admin.ReadRun(filepath.Join(dir, "d"))
		if err == nil && run.PID == g.Process.Pid {
			return g
		}
		select {
		case <-g.done:
			t.Fatalf("the gateway ended with %d", g.ProcessState.ExitCode())
		default:
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

// TestStdioAtTheSameMoment: a client starts all of its servers at once. One of
// them gets the folder, the others join it.
func TestStdioAtTheSameMoment(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for range 3 {
		var hosts []*host
		for range 4 {
			hosts = append(hosts, hosted(t, dir))
		}
		for _, h := range hosts {
			h.introduce(t)
		}
		for _, h := range hosts {
			if line := h.now(t, "c"); !isResult(line) {
				t.Errorf("a call: %s", line)
			}
		}
		for _, h := range hosts {
			h.in.Close()
		}
		for _, h := range hosts {
			if code := h.ends(t); code != 0 {
				t.Errorf("the end of a client: %d %s", code, h.errs)
			}
		}
	}
}

// owner is the host whose process has the gateway of a folder.
func owner(t *testing.T, dir string, hosts []*host) (i int) {
	t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		run, err := admin.ReadRun(filepath.Join(dir, "d"))
		if i := slices.IndexFunc(hosts, func(h *host) bool { return h.Process.Pid == run.PID }); err == nil && i >= 0 {
			return i
		}
		if time.Now().After(late) {
			t.Fatalf("none of the hosts has a gateway: %v %v", run, err)
		}
	}
}

// TestStdioOutlivesTheOneThatBegan: when the process that has the gateway ends,
// whether its client leaves or it is killed, another takes the folder over and
// the rest join that one. No client notices but by news.
func TestStdioOutlivesTheOneThatBegan(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	var hosts []*host
	for range 4 {
		hosts = append(hosts, hosted(t, dir))
	}
	for _, h := range hosts {
		h.introduce(t)
		h.now(t, "first") // with which the gateway has heard that it is introduced
	}
	for round := 0; len(hosts) > 1; round++ {
		i := owner(t, dir, hosts)
		last := hosts[i]
		hosts = slices.Delete(hosts, i, i+1)
		if round == 1 {
			_ = last.Process.Kill()
			last.ends(t) // what is sent before has an end that nobody knows
		} else {
			last.in.Close()
		}
		for i, h := range hosts {
			if line := h.now(t, fmt.Sprintf("r%d.%d", round, i)); !isResult(line) {
				t.Errorf("a call after round %d: %s", round, line)
			}
			h.hears(t, "notifications/tools/list_changed")
		}
		last.ends(t)
	}
	hosts[0].in.Close()
	if code := hosts[0].ends(t); code != 0 {
		t.Errorf("the last one ended with %d", code)
	}
}

// TestStdioOutlivesAnUpgrade: the gateway is stopped under a call and started
// again. The call ends, requests that come meanwhile wait, and the client,
// introduced once, goes on.
func TestStdioOutlivesAnUpgrade(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	g := serves(t, dir)
	h := hosted(t, dir)
	h.introduce(t)
	modern := hosted(t, dir)
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	modern.send(t, `{"jsonrpc":"2.0","id":"L","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},%s}}`, meta)
	modern.hears(t, "subscriptions/acknowledged")
	h.report(t, "slow", 300)
	if err := g.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(time.Millisecond) { // until it begins nothing more
		if _, err := os.Stat(boot.SocketPath(filepath.Join(dir, "d"))); err != nil {
			break
		}
	}
	h.send(t, `{"jsonrpc":"2.0","id":"meanwhile","method":"tools/call","params":{"name":"example__clock_now"}}`)
	h.send(t, `{"jsonrpc":"2.0","id":"unwanted","method":"tools/call","params":{"name":"example__clock_now"}}`)
	if line := h.hears(t, `"id":"slow"`); !isResult(line) {
		t.Errorf("the call was not drained: %s", line)
	}
	g.ends(t)
	h.send(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"unwanted"}}`)
	serves(t, dir)
	if line := h.hears(t, `"id":"meanwhile"`); !isResult(line) {
		t.Errorf("the call that came meanwhile: %s", line)
	}
	h.hears(t, "notifications/tools/list_changed")
	if line := h.now(t, "after"); !isResult(line) {
		t.Errorf("a call after it: %s", line)
	}
	modern.hears(t, "notifications/tools/list_changed", `"io.modelcontextprotocol/subscriptionId":"L"`)
	for _, line := range append(h.seen, modern.seen...) {
		if !strings.Contains(line, `"method"`) || strings.Contains(line, "acknowledged") {
			t.Errorf("the client heard what it should not: %s", line)
		}
	}
}

// TestAPassingGatewayMakesRoom: a gateway that is started on purpose gets the
// folder from the one that a client's process had started meanwhile, and all
// clients go on with it, calls under way included.
func TestAPassingGatewayMakesRoom(t *testing.T) {
	for name, args := range map[string][]string{"serve": nil, "up": {"up", "--data", "d"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testMakesRoom(t, args)
		})
	}
}

func testMakesRoom(t *testing.T, args []string) {
	dir := folder(t)
	hosts := []*host{hosted(t, dir), hosted(t, dir), hosted(t, dir)}
	for _, h := range hosts {
		h.introduce(t)
	}
	mine := hosts[owner(t, dir, hosts)]
	mine.report(t, "slow", 300)
	serves(t, dir, args...)
	if line := mine.hears(t, `"id":"slow"`); !isResult(line) {
		t.Errorf("the call was not drained: %s", line)
	}
	for _, h := range hosts {
		if line := h.now(t, "after"); !isResult(line) {
			t.Errorf("a call after it: %s", line)
		}
	}
	for _, h := range hosts {
		h.in.Close()
		if code := h.ends(t); code != 0 {
			t.Errorf("the end: %d", code)
		}
	}
	if run, err := admin.ReadRun(filepath.Join(dir, "d")); err != nil || run.Passing {
		t.Errorf("the gateway on purpose is gone: %v %v", run, err)
	}
}

// TestAPassingGatewayThatIsLeaving: one that is started on purpose while a
// client's gateway lets the calls of others end waits for the folder, and gets it.
func TestAPassingGatewayThatIsLeaving(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	first := hosted(t, dir)
	first.introduce(t)
	owner(t, dir, []*host{first})
	h := hosted(t, dir)
	h.introduce(t)
	h.report(t, "slow", 1500)
	first.in.Close()
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(time.Millisecond) { // until it begins nothing more
		if _, err := os.Stat(boot.SocketPath(filepath.Join(dir, "d"))); err != nil {
			break
		}
	}
	serves(t, dir)
	if line := h.hears(t, `"id":"slow"`); !isResult(line) {
		t.Errorf("the call was not drained: %s", line)
	}
	if line := h.now(t, "after"); !isResult(line) {
		t.Errorf("a call after it: %s", line)
	}
	if code := first.ends(t); code != 0 {
		t.Errorf("the first one ended with %d", code)
	}
}

// TestStdioOutlivesACrash: what was under way is answered truthfully, and not
// made again; then a gateway is started here when none comes back.
func TestStdioOutlivesACrash(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	g := serves(t, dir)
	h := hosted(t, dir)
	h.introduce(t)
	h.report(t, "slow", 1000)
	_ = g.Process.Kill()
	if line := h.hears(t, `"id":"slow"`); !strings.Contains(line, `"reason":"cut_off"`) || !strings.Contains(line, "Whether it had an effect is not known") {
		t.Errorf("the call under way: %s", line)
	}
	if line := h.now(t, "after"); !isResult(line) {
		t.Errorf("a call after it: %s", line)
	}
	owner(t, dir, []*host{h})
	h.in.Close()
	if code := h.ends(t); code != 0 {
		t.Errorf("the end: %d", code)
	}
}

// TestStdioOfAnAgentThatIsGone: a client that the gateway does not take again
// is told why on standard error.
func TestStdioOfAnAgentThatIsGone(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	serves(t, dir)
	h := hosted(t, dir)
	h.introduce(t)
	c := exec.CommandContext(t.Context(), "durward", "agent", "disable", "my-agent", "--data", "d")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("agent disable: %v\n%s", err, out)
	}
	if code := h.ends(t); code != 1 || !strings.Contains(h.errs.String(), "does not take the client again") {
		t.Errorf("ended with %d: %s", code, h.errs)
	}
}
