package upstream

import "time"

// IDs mints as a set does.
func IDs() func() uint64 { return newIDs().next }

// LookedAround reports whether all who are asked what an upstream shows them
// were asked, and nothing of it waits to be compared.
func (s *Set) LookedAround(name string) bool {
	k := s.plan.Load().servers[name].keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.looking || len(k.seen) > 0 || k.stranger.last.IsZero() {
		return false
	}
	for _, w := range k.witnesses {
		if w.last.IsZero() {
			return false
		}
	}
	return true
}

// Overlay sets how long reading a process of an agent may take.
func (o *Options) Overlay(d time.Duration) { o.overlay = d }
