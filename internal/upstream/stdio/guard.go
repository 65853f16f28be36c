package stdio

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
)

// tagName is the variable that marks every process of a gateway and what it
// starts in turn, so that one that left its group can still be found.
const tagName = "MCP_UPSTREAM_PROCESS"

// ErrClosed says that the guard starts nothing more.
var ErrClosed = errors.New("no more processes are started")

// Guard starts processes and sees to it that none outlives this program.
type Guard struct {
	log      *slog.Logger
	tag      string
	watchdog *watchdog // nil without one
	starts   chan start
	quit     chan struct{}
	done     chan struct{}

	strays sweeper

	mu      sync.Mutex // guards next, live and shut
	next    int
	live    map[*Process]struct{}
	shut    bool
	running sync.WaitGroup // grows under mu, and only before shut
}

// GuardOptions are what a guard needs.
type GuardOptions struct {
	Log *slog.Logger
	// Watchdog is the command, usually this very program with a hidden
	// argument, whose main calls [Watch] and returns. Without one the kernel's
	// parent-death signal is all that stands behind a gateway that was killed;
	// it does not reach what a server has started.
	Watchdog []string
}

type start struct {
	path  string
	argv  []string
	attr  *os.ProcAttr
	reply chan started
}

type started struct {
	proc *os.Process
	err  error
}

// NewGuard returns a guard; the watchdog comes with the first process.
func NewGuard(o GuardOptions) *Guard {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	g := &Guard{
		log: o.Log, tag: hex.EncodeToString(id[:]),
		starts: make(chan start), quit: make(chan struct{}), done: make(chan struct{}),
		live: map[*Process]struct{}{},
	}
	if len(o.Watchdog) > 0 {
		g.watchdog = newWatchdog(o.Log, o.Watchdog, g.tag)
	}
	go g.starter()
	return g
}

// starter forks every process on one thread that lives as long as the guard:
// the parent-death signal is sent when the forking thread ends, and threads of
// the pool may end at any time. Leaving without unlocking ends the thread.
func (g *Guard) starter() {
	runtime.LockOSThread()
	defer close(g.done)
	for {
		select {
		case s := <-g.starts:
			p, err := os.StartProcess(s.path, s.argv, s.attr)
			s.reply <- started{p, err}
		case <-g.quit:
			return
		}
	}
}

func (g *Guard) fork(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	s := start{path: path, argv: argv, attr: attr, reply: make(chan started, 1)}
	select {
	case g.starts <- s:
	case <-g.quit:
		return nil, ErrClosed
	}
	r := <-s.reply
	return r.proc, r.err
}

// admit reserves a tag for one process, which is to be released.
func (g *Guard) admit() (tag string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return "", ErrClosed
	}
	g.next++
	g.running.Add(1)
	return g.tag + "." + strconv.Itoa(g.next), nil
}

// adopt takes a started process into care; one that comes too late is killed.
func (g *Guard) adopt(p *Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		p.kill()
		return
	}
	g.live[p] = struct{}{}
}

func (g *Guard) release(p *Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.live, p)
	g.running.Done()
}

// Close kills what still runs and waits for it. Processes that deserve a
// graceful end are to be stopped before.
func (g *Guard) Close() {
	g.mu.Lock()
	first := !g.shut
	g.shut = true
	for p := range g.live {
		p.kill()
	}
	g.mu.Unlock()
	g.running.Wait()
	if first {
		close(g.quit)
	}
	<-g.done
	g.watchdog.close()
}
