package upstream

import (
	"context"
	"durward"
	"durward/internal/mcpwire"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Times of a keeper.
const (
	settle    = 40 * time.Millisecond // between a change and reading it: more may follow
	earIdle   = time.Minute           // after which a conversation that is of no use is closed
	sweepMost = 30 * time.Second
	ttlStream = 10 * time.Minute // of a list whose changes we are told of
	ttlPolled = time.Minute      // of one whose changes we are not told of
)

// keeper reads what an upstream offers and listens for changes. One goroutine
// does all of it, so nothing here happens twice at a time; others leave word
// under mu and wake it.
type keeper struct {
	server *server
	wakeup chan struct{}
	done   chan struct{}

	mu       sync.Mutex // guards this part
	changed  time.Time  // when word came that a list changed; zero for none
	wanted   bool       // somebody waits for a reading
	round    chan struct{}
	watchers watchers
	updates  []update // of resources, that are told in a moment
	agents   []*ear   // processes of agents, oldest first
	ended    bool     // one of them has
	// witnesses are sessions of agents, oldest first, and stranger is a client
	// that is not us, see witness.go.
	witnesses []*witness
	stranger  witness
	looking   bool // at what one of them is shown
	looked    time.Time
	seen      []sighting

	line atomic.Pointer[line] // of own, for who inspects; nil where it is the pool's

	// Of the goroutine alone.
	own   *ear
	due   time.Time // of the next reading; zero for never
	swept time.Time
	retry gate // paces readings that fail
	base  *lists
	// failed is why the last reading failed; base may be older.
	failed *durward.Error

	anew time.Time // when the lists were last read in a new session because they differed

	dropped [4]int64 // counted when last told

	looks sync.WaitGroup
}

// ear is a conversation on which changes are heard.
type ear struct {
	line   *line
	slot   *slot // of the pool; nil for the keeper's own
	used   time.Time
	follow *follower
	// heard tells that the lists of this process changed, and read when they
	// were last read (guarded by the keeper's mu); overlay is what they add; it
	// and what follows are of the goroutine.
	heard   bool
	told    bool // by the process itself
	soon    bool // a call waits for it
	read    time.Time
	overlay *lists
	varies  []Variation
	lacks   []string // what of the lists it does not have
	said    bool     // and it has said so itself
	owes    bool     // they are to be read in a new process because of that
}

func newKeeper(s *server) *keeper {
	return &keeper{
		server: s, wakeup: make(chan struct{}, 1), done: make(chan struct{}),
		round: make(chan struct{}), watchers: newWatchers(),
		due: time.Now(),
	}
}

// run keeps until ctx ends.
func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	defer k.looks.Wait()
	defer k.hangUp()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var ended <-chan struct{}
		if k.own != nil {
			ended = k.own.line.conn.Done()
		}
		select {
		case <-ctx.Done():
			return
		case <-k.wakeup:
		case <-ended:
			k.lost()
		case <-timer.C:
		}
		timer.Reset(k.step(ctx))
	}
}

func (k *keeper) wake() {
	select {
	case k.wakeup <- struct{}{}:
	default:
	}
}

// step does what is due and returns how long nothing else is.
func (k *keeper) step(ctx context.Context) time.Duration {
	told := k.server.told.Load()
	if now := time.Now(); now.Sub(k.swept) >= k.sweepTime() {
		k.swept = now
		k.server.pool.sweep()
		k.server.tally(&k.dropped)
	}
	if k.readingDue() {
		k.readNow(ctx)
	}
	if k.rekeyed() {
		k.publish(k.failed)
	}
	k.hearOverlays(ctx)
	k.weigh(ctx)
	k.look()
	k.knows(told)
	k.followAll(ctx)
	k.rest()
	return k.nap()
}

// knows notes that all words of changes up to a number are in what was read.
func (k *keeper) knows(told uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.changed.IsZero() || k.failed != nil || slices.ContainsFunc(k.agents, func(e *ear) bool { return e.heard && e.told }) || k.doubted() {
		return
	}
	k.server.known.Store(told)
}

// readingDue reports whether the lists are to be read now.
func (k *keeper) readingDue() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	switch {
	case k.wanted:
		return k.server.gate.admit() == nil
	case !k.changed.IsZero() && now.Sub(k.changed) >= settle:
		return k.server.gate.admit() == nil
	}
	return !k.due.IsZero() && !now.Before(k.due)
}

