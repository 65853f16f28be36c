package boot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"durward/internal/store"
)

// markKey is the key of an agent's labels: no agent has an empty name, but the
// labels that hold for all have none.
func markKey(agent string) string { return "agent:" + agent }

// recallMarks gives the guard the labels that conversations had when the last
// run ended: none begins as if it had seen nothing.
func (g *Gateway) recallMarks(ctx context.Context) error {
	shelf := g.store.Shelf("labels")
	var old []string
	err := shelf.Each(ctx, func(key string, raw []byte) error {
		counts, err := g.pipeline.Recall(strings.TrimPrefix(key, markKey("")), raw)
		if err == nil && !counts {
			old = append(old, key)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the labels of conversations: %w", err)
	}
	return shelf.Delete(ctx, old...)
}

// keepMarks stores labels soon after they change.
func (g *Gateway) keepMarks(ctx context.Context) error {
	shelf := g.store.Shelf("labels")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.pipeline.MarksChanged():
		}
		g.storeMarks(ctx, shelf)
		select { // whatever changes meanwhile is stored together
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// storeMarks stores what has changed. What cannot be stored is lost with the
// process only, as everything was before.
func (g *Gateway) storeMarks(ctx context.Context, shelf *store.Shelf) {
	for agent, raw := range g.pipeline.Marks() {
		if err := shelf.Put(ctx, markKey(agent), raw); err != nil && ctx.Err() == nil {
			g.opts.Log.Warn("labels of conversations not stored: after a restart they are forgotten", "agent", agent, "err", err)
		}
	}
}
