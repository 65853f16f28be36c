package upstream

import (
	"context"
	"durward"
	"durward/internal/httpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
	"durward/internal/upstream/stdio"
	"encoding/json"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// EraCache remembers which era an upstream speaks, from one run to the next.
type EraCache interface {
	Era(key string) (era string, ok bool)
	SetEra(key, era string)
}

// Options are what a set needs; zero values are the defaults that are named.
type Options struct {
	Log  *slog.Logger // discards
	Eras EraCache     // remembers nothing beyond this run
	// Account gives the credentials of upstreams over HTTP that ask for a
	// sign-in, nil for one that does not; nobody signs in when it is nil.
	Account func(durward.Upstream) mcphttp.Account
	Version string // of the gateway, told to servers
	// Instance is the id of this process, told to servers as Durward-Via over
	// HTTP and as DURWARD_VIA to processes, so that a gateway among them knows a
	// call that comes back; none tells nothing.
	Instance string
	// Watchdog is the command that becomes the watchdog of stdio servers, see
	// [stdio.GuardOptions]; none leaves it out.
	Watchdog []string

	Limits    link.Limits   // of what a server may send
	Processes int           // of one stdio upstream at once: 32; a quarter of them for one agent
	Sessions  int           // of one HTTP upstream at once: 1000; as above
	Waiting   int           // calls that wait for one exclusive session: 64
	Idle      time.Duration // after which an unused session or process is closed: 15 minutes
	Connect   time.Duration // for a connection with its handshakes: 60 s
	Patience  time.Duration // with a stdio server that does not say which era it speaks: 5 s
	Timeout   time.Duration // for one call, unless the upstream says otherwise: 5 minutes
	Answers   time.Duration // for the client to answer what a server asks during one call, in all: 30 minutes

	overlay time.Duration // for reading a process of an agent: 30 s; tests have less time
}

func (o Options) orDefault() Options {
	o.Log = or(o.Log, slog.New(slog.DiscardHandler))
	o.Version = or(o.Version, "dev")
	o.Limits = o.Limits.OrDefault()
	o.Processes = or(o.Processes, 32)
	o.Sessions = or(o.Sessions, 1000)
	o.Waiting = or(o.Waiting, 64)
	o.Idle = or(o.Idle, 15*time.Minute)
	o.Connect = or(o.Connect, time.Minute)
	o.Patience = or(o.Patience, 5*time.Second)
	o.Timeout = or(o.Timeout, 5*time.Minute)
	o.Answers = or(o.Answers, 30*time.Minute)
	o.overlay = or(o.overlay, overlayTime)
	return o
}

// Set is the upstreams. It is safe for concurrent use.
type Set struct {
	o        Options
	client   *httpwire.Client
	guard    *stdio.Guard
	info     []byte // our Implementation
	ids      *ids
	changed  chan struct{}
	profiles profiles
	plan     atomic.Pointer[plan]
	closing  chan struct{} // closed by Close
	probe    atomic.Int64  // how often, see Probe

	mu       sync.Mutex // held while the plan changes; guards closed
	closed   bool
	retiring sync.WaitGroup
}

// plan is which upstreams there are; it never changes.
type plan struct {
	declared []durward.Upstream
	servers  map[string]*server // those that are not disabled
}

// headerTime bounds what no timeout of a call does.
const headerTime = time.Hour

// New returns a set without upstreams.
func New(o Options) *Set {
	o = o.orDefault()
	info, _ := json.Marshal(map[string]string{"name": "durward", "version": o.Version}) // cannot fail
	s := &Set{
		o: o, info: info, ids: newIDs(), changed: make(chan struct{}, 1), closing: make(chan struct{}),
		client: httpwire.NewClient(httpwire.ClientOptions{HeaderTimeout: headerTime}),
		guard:  stdio.NewGuard(stdio.GuardOptions{Log: o.Log, Watchdog: o.Watchdog}),
	}
	s.plan.Store(&plan{})
	return s
}

// Apply makes the declared upstreams those of the set. Upstreams that did not
// change keep their connections; those that are gone or changed end once
// their calls in flight have, or after a while. It connects to nothing and
// returns at once.
func (s *Set) Apply(ups []durward.Upstream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	old := s.plan.Load()
	next := &plan{declared: append([]durward.Upstream(nil), ups...), servers: make(map[string]*server, len(ups))}
	for _, up := range next.declared {
		if up.Disabled {
			continue
		}
		if was := old.servers[up.Name]; was != nil && reflect.DeepEqual(was.up, up) {
			next.servers[up.Name] = was
			continue
		}
		next.servers[up.Name] = newServer(s, up)
	}
	s.plan.Store(next)
	for name, was := range old.servers {
		if next.servers[name] != was {
			s.retire(was)
		}
	}
	for name, srv := range next.servers {
		if old.servers[name] != srv {
			srv.start()
		}
	}
	s.wake()
}

// How long calls in flight may hold up the end of their upstream, and it the
// end of what it has open.
const (
	drainTime = 30 * time.Second
	leaveTime = 10 * time.Second
)

func (s *Set) retire(srv *server) {
	s.retiring.Go(func() {
		drained := time.NewTimer(drainTime)
		defer drained.Stop()
		select {
		case <-srv.calls.close():
		case <-drained.C:
		case <-s.closing:
		}
		ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
		defer cancel()
		srv.close(ctx)
	})
}

// Close ends every connection and process: politely as long as ctx lasts, and
// then by force. It returns when nothing of them is left.
func (s *Set) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	old := s.plan.Swap(&plan{})
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.guard.Close) // whatever is still being polite
	defer stop()
	for _, srv := range old.servers {
		s.retiring.Go(func() { srv.close(ctx) })
	}
	s.retiring.Wait()
	s.guard.Close()
	s.client.Close()
	return ctx.Err()
}

