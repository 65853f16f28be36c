package boot

import (
	"context"
	"time"

	"durward/internal/store"
)

// recallNames finds the public names that tools and prompts had when the last
// run ended. What cannot be read is named anew: no start fails for it.
func (g *Gateway) recallNames(ctx context.Context) error {
	names, shelf := g.pipeline.Names(), g.store.Shelf("names")
	var bad []string
	err := shelf.Each(ctx, func(key string, raw []byte) error {
		if err := names.Recall(key, raw); err != nil {
			g.opts.Log.Warn("public names not recalled: they are given anew", "of", key, "err", err)
			bad = append(bad, key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return shelf.Delete(ctx, bad...)
}

// keepNames stores names soon after they are given.
func (g *Gateway) keepNames(ctx context.Context) error {
	shelf := g.store.Shelf("names")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.pipeline.Names().Changed():
		}
		g.storeNames(ctx, shelf)
		select { // whatever changes meanwhile is stored together
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// storeNames stores what has changed. What cannot be stored is given anew
// after a restart, which matters for names that collide only.
func (g *Gateway) storeNames(ctx context.Context, shelf *store.Shelf) {
	for key, raw := range g.pipeline.Names().Unsaved() {
		var err error
		if raw == nil {
			err = shelf.Delete(ctx, key)
		} else {
			err = shelf.Put(ctx, key, raw)
		}
		if err != nil && ctx.Err() == nil {
			g.opts.Log.Warn("public names not stored", "of", key, "err", err)
		}
	}
}
