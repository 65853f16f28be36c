package mcpedge

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"errors"
	"fmt"
	"io"
	"time"
)

// Local tells who speaks over a local connection, where the operating system
// vouches for the caller.
type Local struct {
	Agent    string // name of the agent
	Endpoint string // upstream that is asked for, "" for all
	Remote   string // for the record, such as "stdio" or "pid 4711"
	Via      string // the gateways before the caller, as in Durward-Via
	// Shut makes the reader end behind what was sent so far, and fail what is
	// sent after it, so that the caller knows what was never read; nil when the
	// caller is no relay.
	Shut func() error
}

const transportStdio = "stdio"

// ServeStdio speaks MCP of both eras with one agent: a message a line, requests
// side by side, answers as they come. It returns nil when r ends, after the
// calls under way had a moment to end, and ctx's cause when ctx ends first. When
// the face drains, calls under way go on until they end or ctx does, and what
// comes meanwhile is refused as not begun. It closes neither r nor w; a read or
// write that is stuck when it returns ends when the caller closes them.
func (f *Face) ServeStdio(ctx context.Context, r io.Reader, w io.Writer, who Local) error {
	like := durward.Call{Local: who.Agent, Endpoint: who.Endpoint, Via: who.Via}
	like.Wire = durward.Wire{Lane: durward.LaneMCP, Transport: transportStdio, Remote: who.Remote}
	l := f.newLink(ctx, who.Agent, like)
	l.relayed = who.Shut != nil
	written := make(chan error, 1)
	go func() {
		err := l.writeLines(w)
		l.cancel(errAgentLeft) // nobody reads any more
		written <- err
	}()
	read := make(chan error, 1)
	go func() { read <- l.readLines(r, f.opts.Limits.Bytes) }()

	var err error
	select {
	case err = <-read:
		l.linger(f.opts.Linger)
	case <-f.draining:
		err = l.leave(ctx, who.Shut, read)
	case <-l.ctx.Done():
		err = context.Cause(ctx)
	}
	l.close(errAgentLeft)
	select {
	case werr := <-written:
		return errors.Join(err, werr)
	case <-time.After(time.Second): // stuck: see above
		return err
	}
}

// leave lets the calls under way end, then tells the agent of each request that
// was sent too late, so that nobody has to guess what was made.
func (l *link) leave(ctx context.Context, shut func() error, read <-chan error) error {
	l.linger(l.face.opts.CallTime)
	if l.ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if shut == nil {
		return nil
	}
	if err := shut(); err != nil {
		return fmt.Errorf("end the reading of a connection: %w", err)
	}
	select {
	case err := <-read:
		return err
	case <-time.After(time.Second): // more than a socket holds, or nobody reads the answers
	case <-l.ctx.Done():
	}
	return nil
}

// writeLines sends what comes, until the agent does not take it any more or
// may not have it.
func (l *link) writeLines(w io.Writer) (err error) {
	defer l.face.rescue(&l.like, func(bug error) { err = bug })
	return l.out.pour(nil, &l.face.rechecks, time.Hour, lineWriter(w), func() error {
		return l.face.readmit(l.ctx, l.likeNow(&l.like))
	})
}

// readLines takes messages until r ends.
func (l *link) readLines(r io.Reader, most int) (err error) {
	defer l.face.rescue(&l.like, func(bug error) { err = bug })
	if most <= 0 {
		most = mcpwire.DefaultBytes
	}
	from := &ending{Reader: r}
	lines := mcpwire.NewLineReader(from, most)
	for l.ctx.Err() == nil {
		line, err := lines.Next()
		var long *mcpwire.LineTooLong
		switch {
		case errors.Is(err, io.EOF), l.relayed && errors.Is(from.err, io.EOF):
			return nil
		case errors.As(err, &long):
			l.unreadable(&turn{call: l.newCall(&l.like)}, err)
		case err != nil:
			return err
		default:
			l.take(line, &l.like, nil)
		}
	}
	return nil
}

// ending is a reader that knows whether it has ended. What a [mcpwire.LineReader]
// returns then is a line without an end. A relay ends each of its own: that one
// is part of a message that could not be sent, and goes to the next gateway.
type ending struct {
	io.Reader
	err error
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if n == 0 {
		e.err = err
	}
	return n, err
}

// lineWriter writes messages a line each, with one write.
func lineWriter(w io.Writer) func([][]byte) error {
	var buf []byte
	return func(msgs [][]byte) error {
		buf = buf[:0]
		for _, m := range msgs {
			buf = append(append(buf, mcpwire.OneLine(m)...), '\n')
		}
		_, err := w.Write(buf)
		return err
	}
}