// Changed is signalled, at most once for many changes at a time, when what an
// upstream offers or whether it can be reached has changed.
func (s *Set) Changed() <-chan struct{} { return s.changed }

func (s *Set) wake() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Listings returns what every upstream that is not disabled offers, in the
// order of declaration.
func (s *Set) Listings() []*Listing {
	p := s.plan.Load()
	out := make([]*Listing, 0, len(p.servers))
	for i := range p.declared {
		if srv := p.servers[p.declared[i].Name]; srv != nil {
			out = append(out, srv.listing.Load())
		}
	}
	return out
}

// Listing returns what one upstream offers. Before the first reading it waits
// for one; after a failure it asks for another, which is made at most once a
// second, and returns what is known with the failure in Err.
func (s *Set) Listing(ctx context.Context, name string) (*Listing, error) {
	srv := s.plan.Load().servers[name]
	if srv == nil {
		return nil, unknownUpstream(name)
	}
	l := srv.listing.Load()
	if l.Err != nil || l.Fetched.IsZero() {
		l = srv.keeper.read(ctx)
	}
	if l.Fetched.IsZero() {
		return nil, or(l.Err, error(srv.unread()))
	}
	return l, nil
}

// Fresh reads what one upstream offers now, as far as it can be read, and
// returns what is known then, as Listing does.
func (s *Set) Fresh(ctx context.Context, name string) (*Listing, error) {
	if srv := s.plan.Load().servers[name]; srv != nil {
		srv.keeper.read(ctx)
	}
	return s.Listing(ctx, name)
}

// Refresh asks for a new reading of one upstream, soon.
func (s *Set) Refresh(name string) {
	if srv := s.plan.Load().servers[name]; srv != nil {
		srv.keeper.refresh()
	}
}

// Watch asks, for an agent, for the updates of resources of one upstream.
// Watchers share one subscription. fn is called from the connection's
// goroutine: it must not wait. After cancel has returned, fn may still be
// called once. It fails when the agent, or all of them, watch as much of the
// upstream as they may.
func (s *Set) Watch(name, agent string, uris []string, fn func(durward.Event)) (cancel func(), err error) {
	srv := s.plan.Load().servers[name]
	if srv == nil {
		return func() {}, nil
	}
	return srv.keeper.watch(agent, uris, fn)
}

// Status tells of every declared upstream, in the order of declaration.
func (s *Set) Status() []durward.UpstreamStatus {
	p := s.plan.Load()
	out := make([]durward.UpstreamStatus, 0, len(p.declared))
	for i := range p.declared {
		up := &p.declared[i]
		srv := p.servers[up.Name]
		if srv == nil {
			out = append(out, disabled(up))
			continue
		}
		out = append(out, srv.status())
	}
	return out
}

// via is the chain of gateways with this one at its end; "" when there is no
// gateway before us, because a connection says our own name by itself.
func (s *Set) via(before string) string {
	if before == "" || s.o.Instance == "" {
		return before
	}
	return before + ", " + s.o.Instance
}

func (s *Set) nextID() uint64 { return s.ids.next() }

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