func (k *keeper) nap() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	nap := k.swept.Add(k.sweepTime()).Sub(now)
	if !k.due.IsZero() {
		nap = min(nap, k.due.Sub(now))
	}
	if !k.changed.IsZero() {
		nap = min(nap, max(k.changed.Add(settle).Sub(now), k.server.gate.remaining()))
	}
	if k.own != nil {
		nap = min(nap, k.own.follow.retryIn(now))
	}
	for _, e := range k.agents {
		nap = min(nap, e.follow.retryIn(now))
		if e.heard {
			nap = min(nap, e.read.Add(e.gap()).Sub(now))
		}
		if e.owes {
			nap = min(nap, k.anew.Add(anewGap).Sub(now))
		}
		nap = min(nap, e.read.Add(overlayCheck).Sub(now))
	}
	nap = min(nap, k.nextLook(now))
	return max(nap, time.Millisecond)
}

// readNow reads the lists and tells those who wait.
func (k *keeper) readNow(ctx context.Context) {
	s := k.server
	k.mu.Lock()
	k.changed, k.wanted = time.Time{}, false
	k.mu.Unlock()
	answered := k.mindSilence()
	err := k.readAll(ctx)
	answered()
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		e := s.connectError(ctx, err)
		k.retry.fail(e)
		s.become("failed", e)
		s.log.Warn("upstream cannot be read", "err", e)
		k.due = time.Now().Add(k.retry.wait())
		k.failed = durward.AsError(e)
		k.publish(k.failed)
	default:
		k.retry.pass()
		s.gate.pass()
		s.become("ready", nil)
		k.due = k.next()
		k.failed = nil
		k.publish(nil)
	}
	k.mu.Lock()
	close(k.round)
	k.round = make(chan struct{})
	k.mu.Unlock()
}

func (k *keeper) readAll(ctx context.Context) error {
	if err := k.connect(ctx); err != nil {
		return err
	}
	k.own.used = time.Now()
	// One conversation may have broken unnoticed: then a new one is tried once.
	l, err := k.server.fetch(ctx, k.own.line)
	misjudged := isWrongEra(err) || err == nil && isWrongEra(l.trouble)
	if ctx.Err() == nil && (misjudged || err != nil && k.own.line.dead()) {
		if misjudged && k.server.pinned(eraUnknown) == eraUnknown {
			k.server.forget(k.server.eraOf(k.own.line))
		}
		k.hangUp()
		if err = k.connect(ctx); err != nil {
			return err
		}
		l, err = k.server.fetch(ctx, k.own.line)
	}
	if err != nil {
		k.hangUp()
		return err
	}
	k.own.used = time.Now()
	if k.base == nil || !sameLists(k.base, l) {
		k.mu.Lock()
		k.compareSoon()
		k.mu.Unlock()
	}
	k.base = l
	return nil
}

// compareSoon has everybody asked again what they are shown. Called with mu held.
func (k *keeper) compareSoon() {
	for _, e := range k.agents {
		e.heard = true
	}
	k.lookSoon()
}

// connect opens the keeper's conversation. A failure holds up the calls for
// as long as it holds up the keeper's own next attempt on demand.
func (k *keeper) connect(ctx context.Context) error {
	if k.own != nil && !k.own.line.dead() {
		return nil
	}
	k.hangUp()
	s := k.server
	if s.status().State != "ready" {
		s.become("connecting", s.listing.Load().Err) // of the attempt before
	}
	ctx, cancel := context.WithTimeout(ctx, s.set.o.Connect)
	defer cancel()
	err := k.open(ctx)
	if err != nil {
		err = s.connectError(ctx, err)
		s.gate.fail(err)
	}
	return err
}

// open opens it. What is said of one shared process must come from that process.
func (k *keeper) open(ctx context.Context) error {
	s := k.server
	if s.isStdio() && s.up.Sharing == "shared" {
		sl, err := s.pool.acquire(ctx, key{revision: mcpwire.NewestLegacy})
		if err != nil {
			return err
		}
		k.own = k.newEar(sl.line, sl, k.event)
		return nil
	}
	l, err := s.dial(ctx, &wish{
		caps: everythingIn(mcpwire.NewestLegacy), revision: mcpwire.NewestLegacy,
		stream: true, event: k.event, orphan: noRoots,
	})
	if err != nil {
		return err
	}
	k.own = k.newEar(l, nil, k.event)
	k.line.Store(l)
	return nil
}

func (k *keeper) newEar(l *line, sl *slot, event func(string, []byte)) *ear {
	return &ear{line: l, slot: sl, used: time.Now(), follow: newFollower(k.server, l, event)}
}

