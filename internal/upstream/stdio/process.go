package stdio

import (
	"cmp"
	"context"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// Command describes a server to start and what becomes of what it writes.
type Command struct {
	Path string
	Args []string
	Env  map[string]string // added to the small inherited environment
	Dir  string
	Log  *slog.Logger // receives what the server writes to its standard error

	// Line receives each line of standard output without its end; it owns the
	// bytes. It is called from one goroutine and holds up the server while it runs.
	Line func(line []byte)
	// Overlong is called instead for a line over MaxLine, which is skipped.
	Overlong func()
	// Ended is called once, after the last line.
	Ended   func(why error)
	MaxLine int // 8 MiB
	// WriteTimeout is how long a server may refuse to read its input: 15 s.
	WriteTimeout time.Duration
	// Grace is how long a server gets after the end of its input, and once
	// more after the polite signal: 2 s.
	Grace time.Duration
}

// Process is a server that was started. It is safe for concurrent use.
type Process struct {
	guard *Guard
	cmd   Command
	tag   string
	proc  *os.Process

	in      *os.File
	writing chan struct{} // holds one token; who has it writes
	closeIn sync.Once

	exited chan struct{} // the server itself has ended
	gone   chan struct{} // and all that it left behind too
	stop   sync.Once

	mu   sync.Mutex // guards what follows
	why  error
	said string // its last line of standard error
}

// ErrExited says that the server's process has ended.
var ErrExited = errors.New("the server's process has ended")

// Start starts a server.
func (g *Guard) Start(c Command) (*Process, error) {
	c.MaxLine = cmp.Or(c.MaxLine, 8<<20)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 15*time.Second)
	c.Grace = cmp.Or(c.Grace, 2*time.Second)
	path, err := locate(c.Path, c.Env)
	if err != nil {
		return nil, fmt.Errorf("find the command: %w", err)
	}
	p := &Process{
		guard: g, cmd: c, writing: make(chan struct{}, 1),
		exited: make(chan struct{}), gone: make(chan struct{}),
	}
	if p.tag, err = g.admit(); err != nil {
		return nil, err
	}
	if err := p.launch(path); err != nil {
		g.release(p)
		return nil, fmt.Errorf("start the command: %w", err)
	}
	return p, nil
}

func (p *Process) launch(path string) error {
	var pipes pipes
	defer pipes.closeTheirs()
	if err := pipes.open(); err != nil {
		pipes.closeOurs()
		return err
	}
	p.guard.watchdog.ensure()
	proc, err := p.guard.fork(path, append([]string{p.cmd.Path}, p.cmd.Args...), &os.ProcAttr{
		Dir: p.cmd.Dir, Env: environ(p.cmd.Env, p.tag), Files: pipes.theirs[:], Sys: ownGroup(),
	})
	if err != nil {
		pipes.closeOurs()
		return err
	}
	p.guard.watchdog.add(proc.Pid)
	p.proc, p.in = proc, pipes.ours[0]
	p.guard.adopt(p)
	var readers sync.WaitGroup
	readers.Go(func() { p.readOut(pipes.ours[1]) })
	readers.Go(func() { readErr(pipes.ours[2], p.cmd.Log, p.hear) })
	go p.reap(&readers, pipes.ours[1], pipes.ours[2])
	return nil
}

// reap waits for the server's end and then for the end of all it left behind.
func (p *Process) reap(readers *sync.WaitGroup, out, err *os.File) {
	state, werr := p.proc.Wait()
	p.fail(exitError(state, werr))
	close(p.exited)
	_ = killGroup(p.proc.Pid)
	// What was written before the end is still worth reading, but a stray that
	// holds the pipe open must not keep us.
	soon := time.Now().Add(500 * time.Millisecond)
	_, _ = out.SetReadDeadline(soon), err.SetReadDeadline(soon)
	p.guard.strays.sweep(p.tag)
	readers.Wait()
	_, _ = out.Close(), err.Close()
	p.closeInput()
	if p.cmd.Ended != nil {
		p.cmd.Ended(p.Err())
	}
	p.guard.watchdog.remove(p.proc.Pid)
	p.guard.release(p)
	close(p.gone)
}

func exitError(state *os.ProcessState, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrExited, err)
	}
	return fmt.Errorf("%w: %s", ErrExited, state)
}

// Send writes one message and the end of line. A line break within the message
// becomes a space: valid JSON has them between tokens only, and one that was
// sent as it is would begin a message of its own, which nobody has checked. A server that does not read
// for WriteTimeout is killed: half a line cannot be taken back.
func (p *Process) Send(ctx context.Context, message []byte) error {
	select {
	case p.writing <- struct{}{}:
		defer func() { <-p.writing }()
	case <-ctx.Done():
		return ctx.Err()
	case <-p.exited:
		return p.Err()
	}
	_ = p.in.SetWriteDeadline(time.Now().Add(p.cmd.WriteTimeout))
	// One write keeps line and end together; the copy costs less than a second write.
	line := append(append(make([]byte, 0, len(message)+1), mcpwire.OneLine(message)...), '\n')
	if _, err := p.in.Write(line); err != nil {
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = errors.New("the server does not read its input")
		case errors.Is(err, syscall.EPIPE): // it ends, most likely, and how says more
			p.within(ctx, lastTime)
		}
		p.fail(err)
		p.kill()
		return p.Err()
	}
	return nil
}

// lastTime is how long a server that closed its input has to end by itself.
const lastTime = 200 * time.Millisecond

// hear keeps a line of standard error.
func (p *Process) hear(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = line
}

// LastWords is the last line of standard error of a server that ended by
// itself; "" for others.
func (p *Process) LastWords() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !errors.Is(p.why, ErrExited) {
		return ""
	}
	return p.said
}

// Pid is the server's process id, and its group's.
func (p *Process) Pid() int { return p.proc.Pid }

// Exited is closed when the server itself has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err says why the process ended; nil while it runs.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// fail keeps the first reason.
func (p *Process) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == nil {
		p.why = err
	}
}

// Kill ends the whole group at once, with a reason.
func (p *Process) Kill(why error) {
	p.fail(why)
	p.kill()
}

func (p *Process) kill() {
	select {
	case <-p.exited: // its number may belong to another by now
	default:
		_ = killGroup(p.proc.Pid)
	}
}

// Stop ends the server as MCP asks: the end of its input, then a polite
// signal, then a kill; ctx cuts the politeness short. It returns when nothing
// of the server is left.
func (p *Process) Stop(ctx context.Context) {
	p.stop.Do(func() {
		p.fail(errors.New("stopped by the gateway"))
		p.closeInput()
		if !p.within(ctx, p.cmd.Grace) {
			_ = termGroup(p.proc.Pid)
			if !p.within(ctx, p.cmd.Grace) {
				p.kill()
			}
		}
	})
	<-p.gone
}

func (p *Process) within(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (p *Process) closeInput() { p.closeIn.Do(func() { _ = p.in.Close() }) }

// pipes are the three standard streams: our ends and the server's.
type pipes struct{ ours, theirs [3]*os.File }

func (s *pipes) open() (err error) {
	if s.theirs[0], s.ours[0], err = os.Pipe(); err != nil {
		return err
	}
	for i := 1; i < 3; i++ {
		if s.ours[i], s.theirs[i], err = os.Pipe(); err != nil {
			return err
		}
	}
	return nil
}

func (s *pipes) closeOurs()   { closeAll(s.ours[:]) }
func (s *pipes) closeTheirs() { closeAll(s.theirs[:]) }

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
