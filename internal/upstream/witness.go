package upstream

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/mcpwire"
	"durward/internal/upstream/link"
	"durward/internal/upstream/mcphttp"
)

// A server may show its lists to us and something else to others. So what each
// session of an agent is shown is compared with what we were shown, and so is
// what somebody is shown who is not us: another client, in a session of its own,
// with other capabilities and no mark of ours. Where a list differs, ours is read
// anew in a new session before anything is said: a server that was updated shows
// the same to everybody who comes now.

// Times of looking.
const (
	lookGap   = 200 * time.Millisecond // between two looks at one upstream
	lookAgain = 10 * time.Second       // after a look that showed another list, or failed
	probeSoon = 500 * time.Millisecond // from a changed list to the look of another client
	anewGap   = 5 * time.Second        // between two readings in a new session because of a difference
	anewAgain = 30 * time.Second       // the same for one that is known: it may be what everybody is shown by now
)

// witness is somebody whose lists are compared with ours.
type witness struct {
	slot *slot // the session of an agent; nil for the client that is not us

	// Guarded by the keeper's mu.
	due, last time.Time   // of looks
	told      time.Time   // that its lists changed, and not looked at since; zero for no
	varies    []Variation // changed by the keeper's goroutine alone

	clean bool // the last look saw nothing else; of the goroutine alone
}

func (w *witness) who() string {
	if w.slot == nil {
		return "another client"
	}
	return w.slot.key.whose()
}

// sighting is what a witness was shown.
type sighting struct {
	by           *witness
	began        time.Time
	lists        *lists
	revision     string
	instructions string
	err          error
}

// Probe sets how often the upstreams over HTTP are asked as another client, and
// what their sessions list is compared; 0 means never.
func (s *Set) Probe(every time.Duration) {
	if time.Duration(s.probe.Swap(int64(every))) == every {
		return
	}
	for _, srv := range s.plan.Load().servers {
		srv.keeper.mu.Lock()
		srv.keeper.lookSoon()
		srv.keeper.mu.Unlock()
		srv.keeper.wake()
	}
}

// probing is how often; 0 for never. Processes of agents are compared anyway,
// see overlay.go.
func (s *server) probing() time.Duration {
	if s.isStdio() || s.up.Probe < 0 {
		return 0
	}
	return max(or(s.up.Probe, time.Duration(s.set.probe.Load())), 0)
}

// lookSoon makes all witnesses due. Called with mu held.
func (k *keeper) lookSoon() {
	now := time.Now()
	for _, w := range k.witnesses {
		w.due, w.told = now, time.Time{} // what they told of is what we have just read
	}
	k.stranger.due = now.Add(max(probeSoon, lookAgain-now.Sub(k.stranger.last)))
}

// attend takes a session of an agent as a witness. Called with mu held.
func (k *keeper) attend(sl *slot) {
	k.witnesses = append(k.witnesses, &witness{slot: sl, due: time.Now()})
}

// dismiss forgets it. Called with mu held.
func (k *keeper) dismiss(sl *slot) {
	k.witnesses = slices.DeleteFunc(k.witnesses, func(w *witness) bool {
		if w.slot != sl {
			return false
		}
		k.ended = k.ended || len(w.varies) > 0
		return true
	})
}

// look begins to look at what the witness that is due is shown, one at a time.
func (k *keeper) look() {
	s := k.server
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.probing() == 0 || k.base == nil || k.failed != nil || k.looking {
		return
	}
	w := k.nextWitness()
	if w.told.IsZero() && time.Since(k.looked) < lookGap {
		return
	}
	if w.due.After(time.Now()) {
		return
	}
	k.looking, k.looked = true, time.Now()
	w.last = time.Now()
	w.due = w.last.Add(s.probing())
	own := k.own
	began := w.last
	k.looks.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, overlayTime)
		defer cancel()
		seen := s.see(ctx, w, own)
		seen.began = began
		k.mu.Lock()
		k.looking, k.seen = false, append(k.seen, seen)
		k.mu.Unlock()
		k.wake()
	})
}

// nextWitness is the one that has waited longest, first of those for which
// calls wait. Called with mu held.
func (k *keeper) nextWitness() *witness {
	next := &k.stranger
	for _, w := range k.witnesses {
		told, other := !w.told.IsZero(), !next.told.IsZero()
		if told && !other || told == other && w.due.Before(next.due) {
			next = w
		}
	}
	return next
}

// nextLook is how long there is nothing to look at. Called with mu held.
func (k *keeper) nextLook(now time.Time) time.Duration {
	if k.server.probing() == 0 || k.base == nil || k.looking {
		return time.Hour
	}
	w := k.nextWitness()
	if !w.told.IsZero() {
		return w.due.Sub(now)
	}
	return max(w.due.Sub(now), k.looked.Add(lookGap).Sub(now))
}

