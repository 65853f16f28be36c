package upstream

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/mcpwire"
	"reflect"
	"slices"
	"time"
)

// Bounds of what one process of an agent may add to an upstream's lists, and
// of what reading it may cost the others.
const (
	addedMost   = 100 // items of one list
	addedBytes  = 1 << 20
	overlayTime = 30 * time.Second
	overlayGap  = time.Second           // between two readings of one process
	overlaySoon = 50 * time.Millisecond // the same while a call waits for it
	// overlayCheck is how often a process is read that does not say that its
	// lists changed: it may show an agent something else than us.
	overlayCheck = time.Minute
)

// hearOverlays reads the lists of the processes that said theirs changed.
func (k *keeper) hearOverlays(ctx context.Context) {
	agents, fresh := k.overlays()
	for _, e := range agents {
		if k.hearOverlay(ctx, e) {
			fresh = true
		}
	}
	if fresh && k.base != nil {
		k.publish(k.failed)
	}
}

// overlays returns the processes of agents, and whether one has ended since.
func (k *keeper) overlays() (agents []*ear, ended bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ended, k.ended = k.ended, false
	return slices.Clone(k.agents), ended
}

func (k *keeper) hearOverlay(ctx context.Context, e *ear) bool {
	k.mu.Lock()
	due := e.heard && time.Since(e.read) >= e.gap() || time.Since(e.read) >= overlayCheck || e.owes && time.Since(k.anew) >= anewGap
	told := e.told
	e.heard, e.soon = e.heard && !due, e.soon && !due
	k.mu.Unlock()
	if !due {
		return false
	}
	soon, cancel := context.WithTimeout(ctx, k.server.set.o.overlay)
	l, err := k.server.fetch(soon, e.line)
	cancel()
	k.mu.Lock()
	e.read = time.Now()
	if err != nil && e.owes {
		e.told, e.owes, e.said = true, false, false
	}
	e.heard = e.heard || err != nil && e.told // what it shows now is not known
	e.told = e.heard && e.told
	k.mu.Unlock()
	if err != nil {
		k.server.log.Info("lists of a process of upstream cannot be read", "err", err)
		return false
	}
	k.miss(ctx, e, l, told)
	differ := k.differ(e, l)
	if len(differ) > 0 && !reflect.DeepEqual(differ, e.varies) && (k.own == nil || k.own.slot == nil) && k.readAnew(ctx) {
		differ = k.differ(e, l) // the program may be another one since our process was started
	}
	news := len(differ) > 0 || len(e.varies) > 0
	e.varies = differ
	was := e.overlay
	e.overlay = lacking(k.base, l)
	for _, of := range listed {
		for i, item := range *of.items(e.overlay) {
			(*of.items(e.overlay))[i] = bytes.Clone(item) // the page that it is a part of may go
		}
	}
	return news || was == nil || !sameLists(was, e.overlay)
}

// miss reads the lists again when a process of an agent newly lacks something
// of them: what is gone there may be gone for all. If it said so itself, a
// process that is started now has the last word; ours may have read its lists
// long ago.
func (k *keeper) miss(ctx context.Context, e *ear, l *lists, told bool) {
	gone, told := lost(k.base, l), told || e.owes
	same := slices.Equal(gone, e.lacks)
	known := same && !e.owes && (e.said || !told)
	e.owes = false
	if len(gone) > 0 && !known && k.server.gate.admit() != nil { // not now, but not never either
		k.mu.Lock()
		e.heard, e.told = true, told
		k.mu.Unlock()
		return
	}
	e.lacks, e.said = gone, told || same && e.said
	if len(gone) == 0 || known || k.own != nil && k.own.slot != nil {
		return
	}
	fresh := k.own == nil
	k.readNow(ctx)
	e.lacks = lost(k.base, l)
	if len(e.lacks) == 0 || !told || fresh || k.failed != nil {
		return
	}
	e.owes = !k.readAnew(ctx)
	e.lacks = lost(k.base, l)
}

