package httpwire

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Loan is the memory of one large body. Given back, it holds a later body of
// the same owner: what is taken anew for each call costs a call of 256 KiB a
// sixth of its time, for clearing it and for finding out that it is garbage.
//
// Memory never passes from one owner to another. Were it given back too early,
// by mistake, an agent would see its own bytes, and nobody else's (ADR 0019).
type Loan struct {
	spare
	ended atomic.Bool
}

// spare is memory and whose bytes it holds.
type spare struct {
	owner string
	bytes []byte
	since time.Time // that it lies unused
}

// Return gives the memory back; nobody may refer to the body afterwards. Who
// is not sure of that does not call it, and the memory is garbage some day. A
// second call does nothing, nor does one on nil.
func (l *Loan) Return() {
	if l != nil && l.bytes != nil && !l.ended.Swap(true) {
		spares.put(l.spare)
	}
}

const (
	spareStep  = 64 << 10 // sizes are rounded up to it, so that bodies of about one length share memory
	spareMost  = 2 << 20  // a larger body is not worth keeping memory for
	spareTotal = 16 << 20 // of all that is kept
	spareTime  = 5 * time.Second
)

// spares is the memory that nobody uses at the moment.
var spares = spareMemory{poisoned: os.Getenv("DURWARD_DEBUG") == "poison"}

// spareMemory keeps memory that was given back, for a short time. It is safe
// for concurrent use.
type spareMemory struct {
	poisoned bool // of tests: what is given back is overwritten, which shows who still refers to it

	mu    sync.Mutex
	free  []spare // in the order they came; guarded by mu
	total int     // bytes of them; guarded by mu
	timed bool    // a look at their age is due; guarded by mu
}

// lend returns n bytes of memory for a body of owner. What they hold is
// undefined. The loan is nil where nobody owns the memory, and of none where
// that is not worth giving back.
func (s *spareMemory) lend(owner string, n int) ([]byte, *Loan) {
	switch {
	case owner == "":
		return make([]byte, n), nil
	case n <= Small || n > spareMost:
		return make([]byte, n), &Loan{}
	}
	b := s.take(owner, n)
	if b == nil {
		b = make([]byte, (n+spareStep-1)/spareStep*spareStep)
	}
	return b[:n:n], &Loan{spare: spare{owner: owner, bytes: b}}
}

// take returns the memory that owner gave back last and that n fits in, not
// much too large.
func (s *spareMemory) take(owner string, n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.free) - 1; i >= 0; i-- {
		if m := s.free[i]; m.owner == owner && len(m.bytes) >= n && len(m.bytes) <= 4*n {
			s.drop(i, i+1)
			return m.bytes
		}
	}
	return nil
}

func (s *spareMemory) put(m spare) {
	if s.poisoned {
		for i := range m.bytes {
			m.bytes[i] = 0xff
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.total+len(m.bytes) > spareTotal {
		s.drop(0, 1)
	}
	m.since = time.Now()
	s.free, s.total = append(s.free, m), s.total+len(m.bytes)
	s.watch()
}

// drop forgets the memory at from up to to. Its caller holds mu.
func (s *spareMemory) drop(from, to int) {
	for _, m := range s.free[from:to] {
		s.total -= len(m.bytes)
	}
	kept := append(s.free[:from], s.free[to:]...)
	clear(s.free[len(kept):])
	s.free = kept
}

// watch arranges that what lies too long is forgotten. Its caller holds mu.
func (s *spareMemory) watch() {
	if s.timed || len(s.free) == 0 {
		return
	}
	s.timed = true
	time.AfterFunc(spareTime, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		old := 0
		for old < len(s.free) && time.Since(s.free[old].since) >= spareTime {
			old++
		}
		s.drop(0, old)
		s.timed = false
		s.watch()
	})
}