// see reads what a witness is shown.
func (s *server) see(ctx context.Context, w *witness, own *ear) sighting {
	var l *line
	if w.slot != nil {
		l = w.slot.line
	} else {
		var err error
		if l, err = s.disguised(ctx, own); err != nil {
			return sighting{by: w, err: err}
		}
		defer func() {
			ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
			defer cancel()
			l.conn.Close(ctx)
		}()
	}
	all, err := s.fetch(ctx, l)
	return sighting{by: w, lists: all, revision: l.welcome.Revision, instructions: l.welcome.Instructions, err: err}
}

// disguised opens a session that does not say that it is ours, under a name that
// nobody can know.
func (s *server) disguised(ctx context.Context, own *ear) (*line, error) {
	name := "mcp-" + strings.ToLower(rand.Text()[:6])
	info, _ := json.Marshal(map[string]string{"name": name, "version": "1.0.0"}) // cannot fail
	e := s.endpoint
	e.Agent, e.Via = name+"/1.0.0", ""
	quiet := func(string, []byte) {}
	hello := link.Hello{Revision: mcpwire.NewestLegacy, Capabilities: []byte("{}"), Info: info}
	o := mcphttp.Options{Hello: hello, NextID: s.set.nextID, Event: quiet}
	var l *line
	switch era := s.pinned(s.era.now()); {
	case own != nil && own.line.modern || era == eraModern:
		conn := mcphttp.NewModern(e, quiet)
		welcome, err := s.discover(ctx, conn, &wish{caps: hello.Capabilities, revision: hello.Revision, info: info})
		if err != nil {
			return nil, err
		}
		l = newLine(conn, welcome, true)
	case era == eraSSE:
		conn, err := mcphttp.OpenSSE(ctx, e, o)
		if err != nil {
			return nil, err
		}
		l = newLine(conn, conn.Welcome(), false)
		l.shared = true
	default:
		conn, err := mcphttp.OpenLegacy(ctx, e, o)
		if err != nil {
			return nil, err
		}
		l = newLine(conn, conn.Welcome(), false)
	}
	l.as = &hello
	return l, nil
}

// weigh compares what was seen with what is listed.
func (k *keeper) weigh(ctx context.Context) {
	k.mu.Lock()
	seen := k.seen
	k.seen = nil
	k.mu.Unlock()
	for _, v := range seen {
		if v.err != nil {
			k.server.log.Info("upstream could not be asked as another client", "who", v.by.who(), "err", v.err)
			k.unseen(v.by)
			continue
		}
		differ := k.against(&v)
		if len(differ) > 0 && (!reflect.DeepEqual(differ, v.by.varies) || time.Since(k.anew) >= anewAgain) && k.readAnew(ctx) {
			differ = k.against(&v)
		}
		if len(differ) == 0 && !v.by.clean { // who shows two things in turn is not believed at once
			v.by.clean, differ = true, v.by.varies
		} else {
			v.by.clean = len(differ) == 0
		}
		k.mu.Lock()
		if v.began.After(v.by.told) {
			v.by.told = time.Time{}
		}
		if len(differ) > 0 {
			v.by.due = time.Now().Add(min(lookAgain, max(k.server.probing(), time.Second)))
		}
		k.mu.Unlock()
		if !reflect.DeepEqual(differ, v.by.varies) {
			k.mu.Lock()
			v.by.varies = differ
			k.mu.Unlock()
			k.publish(k.failed)
		}
	}
}

// unseen handles a look that failed: what a session lists that said it changed
// is not known, so it is asked again soon, unless it has ended.
func (k *keeper) unseen(w *witness) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case w.told.IsZero():
	case w.slot.line.dead():
		w.told = time.Time{}
	default:
		w.due = time.Now().Add(time.Second)
	}
}

// against is what somebody was shown otherwise than what is listed.
func (k *keeper) against(v *sighting) []Variation {
	if k.own == nil || k.base == nil {
		return v.by.varies // nothing is known anew
	}
	mine := k.own.line.welcome
	out := differing(k.base, v.lists, v.by.who(), mine.Revision == v.revision)
	if v.instructions != mine.Instructions && v.instructions != "" && mine.Revision == v.revision {
		out = append(out, Variation{Kind: kindInstructions, Who: v.by.who(), Item: []byte(v.instructions)})
	}
	return out
}

// readAnew reads the lists in a new session or process; false when that was
// done a moment ago.
func (k *keeper) readAnew(ctx context.Context) bool {
	if time.Since(k.anew) < anewGap || k.server.gate.admit() != nil {
		return false
	}
	k.anew = time.Now()
	k.hangUp()
	k.readNow(ctx)
	return k.failed == nil
}

