package upstream

import (
	"context"
	"time"
)

// Stale reports whether an upstream has said that its lists changed and they
// were not read since: what is known of it may not be what would be called.
func (s *Set) Stale(name string) bool {
	srv := s.plan.Load().servers[name]
	return srv != nil && srv.told.Load() != srv.known.Load()
}

// Reread waits until the lists of an upstream were read with all changes in
// them that it has told of by now.
func (s *Set) Reread(ctx context.Context, name string) error {
	srv := s.plan.Load().servers[name]
	if srv == nil {
		return unknownUpstream(name)
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for told := srv.told.Load(); srv.known.Load() < told; {
		k := srv.keeper
		k.mu.Lock()
		k.wanted = k.wanted || !k.changed.IsZero() // now, not when it has settled
		for _, e := range k.agents {
			e.soon = e.heard
		}
		k.mu.Unlock()
		k.wake()
		select {
		case <-look.C:
		case <-k.done:
			return unknownUpstream(name)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
