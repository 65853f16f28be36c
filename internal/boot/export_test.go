package boot

import (
	"context"
	"log/slog"

	"durward/internal/edge/mcpedge"
)

// ListenLocal opens a local socket before any face, for tests.
func ListenLocal(path string, face *mcpedge.Face, log *slog.Logger) (end func(context.Context) error, err error) {
	s, err := listenLocal(path, face, nil, log)
	if err != nil {
		return nil, err
	}
	return s.close, nil
}

// IsNobody is how a client understands that it has to look again, for tests.
func IsNobody(err error) bool { return isNobody(err) }

// Break has a job of a gateway fail, for tests.
func (g *Gateway) Break(err error) { g.jobs.Go(func() error { return err }) }