// lost names what base (nil for nothing) has and others do not.
func lost(base, others *lists) (out []string) {
	if base == nil {
		return nil
	}
	for _, of := range listed {
		still := byName(*of.items(others), of.id)
		for name := range byName(*of.items(base), of.id) {
			if _, ok := still[name]; !ok {
				out = append(out, of.kind.String()+" "+name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// differ is what a process of an agent lists otherwise than is listed.
func (k *keeper) differ(e *ear, l *lists) []Variation {
	revision := k.server.listing.Load().Revision
	return differing(k.base, l, e.slot.key.whose(), revision == e.line.welcome.Revision)
}

// gap is how long a process is left alone after it was read; the caller holds
// the keeper's mu.
func (e *ear) gap() time.Duration {
	if e.soon {
		return overlaySoon
	}
	return overlayGap
}

func sameLists(a, b *lists) bool {
	return sameItems(a.tools, b.tools) && sameItems(a.resources, b.resources) && sameItems(a.templates, b.templates) && sameItems(a.prompts, b.prompts)
}

// key is that of the server's certificate, as it was met last; "" without TLS.
func (s *server) key() string {
	if u := s.endpoint.URL; u != nil && u.Scheme == "https" {
		return s.set.client.Key(u.Hostname())
	}
	return ""
}

// rekeyed reports whether the server has been met with another key since it was told.
func (k *keeper) rekeyed() bool {
	was := k.server.listing.Load()
	now := k.server.key()
	return k.base != nil && was.Key != "" && now != "" && was.Key != now
}

// publish makes what is known the listing, and tells of it if it is news. err
// says that it could not be read anew.
func (k *keeper) publish(err *durward.Error) {
	s := k.server
	was := s.listing.Load()
	next := *was
	next.Err, next.Tried = nil, time.Now()
	if err == nil && k.own != nil {
		w := k.own.line.welcome
		next.Modern, next.Revision = k.own.line.modern, w.Revision
		next.Capabilities, next.ServerInfo, next.Instructions = w.Capabilities, w.Info, w.Instructions
	}
	next.Key = or(s.key(), next.Key)
	if k.base != nil {
		k.compose(&next)
	}
	switch {
	case err != nil:
		next.Err = err
	default:
		next.Fetched = time.Now()
		if k.base.trouble != nil {
			next.Err = s.protocol("could not be read whole.", k.base.trouble)
		}
	}
	news := !sameOffer(was, &next)
	if news {
		next.Generation = was.Generation + 1
		k.complain()
	}
	s.listing.Store(&next)
	if news || was.Tried.IsZero() || (was.Err == nil) != (next.Err == nil) || was.Fetched.IsZero() != next.Fetched.IsZero() {
		s.set.wake()
	}
}

func (k *keeper) complain() {
	for _, why := range k.base.dropped {
		k.server.log.Warn("item of upstream left out", "why", why)
	}
	if more := k.base.left - len(k.base.dropped); more > 0 {
		k.server.log.Warn("more items of upstream left out", "items", more)
	}
}

// compose joins what was read with what agents' processes added to it. All
// agents see one listing, so a process adds names and never has a say on what
// is there: it belongs to one agent, who may be able to make it say things.
func (k *keeper) compose(l *Listing) {
	all := *k.base
	k.mu.Lock()
	agents, witnesses := slices.Clone(k.agents), append(slices.Clone(k.witnesses), &k.stranger)
	k.mu.Unlock()
	varies := [][]Variation{twice(k.base)}
	for _, e := range agents {
		if e.overlay == nil {
			continue
		}
		varies = append(varies, e.varies)
		added := lacking(&all, e.overlay)
		for _, of := range listed {
			items := of.items(&all)
			*items = append(slices.Clip(*items), *of.items(added)...)
		}
	}
	l.Tools, l.Resources, l.Templates, l.Prompts = all.tools, all.resources, all.templates, all.prompts
	l.TTL, l.Left = or(k.base.ttl, ttlPolled), k.base.why()
	for _, w := range witnesses {
		varies = append(varies, w.varies)
	}
	l.Varies = variations(l, varies...)
}

// lacking returns what base (nil for nothing) lacks of others, within bounds.
func lacking(base, others *lists) *lists {
	out, budget := &lists{}, addedBytes
	for _, of := range listed {
		known := map[string]bool{}
		if base != nil {
			for _, item := range *of.items(base) {
				name, _ := mcpwire.FieldText(item, of.id)
				known[name] = true
			}
		}
		for _, item := range *of.items(others) {
			name, _ := mcpwire.FieldText(item, of.id)
			if known[name] || len(*of.items(out)) == addedMost || len(item) > budget {
				continue
			}
			known[name] = true
			budget -= len(item)
			*of.items(out) = append(*of.items(out), item)
		}
	}
	return out
}

func sameOffer(a, b *Listing) bool {
	return a.Modern == b.Modern && a.Key == b.Key && a.Revision == b.Revision && a.Instructions == b.Instructions &&
		bytes.Equal(a.Capabilities, b.Capabilities) && bytes.Equal(a.ServerInfo, b.ServerInfo) &&
		sameItems(a.Tools, b.Tools) && sameItems(a.Resources, b.Resources) &&
		sameItems(a.Templates, b.Templates) && sameItems(a.Prompts, b.Prompts) && reflect.DeepEqual(a.Varies, b.Varies) && slices.Equal(a.Left, b.Left)
}

func sameItems(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
