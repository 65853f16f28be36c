package upstream

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// server is one upstream: how it is reached, what is known of it, and its
// connections.
type server struct {
	set      *Set
	up       durward.Upstream
	log      *slog.Logger
	endpoint mcphttp.Endpoint // of an HTTP upstream
	mistake  error            // in the declaration: it can never be reached
	counters link.Counters

	era      eras
	breakers *breakers
	thrift   thrift
	gate     gate
	pool     pool
	homes    homes
	keeper   *keeper
	listing  atomic.Pointer[Listing]
	// modern is the connection of an HTTP upstream that is known to be of the
	// stateless era: all calls share it. nil otherwise.
	modern atomic.Pointer[line]
	// stateless tells that an older HTTP upstream keeps no sessions.
	stateless atomic.Bool

	complaints complaints

	// told counts the words that its lists changed, and known is how many of
	// them the lists that were read last have in them.
	told, known atomic.Uint64

	ctx    context.Context // ends with the server
	cancel context.CancelFunc
	calls  drain

	mu     sync.Mutex // guards health
	health health
}

// health is what status tells.
type health struct {
	state   string
	since   time.Time
	err     string
	version string
	info    []byte
	last    string // the error before all was well again
	lastAt  time.Time
}

func newServer(set *Set, up durward.Upstream) *server {
	s := &server{set: set, up: up, log: set.o.Log.With("upstream", up.Name)}
	s.calls = newDrain()
	s.breakers = newBreakers(up.Breaker)
	s.thrift.tenths.Store(thriftMost)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.health = health{state: "idle", since: time.Now()}
	s.listing.Store(&Listing{Upstream: up.Name})
	s.pool = pool{server: s, slots: map[key]*slot{}, waiting: map[key][]*waiter{}, most: set.o.Sessions, tasks: newDrain()}
	if s.isStdio() {
		s.pool.most = set.o.Processes
	}
	s.keeper = newKeeper(s)
	s.mistake = s.prepare()
	s.era.load(s)
	return s
}

// prepare reads the declaration.
func (s *server) prepare() error {
	if s.isStdio() {
		if s.up.Command == "" {
			return errors.New("no command is declared")
		}
		return nil
	}
	u, err := url.Parse(s.up.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("the declared url is not an http or https URL")
	}
	h := http.Header{}
	for name, value := range s.up.Headers {
		if strings.ContainsAny(value, "\r\n\x00") || strings.ContainsAny(name, " \r\n\x00:") || name == "" {
			return fmt.Errorf("the declared header %q cannot be sent", name)
		}
		h.Set(name, value)
	}
	s.endpoint = mcphttp.Endpoint{
		Client: s.set.client, URL: u, Header: h, Agent: "durward/" + s.set.o.Version, Via: s.set.o.Instance,
		Limits: s.set.o.Limits, Counters: &s.counters, Log: s.log,
	}
	if s.set.o.Account != nil {
		s.endpoint.Account = s.set.o.Account(s.up)
	}
	return nil
}

func (s *server) isStdio() bool { return transportOf(&s.up) == "stdio" }

func transportOf(up *durward.Upstream) string {
	switch {
	case up.Transport != "":
		return up.Transport
	case up.Command != "":
		return "stdio"
	}
	return "http"
}

// start lets the keeper begin.
func (s *server) start() { go s.keeper.run(s.ctx) }

// close ends the keeper, the connections and the processes.
func (s *server) close(ctx context.Context) {
	s.calls.close()
	s.cancel()
	s.pool.close(ctx)
	<-s.keeper.done
}

func (s *server) timeout() time.Duration { return or(s.up.Timeout, s.set.o.Timeout) }

func (s *server) become(state string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.health.state != state {
		s.health.state, s.health.since = state, time.Now()
	}
	s.health.err = ""
	if err != nil {
		s.health.err = err.Error()
		s.health.last, s.health.lastAt = s.health.err, time.Now()
	}
}

// tally logs what was dropped since the last time.
func (s *server) tally(last *[4]int64) {
	c := &s.counters
	now := [4]int64{c.Foreign.Load(), c.Garbage.Load(), c.Unattributed.Load(), c.Overflow.Load()}
	if now == *last {
		return
	}
	s.log.Info("messages of upstream dropped", "foreign", now[0]-last[0], "garbage", now[1]-last[1],
		"unattributed", now[2]-last[2], "overflow", now[3]-last[3])
	*last = now
}

// met notes what a server said of itself.
func (s *server) met(w link.Welcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.version = or(w.Revision, s.health.version)
	if w.Info != nil {
		s.health.info = w.Info
	}
}

func (s *server) status() durward.UpstreamStatus {
	l := s.listing.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := durward.UpstreamStatus{
		Name: s.up.Name, Transport: transportOf(&s.up), State: s.health.state, Version: s.health.version,
		Server: describe(s.health.info), Tools: len(l.Tools), Resources: len(l.Resources) + len(l.Templates),
		Breakers: s.breakers.status(time.Now(), true),
		Prompts:  len(l.Prompts), Error: s.health.err, Since: s.health.since, Origin: s.up.Origin,
		LeftOut: l.Left,
	}
	switch era := s.era.now(); era {
	case eraModern, eraLegacy:
		st.Era = string(era)
	case eraSSE:
		st.Era, st.Transport = string(eraLegacy), "sse"
	}
	return st
}

func describe(info []byte) string {
	name, _ := mcpwire.FieldText(info, "name")
	version, _ := mcpwire.FieldText(info, "version")
	text := strings.TrimSpace(name + " " + version)
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	return text
}

// drain counts what is in flight and tells when nothing is.
type drain struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed when closed and n is 0
}

func newDrain() drain { return drain{idle: make(chan struct{})} }

// enter lets one in unless it is closed.
func (d *drain) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.n++
	return true
}

// now is how many are in.
func (d *drain) now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}

func (d *drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n--; d.n == 0 && d.closed {
		close(d.idle)
	}
}

// close lets nobody in any more; the channel tells when the last has left.
func (d *drain) close() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		if d.n == 0 {
			close(d.idle)
		}
	}
	return d.idle
}
