package upstream_test

import (
	"durward/internal/upstream"
	"testing"
)

func TestIDsAreUniqueAndCannotBeGuessed(t *testing.T) {
	const n = 1 << 20
	next, seen, steps := upstream.IDs(), make(map[uint64]bool, n), map[uint64]int{}
	before := next()
	for range n {
		id := next()
		if seen[id] || id < 1<<30 || id >= 1<<31 {
			t.Fatalf("id %d is taken, or too long for some servers", id)
		}
		seen[id] = true
		steps[id-before]++
		before = id
	}
	for step, times := range steps {
		if times > n/1000 {
			t.Errorf("the next id is %d more than the one before in %d of %d cases", int64(step), times, n)
		}
	}
	if a, b := upstream.IDs()(), upstream.IDs()(); a == b {
		t.Errorf("two processes begin with %d", a)
	}
}

func BenchmarkIDs(b *testing.B) {
	next := upstream.IDs()
	for b.Loop() {
		next()
	}
}
