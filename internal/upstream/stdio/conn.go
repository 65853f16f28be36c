package stdio

import (
	"context"
	"durward/internal/upstream/link"
	"errors"
	"time"
)

// Conn is a conversation with a server process.
type Conn struct {
	*link.Mux
	proc *Process
}

var _ link.Conn = (*Conn)(nil)

// Connect starts a server and returns the conversation with it. The command's
// callbacks and the mux's Send are the connection's own.
func (g *Guard) Connect(c Command, o link.MuxOptions) (*Conn, error) {
	conn := &Conn{}
	started := make(chan struct{})
	o.Send = func(ctx context.Context, message []byte) error {
		<-started // a server may speak before its start is known here
		return conn.send(ctx, message)
	}
	conn.Mux = link.NewMux(o)
	c.Line = conn.Receive
	c.Overlong = func() {
		o.Counters.Garbage.Add(1)
		o.Log.Warn("upstream wrote a line over the limit")
		conn.FailCalls(link.Faultf(link.Flooded, "the server wrote a line over the limit"))
	}
	c.Ended = func(why error) {
		<-started
		conn.Fail(&link.Fault{Kind: link.Broken, Err: why, Said: conn.proc.LastWords()})
	}
	proc, err := g.Start(c)
	if err != nil {
		return nil, &link.Fault{Kind: link.Unreachable, Err: err}
	}
	conn.proc = proc
	close(started)
	go conn.enforce()
	return conn, nil
}

// send writes to the server. That it has ended is told when all is known of it.
func (c *Conn) send(ctx context.Context, message []byte) error {
	err := c.proc.Send(ctx, message)
	if !errors.Is(err, ErrExited) {
		return err
	}
	soon := time.NewTimer(endTime)
	defer soon.Stop()
	select {
	case <-c.Done():
		return c.Err()
	case <-soon.C:
	case <-ctx.Done():
	}
	return err
}

// endTime is how long it takes, at most, to read what an ended server has left.
const endTime = time.Second

// enforce kills a server whose conversation was ended by us.
func (c *Conn) enforce() {
	<-c.Done()
	c.proc.Kill(c.Err())
}

// Pid is the server's process id.
func (c *Conn) Pid() int { return c.proc.Pid() }

// Close stops the server and returns when nothing of it is left.
func (c *Conn) Close(ctx context.Context) {
	c.proc.Stop(ctx)
	c.Wait()
}
