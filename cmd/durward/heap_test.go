package main

import (
	"testing"
	"testing/synctest"
)

// A small heap may grow to the floor; a large one is collected as the runtime
// would; in between, what is allocated fills up to the floor.
func TestGCPercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live, floor uint64
		want        int
	}{
		{0, heapFloor, percentMost},
		{4 * mib, 200 * mib, percentMost},
		{10 * mib, 40 * mib, 300},
		{19 * mib, 40 * mib, 110},
		{20 * mib, 40 * mib, percentLeast},
		{1 << 40, heapFloor, percentLeast},
		{4 * mib, 0, percentLeast},
	} {
		if got := gcPercent(c.live, c.floor); got != c.want {
			t.Errorf("gcPercent(%d MiB, %d MiB) = %d, want %d", c.live/mib, c.floor/mib, got, c.want)
		}
	}
}

// garbage keeps the compiler from leaving allocations out.
var garbage []byte

// Memory is given back once after work, when that is over.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{}
		r.begin()
		given := func() uint64 { return r.released }
		work := func(n int) {
			for range n >> 20 {
				garbage = make([]byte, 1<<20)
			}
		}
		begun := given()
		work(restWorth + restNoise)
		if r.look(); given() != begun {
			t.Error("memory was given back amid work")
		}
		r.look()
		rested := given()
		if rested == begun {
			t.Error("memory was not given back after work")
		}
		work(restNoise)
		r.look()
		r.look()
		if given() != rested {
			t.Error("memory was given back for next to no work")
		}
	})
}
