package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// heapFloor is up to what size the heap grows before it is collected, however
// little of it lives. A gateway keeps a few MiB while large calls pass through
// it: collected at twice what lives, it would collect with every fifth of
// them, which was a quarter of their cost. Where a container is small, the
// floor is a part of what it may have.
const (
	heapFloor = 48 << 20
	floorPart = 4
)

const (
	percentLeast = 100 // what the runtime does by itself
	// The runtime takes the percentage of 4 MiB at least.
	percentMost = heapFloor / (4 << 20) * 100
)

// tendHeap lets a small heap grow to heapFloor between collections, and a
// large one to twice what lives, and keeps both within what the container may
// have. Whoever sets GOMEMLIMIT or GOGC has decided otherwise.
func tendHeap() {
	limit, err := memlimit.Set()
	if err != nil { // there is no container, or it does not say
		limit = math.MaxInt64
	}
	if os.Getenv("GOGC") != "" {
		return
	}
	t := &heapTender{percent: percentLeast, floor: uint64(min(heapFloor, limit/floorPart))}
	t.sample[0].Name = "/gc/heap/live:bytes"
	t.look()
}

const (
	startTime = 3 * time.Second  // after it a gateway has started, for sure
	restTime  = 10 * time.Second // without work: a gateway rests

	restNoise = 1 << 20 // bytes allocated in restTime by who rests
	restWorth = 4 << 20 // and since memory was given back, for it to be worth it again
)

// tendRest gives back what the start has left behind, and then, whenever there
// is nothing to do, what work has: the floor would keep it.
func tendRest() { time.AfterFunc(startTime, (&rest{last: allocated()}).begin) }

// rest is one view of how much was allocated. It is used by one goroutine at a
// time.
type rest struct{ last, released uint64 }

func (r *rest) begin() {
	debug.FreeOSMemory()
	dropProgram()
	r.last = allocated()
	r.released = r.last
	time.AfterFunc(restTime, r.look)
}

func (r *rest) look() {
	now := allocated()
	if now-r.last < restNoise && now-r.released > restWorth {
		r.begin()
		return
	}
	r.last = now
	time.AfterFunc(restTime, r.look)
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// heapTender looks at the heap after each collection. It is used by one
// goroutine at a time: a look arranges the next.
type heapTender struct {
	percent int
	floor   uint64 // in bytes
	sample  [1]metrics.Sample
}

func (t *heapTender) look() {
	metrics.Read(t.sample[:])
	next := gcPercent(t.sample[0].Value.Uint64(), t.floor)
	if next < t.percent*4/5 || next > t.percent*5/4 { // setting it stops the world for a moment
		t.percent = next
		debug.SetGCPercent(next)
	}
	// What nothing refers to goes with the next collection: that is when to look again.
	type leaf struct{ _ *leaf }
	runtime.AddCleanup(new(leaf), (*heapTender).look, t)
}

// gcPercent is how much may be allocated on top of what lives, in hundredths of it.
func gcPercent(live, floor uint64) int {
	live = max(live, 1<<20)
	if live >= floor/2 {
		return percentLeast
	}
	return min(int((floor-live)*100/live), percentMost)
}
