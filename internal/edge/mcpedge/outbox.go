package mcpedge

import (
	"sync"
	"time"
)

// The bounds of an outbox. An answer is never dropped, but no second one is
// let in while there is no room.
const (
	outboxMessages = 1024
	outboxBytes    = 4 << 20
)

// outbox holds whole messages on their way to one agent, in order. Those who
// put never wait for the network: what is only news is dropped when there is
// no room. Safe for concurrent use.
type outbox struct {
	wake chan struct{} // holds a token when there is something to take
	room chan struct{} // holds a token when something was taken

	mu      sync.Mutex // guards what follows
	waiting [][]byte
	bytes   int
	dropped int
	closed  bool
}

func newOutbox() *outbox {
	return &outbox{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// news adds a message that may be lost; false when it was.
func (o *outbox) news(msg []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.full() {
		o.dropped++
		return false
	}
	o.add(msg)
	return true
}

// answer adds a message that is owed. It waits for room until ended is closed;
// false when the outbox was closed before.
func (o *outbox) answer(msg []byte, ended <-chan struct{}) bool {
	for {
		o.mu.Lock()
		if o.closed || !o.full() {
			break
		}
		o.mu.Unlock()
		select {
		case <-o.room:
		case <-ended:
			return false
		}
	}
	defer o.mu.Unlock()
	if o.closed {
		pass(o.room) // others wait too
		return false
	}
	o.add(msg)
	if !o.full() {
		pass(o.room)
	}
	return true
}

// take returns everything that waits, and whether nothing more will come.
func (o *outbox) take() (msgs [][]byte, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	msgs, o.waiting, o.bytes = o.waiting, nil, 0
	pass(o.room)
	return msgs, o.closed
}

// pour hands what comes to write, until the outbox is closed and empty, stop is
// closed, or writing fails. When nothing came for a while, and when rechecks
// beats, it calls quiet.
func (o *outbox) pour(stop <-chan struct{}, rechecks *pulse, every time.Duration, write func(msgs [][]byte) error, quiet func() error) error {
	silence := time.NewTicker(every)
	defer silence.Stop()
	again := rechecks.wait()
	for {
		select {
		case <-o.wake:
		case <-again:
			again = rechecks.wait()
			if err := quiet(); err != nil {
				return err
			}
			continue
		case <-silence.C:
			if err := quiet(); err != nil {
				return err
			}
			continue
		case <-stop:
			return nil
		}
		msgs, closed := o.take()
		if len(msgs) > 0 {
			if err := write(msgs); err != nil {
				return err
			}
			silence.Reset(every)
		}
		if closed {
			return nil
		}
	}
}

// close ends the outbox; what is in it can still be taken. It returns how many
// messages were dropped.
func (o *outbox) close() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	pass(o.wake)
	pass(o.room)
	return o.dropped
}

// abandon ends the outbox, and what is in it is not told here. It returns how
// many messages were dropped before.
func (o *outbox) abandon() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.waiting, o.bytes = true, nil, 0
	pass(o.wake)
	pass(o.room)
	return o.dropped
}

// full and add are called with mu held.
func (o *outbox) full() bool { return len(o.waiting) >= outboxMessages || o.bytes >= outboxBytes }

func (o *outbox) add(msg []byte) {
	o.waiting = append(o.waiting, msg)
	o.bytes += len(msg)
	pass(o.wake)
}

// pass leaves a token unless one is there.
func pass(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
