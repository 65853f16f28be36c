//go:build !race

// Under the race detector pools forget on purpose.

package identity_test

import (
	"testing"
	"time"

	"durward"
	"durward/internal/identity"
)

func TestVerifyDoesNotAllocate(t *testing.T) {
	secret, k := identity.Mint(pepper, time.Now())
	k.Agent = "bot"
	x := identity.Compile(pepper, []durward.Agent{{Name: "bot"}}, []durward.Key{k})
	c, now := durward.NewCredential(secret), time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		if _, _, err := x.Verify(c, now); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("Verify allocates %v times per call, want 0", n)
	}
}
