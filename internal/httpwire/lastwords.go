package httpwire

import (
	"net"
	"sync"
	"time"
)

// lastWordsTime is how long an answer may take to be read after the request
// could not be sent to its end, where reading has not ended as well.
const lastWordsTime = time.Second

// lastWords is a connection of net/http's transport, which gives an exchange up
// as soon as it cannot write: a server may have answered, and closed, before it
// had read the request. So a write fails once nothing more can be read, or nothing comes.
type lastWords struct {
	net.Conn
	over func() // closes done
	done chan struct{}
}

func newLastWords(c net.Conn) *lastWords {
	done := make(chan struct{})
	return &lastWords{Conn: c, done: done, over: sync.OnceFunc(func() { close(done) })}
}

// Read implements net.Conn.
func (c *lastWords) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.over()
	}
	return n, err
}

// Write implements net.Conn.
func (c *lastWords) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		return n, nil
	}
	timer := time.NewTimer(lastWordsTime)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	}
	return n, err
}

// Close implements net.Conn.
func (c *lastWords) Close() error {
	c.over()
	return c.Conn.Close()
}
