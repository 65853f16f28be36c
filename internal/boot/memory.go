package boot

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	lookEvery = 100 * time.Millisecond
	// pressedAt is the part of the memory limit from which on what is alive
	// leaves no room for new calls; below easedAt there is room again.
	pressedAt, easedAt = 0.75, 0.65
	// ofCgroup is the part of a container's memory that the heap may have: the
	// rest is for stacks of the kernel, buffers and processes behind us.
	ofCgroup = 0.9
)

// memory watches how much of the memory limit is in use.
type memory struct {
	limit   int64 // bytes; math.MaxInt64 without
	pressed atomic.Bool
	samples []metrics.Sample
}

// newMemory takes the limit that the operator says, else that of GOMEMLIMIT,
// else that of the container.
func newMemory(configured int64) *memory {
	m := &memory{limit: debug.SetMemoryLimit(-1), samples: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	switch {
	case configured > 0:
		m.limit = configured
	case m.limit != math.MaxInt64:
	default:
		if c := cgroupLimit(); c > 0 {
			m.limit = int64(float64(c) * ofCgroup)
		}
	}
	if m.limit != math.MaxInt64 {
		debug.SetMemoryLimit(m.limit)
	}
	return m
}

// cgroupLimit is the memory that the container may have; 0 when nobody says.
func cgroupLimit() int64 {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && n < 1<<50 {
			return n
		}
	}
	return 0
}

// run looks now and then until ctx ends.
func (m *memory) run(ctx context.Context) error {
	if m.limit == math.MaxInt64 {
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			metrics.Read(m.samples)
			m.judge(int64(m.samples[0].Value.Uint64()))
		}
	}
}

// judge takes what was alive at the last collection. When memory is short
// collections follow each other quickly, so this is never old when it matters.
func (m *memory) judge(alive int64) {
	part := float64(alive) / float64(m.limit)
	switch {
	case part >= pressedAt:
		m.pressed.Store(true)
	case part < easedAt:
		m.pressed.Store(false)
	}
}
