package control_test

import (
	"context"
	"errors"
	"testing"

	"durward"
	"durward/internal/control"
	"durward/internal/snapshot"
	"durward/internal/store"
)

// fullDisk is a store that takes nothing while it is full.
type fullDisk struct {
	*store.DB
	full bool
}

func (d *fullDisk) Apply(ctx context.Context, base durward.Revision, by string, changes []durward.Change) (durward.Revision, error) {
	if d.full {
		return 0, errors.New("no space left on device")
	}
	return d.DB.Apply(ctx, base, by, changes)
}

func TestAStopNeedsNoDisk(t *testing.T) {
	h := open(t)
	disk := &fullDisk{DB: h.db}
	var inForce []durward.Halt
	keeper := snapshot.New(snapshot.Options{
		Source: disk, Check: func(*durward.Snapshot) error { return nil },
		Load: func(s *durward.Snapshot) error { inForce = s.Halts; return nil },
	})
	if err := keeper.SetFile(t.Context(), "f", h.file); err != nil {
		t.Fatal(err)
	}
	c := control.New(control.Options{
		Store: disk, Pepper: h.db.Pepper(), Settle: keeper.Settle, Stops: keeper,
		File: func() (*durward.Snapshot, string) { return h.file, "f" },
	})
	disk.full = true
	_, err := c.Kill(t.Context(), operator, control.Kill{Name: "filed", Reason: "r"})
	wantError(t, err, durward.Unavailable, durward.ReasonInternal, "agent:filed is stopped, and what it had under way is cancelled, but this could not be stored: it holds until the gateway restarts")
	if len(inForce) != 1 || inForce[0].ID() != "agent:filed" {
		t.Fatalf("in force: %+v", inForce)
	}
	if all, err := c.Halts(t.Context(), operator); err != nil || len(all) != 1 {
		t.Errorf("Halts = %+v, %v", all, err)
	}
	if _, err := c.Kill(t.Context(), operator, control.Kill{Name: "nobody"}); durward.AsError(err).Code != durward.NotFound || len(inForce) != 1 {
		t.Errorf("nobody is stopped: %v", err)
	}
	release := control.Release{Name: "filed", By: "ann", Reason: "r"}
	if _, err := c.Release(t.Context(), operator, release); err == nil || len(inForce) != 1 {
		t.Errorf("released while nothing can be stored: %v", err)
	}
	disk.full = false
	if err := keeper.StoreStops(t.Context()); err != nil || len(keeper.Unstored()) != 0 || len(inForce) != 1 {
		t.Errorf("StoreStops = %v, in force %+v", err, inForce)
	}
	if s, err := h.db.State(t.Context()); err != nil || len(s.Halts) != 1 {
		t.Errorf("stored: %+v, %v", s.Halts, err)
	}
	if _, err := c.Release(t.Context(), operator, release); err != nil || len(inForce) != 0 {
		t.Errorf("Release = %v, in force %+v", err, inForce)
	}
}
