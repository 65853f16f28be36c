package control_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"durward"
	"durward/internal/control"
	"durward/internal/identity"
	"durward/internal/snapshot"
	"durward/internal/store"
)

// TestAChangeIsInEffectWhenItIsAnswered joins store, snapshot and control as
// boot does, and looks from where calls are served.
func TestAChangeIsInEffectWhenItIsAnswered(t *testing.T) {
	db, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var serving atomic.Pointer[identity.Index]
	keeper := snapshot.New(snapshot.Options{
		Source: db,
		Check:  func(*durward.Snapshot) error { return nil },
		Load: func(s *durward.Snapshot) error {
			serving.Store(identity.Compile(db.Pepper(), s.Agents, s.Keys))
			return nil
		},
	})
	file := &durward.Snapshot{Roles: []durward.Role{{Name: "r", Allow: []string{"*"}}}}
	if err := keeper.SetFile(t.Context(), "durward.yaml", file); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { _ = keeper.Run(ctx) })
	defer group.Wait()
	defer cancel()
	c := control.New(control.Options{
		Store: db, Pepper: db.Pepper(), Settle: keeper.Settle,
		File: func() (*durward.Snapshot, string) { return keeper.File(), "durward.yaml" },
	})
	opens := func(secret string) bool {
		_, _, err := serving.Load().Verify(durward.NewCredential(secret), time.Now())
		return err == nil
	}

	for range 10 {
		m, err := c.CreateAgent(ctx, operator, control.NewAgent{Name: "bot", Roles: []string{"r"}})
		if err != nil || !opens(m.Secret) {
			t.Fatalf("a new key does not open at once: %v", err)
		}
		next, err := c.RotateKey(ctx, operator, "bot", control.Rotation{})
		if err != nil || !opens(next.Secret) || opens(m.Secret) {
			t.Fatalf("a rotation without overlap is not in effect at once: %v", err)
		}
		if err := keeper.SetFile(ctx, "durward.yaml", &durward.Snapshot{Roles: file.Roles, Reads: "durable"}); err != nil {
			t.Fatal(err)
		}
		if err := c.RevokeAgent(ctx, operator, "bot"); err != nil || opens(next.Secret) {
			t.Fatalf("a revocation is not in effect at once: %v", err)
		}
		if err := c.DeleteAgent(ctx, operator, "bot"); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := keeper.Current().Revision, durward.Revision(1+10*4+1); got != want {
		t.Errorf("revision = %d, want %d: one for each change and content of the file", got, want)
	}
}
