package stdio

import (
	"bufio"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Watch is the whole life of a watchdog process: it reads from in which groups
// live, and when in ends, because the gateway that held its other end is gone,
// it kills them and every process that carries the gateway's tag. It ignores
// the signals that end a gateway. Call it before anything else in main, when
// the hidden argument that [GuardOptions] names is there, with the last argument as tag.
func Watch(in io.Reader, tag string) {
	signal.Ignore(politeSignals()...)
	groups := map[int]struct{}{}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		word := lines.Text()
		pid, err := strconv.Atoi(strings.TrimLeft(word, "+-"))
		if err != nil || pid <= 1 {
			continue
		}
		if strings.HasPrefix(word, "+") {
			groups[pid] = struct{}{}
		} else {
			delete(groups, pid)
		}
	}
	for pid := range groups {
		_ = killGroup(pid)
	}
	sweep(tag)
	if len(groups) == 0 { // all had ended before: nobody was cut off
		return
	}
	time.Sleep(lastLook)
	sweep(tag)
}

// lastLook is when a watchdog looks again for what it may have missed: on a
// machine that is very busy a process takes its time to become another program.
const lastLook = 2 * time.Second

// watchdog is our end of a watchdog process. It is started with the first
// server and again should it ever die. All methods may be called on nil.
type watchdog struct {
	log     *slog.Logger
	command []string
	tag     string

	mu      sync.Mutex // guards all below
	pipe    *os.File   // nil while none runs
	proc    *os.Process
	groups  map[int]struct{}
	tried   time.Time
	closed  bool
	waiting sync.WaitGroup
}

func newWatchdog(log *slog.Logger, command []string, tag string) *watchdog {
	return &watchdog{log: log, command: command, tag: tag, groups: map[int]struct{}{}}
}

// ensure starts the watchdog unless it runs. A failure is logged and retried
// with the next server: a gateway without a watchdog still serves.
func (w *watchdog) ensure() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pipe != nil || w.closed || time.Since(w.tried) < time.Second {
		return
	}
	w.tried = time.Now()
	if err := w.start(); err != nil {
		w.log.Error("start the watchdog of stdio upstreams", "err", err)
	}
}

func (w *watchdog) start() error {
	path, err := locate(w.command[0], nil)
	if err != nil {
		return err
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		_ = ours.Close()
		return err
	}
	defer null.Close()
	// It must not carry the tag that it looks for, nor our group, which a
	// terminal or a test harness may signal as a whole.
	argv := append(append([]string{}, w.command...), w.tag)
	proc, err := os.StartProcess(path, argv, &os.ProcAttr{
		Dir: "/", Env: []string{"GOGC=off", "GOMAXPROCS=1"}, Files: []*os.File{theirs, null, null}, Sys: detached(),
	})
	if err != nil {
		_ = ours.Close()
		return err
	}
	w.proc, w.pipe = proc, ours
	for pid := range w.groups {
		w.tell('+', pid)
	}
	w.waiting.Go(func() { w.wait(proc, ours) })
	return nil
}

// wait notices the watchdog's death and starts another.
func (w *watchdog) wait(proc *os.Process, pipe *os.File) {
	_, _ = proc.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pipe == pipe {
		_ = pipe.Close()
		w.pipe, w.proc = nil, nil
	}
	if w.closed {
		return
	}
	w.log.Warn("the watchdog of stdio upstreams died")
	if len(w.groups) == 0 || time.Since(w.tried) < time.Second {
		return
	}
	w.tried = time.Now()
	if err := w.start(); err != nil {
		w.log.Error("start the watchdog of stdio upstreams", "err", err)
	}
}

func (w *watchdog) add(pid int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.groups[pid] = struct{}{}
	w.tell('+', pid)
}

func (w *watchdog) remove(pid int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.groups, pid)
	w.tell('-', pid)
}

// tell writes one line; the caller holds mu. A watchdog that does not read is
// as good as dead and must not hold us up.
func (w *watchdog) tell(sign byte, pid int) {
	if w.pipe == nil {
		return
	}
	_ = w.pipe.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	line := append(strconv.AppendInt([]byte{sign}, int64(pid), 10), '\n')
	if _, err := w.pipe.Write(line); err != nil {
		w.log.Warn("tell the watchdog of stdio upstreams", "err", err)
	}
}

// close lets the watchdog end, which finds nothing left to do.
func (w *watchdog) close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.closed = true
	if w.pipe != nil {
		_ = w.pipe.Close()
		w.pipe = nil
	}
	w.mu.Unlock()
	w.waiting.Wait()
}
