// Package session answers one question: which run of an agent does a call
// belong to?
//
// It keeps the sessions of the stateful MCP revisions in a bounded [Table] and
// seals what the stateless revision hands to the client to carry ([Sealer]).
// It promises that a session is only ever found by the agent that opened it,
// and that what is sealed for one agent opens for no other. It holds no
// streams: those belong to the edge.
package session

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"durward"
)

// Options bound a Table; zero values take the defaults.
type Options struct {
	PerAgent int           // live sessions of one agent; default 20,000
	Total    int           // live sessions; default 100,000
	Idle     time.Duration // a session unused for so long ends; default 12 h
}

// Table holds the live sessions. It is safe for concurrent use.
type Table struct {
	opts Options

	mu       sync.RWMutex // guards live and perAgent
	live     map[string]*entry
	perAgent map[string]int
}

type entry struct {
	session *durward.Session
	used    atomic.Int64 // unix seconds
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.PerAgent == 0 {
		o.PerAgent = 20_000
	}
	if o.Total == 0 {
		o.Total = 100_000
	}
	if o.Idle == 0 {
		o.Idle = 12 * time.Hour
	}
	return &Table{opts: o, live: make(map[string]*entry), perAgent: make(map[string]int)}
}

// Open starts a session as described and gives it an unguessable id. It fails
// with Overloaded when the agent or the gateway has too many.
func (t *Table) Open(s durward.Session, now time.Time) (*durward.Session, error) {
	s.ID, s.Created = newID(), now
	e := &entry{session: &s}
	e.used.Store(now.Unix())
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.live) >= t.opts.Total || t.perAgent[s.Agent] >= t.opts.PerAgent {
		return nil, &durward.Error{Code: durward.Overloaded, Reason: durward.ReasonOverloaded, Retry: time.Minute,
			Message: "Too many sessions are open; end some with DELETE, or let them expire."}
	}
	t.live[s.ID] = e
	t.perAgent[s.Agent]++
	return &s, nil
}

// Attach finds the session for its agent and marks it used. A session that is
// unknown, ended, or another agent's is one and the same error: SessionGone.
func (t *Table) Attach(id, agent string, now time.Time) (*durward.Session, error) {
	t.mu.RLock()
	e := t.live[id]
	t.mu.RUnlock()
	if e == nil || e.session.Agent != agent || t.stale(e, now) {
		return nil, gone()
	}
	e.used.Store(now.Unix())
	return e.session, nil
}

// Find tells of a live session without using it.
func (t *Table) Find(id string) (*durward.Session, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.live[id]
	if e == nil {
		return nil, false
	}
	return e.session, true
}

// Close ends a session of the agent; SessionGone when it has none of that id.
func (t *Table) Close(id, agent string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.live[id]; e == nil || e.session.Agent != agent {
		return gone()
	}
	t.remove(id)
	return nil
}

// Sweep ends the sessions that were unused for too long, and those whose agent
// is no longer alive, and returns them.
func (t *Table) Sweep(now time.Time, alive func(agent string) bool) []*durward.Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ended []*durward.Session
	for id, e := range t.live {
		if t.stale(e, now) || !alive(e.session.Agent) {
			ended = append(ended, e.session)
			t.remove(id)
		}
	}
	return ended
}

// Len returns the number of live sessions.
func (t *Table) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.live)
}

func (t *Table) stale(e *entry, now time.Time) bool {
	return now.Sub(time.Unix(e.used.Load(), 0)) > t.opts.Idle
}

// remove is called with mu held.
func (t *Table) remove(id string) {
	agent := t.live[id].session.Agent
	delete(t.live, id)
	if t.perAgent[agent]--; t.perAgent[agent] <= 0 {
		delete(t.perAgent, agent)
	}
}

func gone() error {
	return &durward.Error{Code: durward.SessionGone, Reason: durward.ReasonSessionUnknown, Message: "This session does not exist or has ended; initialize again."}
}

// newID is 160 random bits in visible ASCII.
func newID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}