// kindInstructions is the kind of a [Variation] of what a server says of itself;
// its item is the text.
const kindInstructions = "instructions"

// Bounds of what one witness may have to say. Beyond textsMost and textsBytes
// only that something differs is kept, so that nothing hides behind much else.
const (
	variesMost = 1000
	textsMost  = 20
	textsBytes = 64 << 10
)

// differing returns what others have otherwise than base. Lists of different
// revisions are compared in what all revisions have: servers leave out what a
// client could not know.
func differing(base, others *lists, who string, sameRevision bool) (out []Variation) {
	if base == nil {
		return nil
	}
	room := textsBytes
	for _, of := range listed {
		known, seen := byName(*of.items(base), of.id), map[string]bool{}
		for _, item := range *of.items(others) {
			name, _ := mcpwire.FieldText(item, of.id)
			mine, ok := known[name]
			if seen[name] && slices.ContainsFunc(*of.items(base), func(b []byte) bool { return bytes.Equal(b, item) }) {
				continue // both lists have it twice, see twice
			}
			seen[name] = true
			switch {
			case !ok || bytes.Equal(mine, item) || len(out) == variesMost:
				continue
			case bytes.Equal(canonical(mine), canonical(item)), !sameRevision && bytes.Equal(basics(mine), basics(item)):
				continue
			}
			out = append(out, variation(of.kind, name, who, item, len(out) < textsMost, &room))
		}
	}
	return out
}

// variation keeps an item, or what tells it from others where there is no room.
func variation(kind durward.Kind, name, who string, item []byte, whole bool, room *int) Variation {
	v := Variation{Kind: kind.String(), Name: name, Who: who}
	if *room -= len(item); whole && *room >= 0 {
		v.Item = bytes.Clone(item)
		return v
	}
	sum := sha256.Sum256(canonical(item))
	v.Item = fmt.Appendf(nil, `{"not kept, sha256":%q}`, hex.EncodeToString(sum[:]))
	return v
}

// byName are the items that count: the first of each name.
func byName(items [][]byte, id string) map[string][]byte {
	out := make(map[string][]byte, len(items))
	for _, item := range items {
		name, _ := mcpwire.FieldText(item, id)
		if _, ok := out[name]; !ok {
			out[name] = item
		}
	}
	return out
}

// basics is an item without what came with later revisions.
func basics(item []byte) []byte {
	if !mcpwire.IsObject(item) {
		return item
	}
	return canonical(mcpwire.DropFields(item, "title", "outputSchema", "icons", "execution", "annotations", "_meta"))
}

// canonical is what two items have to share to mean the same.
func canonical(item []byte) []byte {
	if c, err := mcpwire.AppendCanonical(nil, item); err == nil {
		return c
	}
	return item
}

// twice are definitions that one list has twice, and differently: who reads it
// from the other end is shown another one.
func twice(l *lists) (out []Variation) {
	room := textsBytes
	for _, of := range listed {
		known := byName(*of.items(l), of.id)
		for _, item := range *of.items(l) {
			name, _ := mcpwire.FieldText(item, of.id)
			if !bytes.Equal(known[name], item) && len(out) < variesMost && !bytes.Equal(canonical(known[name]), canonical(item)) {
				out = append(out, variation(of.kind, name, "readers of the rest of the list", item, len(out) < textsMost, &room))
			}
		}
	}
	return out
}

// variations are all that is shown otherwise to somebody than l has it, each once.
func variations(l *Listing, all ...[]Variation) (out []Variation) {
	type sight struct{ kind, name, item string }
	known := map[sight]bool{}
	listedNow := lists{tools: l.Tools, resources: l.Resources, templates: l.Templates, prompts: l.Prompts}
	for _, of := range listed {
		for name, item := range byName(*of.items(&listedNow), of.id) {
			known[sight{of.kind.String(), name, string(item)}] = true
		}
	}
	for _, some := range all {
		for _, v := range some {
			s := sight{v.Kind, v.Name, string(v.Item)}
			if !known[s] && len(out) < 2*variesMost {
				known[s] = true
				out = append(out, v)
			}
		}
	}
	return out
}

// doubt has a session looked at that says that its lists changed: what it is
// shown now may be for it alone.
func (k *keeper) doubt(sl *slot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.witnesses {
		if w.slot == sl && k.server.probing() > 0 {
			w.due, w.told = time.Now(), time.Now()
		}
	}
}

// doubted reports whether a session has said that its lists changed and was not
// looked at since. Called with mu held.
func (k *keeper) doubted() bool {
	return k.server.probing() > 0 && slices.ContainsFunc(k.witnesses, func(w *witness) bool { return !w.told.IsZero() })
}