// hangUp ends the keeper's conversation.
func (k *keeper) hangUp() {
	e := k.own
	if e == nil {
		return
	}
	k.own = nil
	k.line.Store(nil)
	e.follow.stop()
	if e.slot != nil {
		k.server.pool.release(e.slot)
		if e.line.dead() {
			k.server.pool.drop(e.slot)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e.line.conn.Close(ctx)
}

// lost handles the end of the keeper's conversation that nobody asked for.
func (k *keeper) lost() {
	s := k.server
	err := k.own.line.conn.Err()
	s.log.Info("conversation with upstream ended", "err", err)
	if time.Since(k.own.line.opened) < shortLife {
		k.retry.fail(s.unavailable("ended soon after it had started.", err))
	}
	k.hangUp()
	if !s.isStdio() || k.watching() > 0 {
		k.due = time.Now().Add(k.retry.wait())
		return
	}
	s.become("idle", err) // the next call starts it again
}

func (k *keeper) sweepTime() time.Duration { return min(sweepMost, k.server.set.o.Idle/2) }

// rest closes a conversation on which nothing is expected.
func (k *keeper) rest() {
	s := k.server
	if e := k.own; e != nil && k.watching() == 0 && time.Since(e.used) >= min(earIdle, s.set.o.Idle) &&
		e.slot == nil && (s.isStdio() || !tells(e.line)) {
		k.hangUp()
	}
	if s.isStdio() && k.own == nil && s.pool.empty() && s.status().State == "ready" {
		s.become("idle", nil)
	}
}

// tells reports whether a server says when its lists change.
func tells(l *line) bool {
	for _, of := range listed {
		if _, ok := mcpwire.Path(l.welcome.Capabilities, of.capability, "listChanged"); ok {
			return true
		}
	}
	return false
}

// next is when the lists are read again without a reason. What a process
// offers is read again when it says so.
func (k *keeper) next() time.Time {
	s := k.server
	switch {
	case s.isStdio():
		return time.Time{}
	case k.own.line.modern && k.base.ttl > 0:
		return time.Now().Add(max(k.base.ttl, 10*time.Second))
	case tells(k.own.line):
		return time.Now().Add(ttlStream)
	}
	return time.Now().Add(ttlPolled)
}

// read waits for a reading to end and returns what is known then.
func (k *keeper) read(ctx context.Context) *Listing {
	s := k.server
	k.mu.Lock()
	round := k.round
	k.wanted = true
	k.mu.Unlock()
	if s.gate.admit() == nil {
		k.wake()
		select {
		case <-round:
		case <-ctx.Done():
		case <-k.done:
		}
	}
	return s.listing.Load()
}

// refresh asks for a reading soon.
func (k *keeper) refresh() { k.changedNow(false) }

// changedNow leaves word that the lists are to be read; told says that the
// server has said so.
func (k *keeper) changedNow(told bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changed.IsZero() {
		k.changed = time.Now()
	}
	if told {
		k.server.told.Add(1)
	}
	k.wake()
}

// event takes what the server says outside of calls, from its connection.
func (k *keeper) event(method string, params []byte) {
	if method == mcpwire.NotifyResourceUpdated {
		k.updated(params)
		return
	}
	k.changedNow(true)
}

// hear takes the same from a session or process of an agent. A session speaks
// for the whole server; a process may have lists of its own.
func (k *keeper) hear(sl *slot, method string, params []byte) {
	if method == mcpwire.NotifyResourceUpdated {
		k.updated(params)
		return
	}
	if !k.server.isStdio() || k.server.up.Sharing == "shared" {
		k.doubt(sl)
		k.changedNow(true)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.agents {
		if e.slot == sl {
			e.heard, e.told = true, true
			k.server.told.Add(1)
		}
	}
	k.wake()
}

// opened takes a new process of an agent into account.
func (k *keeper) opened(sl *slot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.server.isStdio() {
		if !sl.line.modern {
			k.attend(sl)
			k.wake()
		}
		return
	}
	if k.server.up.Sharing == "shared" {
		return
	}
	e := k.newEar(sl.line, sl, func(method string, params []byte) { k.hear(sl, method, params) })
	e.heard, e.read = true, time.Now() // does it show the agent the same?
	k.agents = append(k.agents, e)
	k.wake()
}

// closed forgets it.
func (k *keeper) closed(sl *slot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dismiss(sl); k.ended {
		k.wake()
	}
	for i, e := range k.agents {
		if e.slot == sl {
			k.agents = append(k.agents[:i:i], k.agents[i+1:]...)
			k.ended = true
			go e.follow.stop()
			k.wake()
			return
		}
	}
}
