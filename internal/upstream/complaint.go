package upstream

import (
	"errors"
	"sync"
	"time"

	"durward"
	"durward/internal/upstream/link"
)

// complaints tells in the log why calls failed at an upstream: agents hear no
// more than that they did. One line a second says enough of a server that fails
// every call.
type complaints struct {
	mu     sync.Mutex // guards both
	last   time.Time
	silent int // calls since then that nothing was said of
}

const complaintEvery = time.Second

// complain tells of a failed call. What is the caller's, or was told before the
// call, is not told.
func (s *server) complain(r *Request, err error) {
	var e *durward.Error
	if !errors.As(err, &e) || e.Err == nil || e.Code == durward.Cancelled {
		return
	}
	c := &s.complaints
	c.mu.Lock()
	if time.Since(c.last) < complaintEvery {
		c.silent++
		c.mu.Unlock()
		return
	}
	others := c.silent
	c.last, c.silent = time.Now(), 0
	c.mu.Unlock()
	why := e.Err.Error()
	if f := (*link.Fault)(nil); errors.As(e.Err, &f) {
		why = f.Brief() // the record keeps no arguments either, unless it is told to
		s.log.Debug("upstream failed a call", "method", r.Method, "name", or(r.Name, r.URI), "agent", r.Agent, "err", f)
	}
	s.log.Warn("upstream failed a call", "method", r.Method, "name", or(r.Name, r.URI), "agent", r.Agent, "err", why, "others", others)
}
