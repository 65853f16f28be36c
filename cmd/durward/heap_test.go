package main

import "testing"

// A small heap may grow to the floor; a large one is collected as the runtime
// would; in between, what is allocated fills up to the floor.
func TestGCPercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, percentMost},
		{4 * mib, percentMost},
		{10 * mib, 300},
		{19 * mib, 110},
		{20 * mib, percentLeast},
		{1 << 40, percentLeast},
	} {
		if got := gcPercent(c.live); got != c.want {
			t.Errorf("gcPercent(%d MiB) = %d, want %d", c.live/mib, got, c.want)
		}
	}
}
