package mcpedge

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/mcpwire"
	"errors"
	"slices"
	"strconv"
	"sync"
)

// Why a call under way was ended.
var (
	errCancelled    = errors.New("the agent cancelled the call")
	errSessionEnded = errors.New("the session has ended")
	errAgentLeft    = errors.New("the agent went away")
)

// conversation is the live side of one session or local connection: which
// calls are under way, which questions of servers wait for the agent, and what
// the agent wants to hear. An idle one is small. Safe for concurrent use.
type conversation struct {
	mu      sync.Mutex // guards what follows
	running []running
	asked   map[string]chan mcpwire.Message // by question id
	level   string                          // least level of log messages, "" for all
	count   uint64
	ended   bool

	interest interest
	memory   memory // of its streams, where it has several
}

// running is one call under way.
type running struct {
	n      uint64
	key    string // mcpwire.IDKey of the request
	cancel context.CancelCauseFunc
}

// begin enters a call, so that it can be cancelled by the id of its request,
// and counts it. The returned number ends it.
func (c *conversation) begin(id []byte, cancel context.CancelCauseFunc, most int) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0, sessionGone()
	}
	if len(c.running) >= most {
		return 0, overloaded("Too many calls of this session are under way; wait for some to end.")
	}
	c.count++
	c.running = append(c.running, running{c.count, mcpwire.IDKey(id), cancel})
	return c.count, nil
}

func (c *conversation) finish(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.running, func(r running) bool { return r.n == n })
	if i < 0 {
		return
	}
	last := len(c.running) - 1
	c.running[i] = c.running[last]
	c.running[last] = running{}
	c.running = c.running[:last]
}

// cancel ends the calls of a request id; false when there is none, because it
// is late or foreign.
func (c *conversation) cancel(id []byte) (found bool) {
	key := mcpwire.IDKey(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.running {
		if r.key == key {
			r.cancel(errCancelled)
			found = true
		}
	}
	return found
}

// ask enters a question of a server and returns its id and where the answer
// will come.
func (c *conversation) ask(most int) (id string, answer <-chan mcpwire.Message, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return "", nil, errSessionEnded
	}
	if len(c.asked) >= most {
		return "", nil, overloaded("Too many questions wait for the agent's answers.")
	}
	if c.asked == nil {
		c.asked = make(map[string]chan mcpwire.Message)
	}
	c.count++
	id = questionPrefix + strconv.FormatUint(c.count, 10)
	heard := make(chan mcpwire.Message, 1)
	c.asked[mcpwire.IDKey(mcpwire.Quote(id))] = heard
	return id, heard, nil
}

// answered passes on the agent's answer to a question. An answer that nobody
// waits for, late or made up, is dropped.
func (c *conversation) answered(m mcpwire.Message) bool {
	key := mcpwire.IDKey(m.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	heard := c.asked[key]
	if heard == nil {
		return false
	}
	delete(c.asked, key)
	heard <- m // has room for the one answer
	return true
}

// spoil ends the question, if it is one, that what cannot be read answers: no
// other answer will come, and its server need not wait for that.
func (c *conversation) spoil(e *mcpwire.ScanError) { c.answered(mcpwire.Message{ID: e.ID, Fault: e}) }

// isQuestion reports whether an id is like those of questions.
func isQuestion(id []byte) bool { return bytes.HasPrefix(id, []byte(`"`+questionPrefix)) }

const questionPrefix = "durward-"

// unask withdraws a question.
func (c *conversation) unask(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asked, mcpwire.IDKey(mcpwire.Quote(id)))
}

func (c *conversation) logLevel() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.level
}

func (c *conversation) setLogLevel(level string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.level = level
}

// end cancels what is under way and closes what is open.
func (c *conversation) end(why error) {
	c.mu.Lock()
	c.ended = true
	for _, r := range c.running {
		r.cancel(why)
	}
	c.mu.Unlock()
	c.interest.end()
	c.memory.end()
}

func sessionGone() *durward.Error {
	return &durward.Error{
		Code: durward.SessionGone, Reason: durward.ReasonSessionUnknown,
		Message: "This session does not exist or has ended; initialize again.",
	}
}

// conversations holds those of the sessions, by session id.
type conversations struct {
	mu   sync.RWMutex // guards live
	live map[string]*conversation
}

// open begins the conversation of a new session.
func (t *conversations) open(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live[id] = &conversation{}
}

// of returns the conversation of a session that the gateway has confirmed; nil
// when it has ended meanwhile.
func (t *conversations) of(id string) *conversation {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.live[id]
}

// end ends the conversation of a session that is no more.
func (t *conversations) end(id string) {
	t.mu.Lock()
	c := t.live[id]
	delete(t.live, id)
	t.mu.Unlock()
	if c != nil {
		c.end(errSessionEnded)
	}
}
