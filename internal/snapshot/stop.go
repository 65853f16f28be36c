package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"durward"
)

// Stop puts a halt in force that could not be stored. It holds until the
// process ends, or, once [Keeper.StoreStops] has succeeded, until it is
// released.
func (k *Keeper) Stop(h durward.Halt) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.current.Load()
	if now == nil {
		return errors.New("nothing is in use yet")
	}
	k.stops = append(slices.DeleteFunc(k.stops, func(o durward.Halt) bool { return o.ID() == h.ID() }), h)
	s := *now
	s.Halts = k.withStops(now.Halts)
	if err := k.o.Load(&s); err != nil {
		return err
	}
	k.current.Store(&s)
	return nil
}

// Unstored are the halts in force that a restart would forget.
func (k *Keeper) Unstored() []durward.Halt {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.stops)
}

// StoreStops stores the halts that could not be stored before; [Keeper.Run]
// tries it again and again.
func (k *Keeper) StoreStops(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.stops) > 0 {
		h := k.stops[0]
		state, err := k.o.Source.State(ctx)
		if err == nil {
			_, err = k.o.Source.Apply(ctx, state.Revision, h.By, []durward.Change{{PutHalt: &h}})
		}
		if errors.Is(err, durward.ErrStale) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("store the stop of %s: %w", h.ID(), err)
		}
		k.stops = slices.Delete(k.stops, 0, 1)
		k.o.Log.Info("a stop is stored that could not be before", "halt", h.ID())
		if err := k.refresh(ctx); err != nil {
			return err
		}
	}
	return nil
}

// withStops are stored halts with those that are not. k.mu is held.
func (k *Keeper) withStops(stored []durward.Halt) []durward.Halt {
	out := slices.Clone(stored)
	for _, h := range k.stops {
		out = append(slices.DeleteFunc(out, func(o durward.Halt) bool { return o.ID() == h.ID() }), h)
	}
	return out
}
