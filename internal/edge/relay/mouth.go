package relay

import (
	"io"
	"sync"
	"time"
)

// mouth says lines to the client, from a goroutine of its own: a write to one
// that does not read cannot be interrupted, and must not keep others from ending.
type mouth struct {
	out   io.Writer
	lines chan []byte
	quiet chan struct{} // closed when nothing more is said
	once  sync.Once
	done  chan struct{} // closed when nothing is being written any more
}

func newMouth(out io.Writer) *mouth {
	return &mouth{out: out, lines: make(chan []byte), quiet: make(chan struct{}), done: make(chan struct{})}
}

// say waits until a line is about to be written, or dropped.
func (m *mouth) say(msg []byte) {
	select {
	case m.lines <- msg:
	case <-m.quiet:
	}
}

func (m *mouth) hush() { m.once.Do(func() { close(m.quiet) }) }

// run writes what is said until hush, or until it fails.
func (m *mouth) run() error {
	defer close(m.done)
	defer m.hush()
	var line []byte
	for {
		select {
		case <-m.quiet:
			return nil
		case msg := <-m.lines:
			line = append(append(line[:0], msg...), '\n')
			if _, err := m.out.Write(line); err != nil {
				return err
			}
			if cap(line) > 1<<20 {
				line = nil
			}
		}
	}
}

// end waits until the last line is written, but no longer than a while for a
// client that does not read.
func (m *mouth) end(while time.Duration) {
	m.hush()
	select {
	case <-m.done:
	case <-time.After(while):
	}
}
