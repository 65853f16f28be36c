package upstream

import (
	"bytes"
	"context"
	"durward"
	"durward/internal/mcpwire"
	"slices"
	"time"
)

// hearOverlays reads the lists of the processes that said theirs changed.
func (k *keeper) hearOverlays(ctx context.Context) {
	k.mu.Lock()
	agents := slices.Clone(k.agents)
	k.mu.Unlock()
	fresh := false
	for _, e := range agents {
		k.mu.Lock()
		heard := e.heard
		e.heard = false
		k.mu.Unlock()
		if !heard {
			continue
		}
		l, err := k.server.fetch(ctx, e.line)
		if err != nil {
			k.server.log.Info("lists of a process of upstream cannot be read", "err", err)
			continue
		}
		e.overlay, fresh = l, true
	}
	if fresh && k.base != nil {
		k.publish(nil)
	}
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

// compose joins what was read with what agents' processes added to it.
func (k *keeper) compose(l *Listing) {
	l.Tools, l.Resources, l.Templates, l.Prompts = k.base.tools, k.base.resources, k.base.templates, k.base.prompts
	l.TTL = or(k.base.ttl, ttlPolled)
	k.mu.Lock()
	agents := slices.Clone(k.agents)
	k.mu.Unlock()
	for _, e := range agents {
		if e.overlay == nil {
			continue
		}
		l.Tools = overlaid(l.Tools, e.overlay.tools, "name")
		l.Resources = overlaid(l.Resources, e.overlay.resources, "uri")
		l.Templates = overlaid(l.Templates, e.overlay.templates, "uriTemplate")
		l.Prompts = overlaid(l.Prompts, e.overlay.prompts, "name")
	}
}

// overlaid returns base with the items of over that it lacks, and with the
// newer definition of those that it has.
func overlaid(base, over [][]byte, id string) [][]byte {
	if len(over) == 0 {
		return base
	}
	at := make(map[string]int, len(base))
	for i, item := range base {
		name, _ := mcpwire.FieldText(item, id)
		at[name] = i
	}
	out := slices.Clone(base)
	for _, item := range over {
		name, _ := mcpwire.FieldText(item, id)
		if i, ok := at[name]; ok {
			out[i] = item
			continue
		}
		at[name] = len(out)
		out = append(out, item)
	}
	return out
}

func sameOffer(a, b *Listing) bool {
	return a.Modern == b.Modern && a.Revision == b.Revision && a.Instructions == b.Instructions &&
		bytes.Equal(a.Capabilities, b.Capabilities) && bytes.Equal(a.ServerInfo, b.ServerInfo) &&
		sameItems(a.Tools, b.Tools) && sameItems(a.Resources, b.Resources) &&
		sameItems(a.Templates, b.Templates) && sameItems(a.Prompts, b.Prompts)
}

func sameItems(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
