package limit

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"durward"
)

// Spec is how one limit counts. It is shared by all its counters.
type Spec struct {
	id       string // name, unit and window
	says     durward.Limit
	most     int64
	every    int64 // ns; 0 when calendar or concurrency
	full     int64 // ns that a burst takes to come back
	calendar bool
	zone     *time.Location
	now      atomic.Pointer[window]
}

// window is a day or month.
type window struct{ start, end int64 } // unix ns

// The longest time that counters reckon with.
const longest = 10 * 366 * 24 * time.Hour

func specOf(l *durward.Limit, zone *time.Location) (*Spec, error) {
	s := &Spec{says: *l, most: l.Most, zone: zone}
	switch {
	case l.Name == "":
		return nil, errors.New("has no name")
	case l.Most <= 0:
		return nil, errors.New("allows nothing")
	case l.Unit == durward.UnitConcurrency:
		s.id = l.Name + "|" + string(l.Unit)
		return s, nil
	case l.Calendar == durward.PerDay, l.Calendar == durward.PerMonth:
		s.calendar = true
		s.id = l.Name + "|" + string(l.Unit) + "|" + l.Calendar
		return s, nil
	case l.Calendar != "":
		return nil, fmt.Errorf("counts by %q, which is neither day nor month", l.Calendar)
	case l.Every <= 0 || l.Every > 366*24*time.Hour:
		return nil, errors.New("has no window")
	}
	s.every = int64(l.Every)
	s.id = l.Name + "|" + string(l.Unit) + "|" + l.Every.String()
	burst := l.Burst
	if burst <= 0 {
		burst = l.Most
	}
	if s.full = s.worth(burst); s.full > int64(longest) {
		return nil, errors.New("has a burst that takes years to come back")
	}
	return s, nil
}

// worth is how long n of the limit take to come back, rounded up: never more
// than the limit is given.
func (s *Spec) worth(n int64) int64 {
	if n <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(n), uint64(s.every))
	lo, carry := bits.Add64(lo, uint64(s.most)-1, 0)
	hi += carry
	if hi >= uint64(s.most) {
		return math.MaxInt64 / 4
	}
	q, _ := bits.Div64(hi, lo, uint64(s.most))
	return int64(min(q, math.MaxInt64/4))
}

// count is how many of the limit come back in some time.
func (s *Spec) count(d int64) int64 {
	if d <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(d), uint64(s.most))
	if hi >= uint64(s.every) {
		return math.MaxInt64 / 4
	}
	q, _ := bits.Div64(hi, lo, uint64(s.every))
	return int64(min(q, math.MaxInt64/4))
}

// overdraws tells that what is booked may exceed what is left, because it is
// known only afterwards.
func (s *Spec) overdraws() bool { return s.says.Unit == durward.UnitBytes }

// window is the day or month of a moment.
func (s *Spec) window(now int64) window {
	if w := s.now.Load(); w != nil && w.start <= now && now < w.end {
		return *w
	}
	y, m, d := time.Unix(0, now).In(s.zone).Date()
	w := &window{}
	if s.says.Calendar == durward.PerMonth {
		w.start = time.Date(y, m, 1, 0, 0, 0, 0, s.zone).UnixNano()
		w.end = time.Date(y, m+1, 1, 0, 0, 0, 0, s.zone).UnixNano()
	} else {
		w.start = time.Date(y, m, d, 0, 0, 0, 0, s.zone).UnixNano()
		w.end = time.Date(y, m, d+1, 0, 0, 0, 0, s.zone).UnixNano()
	}
	s.now.Store(w)
	return *w
}

// length is how long the limit's window is, for people.
func (s *Spec) length() time.Duration {
	switch {
	case s.says.Calendar == durward.PerDay:
		return 24 * time.Hour
	case s.says.Calendar == durward.PerMonth:
		return 30 * 24 * time.Hour
	}
	return time.Duration(s.every)
}

// lasts tells that what was counted is to outlive the process: windows of
// calendars, and what takes long to come back.
func (s *Spec) lasts() bool { return s.calendar || s.full >= int64(10*time.Minute) }

// bucket is one counter; its meaning is its spec's.
type bucket struct {
	at   int64 // unix ns: when all is back (a rate), or the start of the window
	used int64 // in the window, or under way
}

// take books n unless that exceeds the limit; then it tells when to try again,
// 0 when never. It may be asked without booking.
func (b *bucket) fits(s *Spec, now, n int64) (ok bool, retry time.Duration) {
	switch {
	case s.says.Unit == durward.UnitConcurrency:
		return b.used+n <= s.most, time.Second
	case s.calendar:
		w := b.turn(s, now)
		if s.overdraws() {
			n = min(n, 1)
		}
		if n > s.most {
			return false, 0
		}
		return b.used+n <= s.most, time.Duration(w.end - now)
	}
	b.sober(s, now)
	busy := max(b.at-now, 0)
	need := s.worth(n)
	if s.overdraws() {
		need = min(need, s.worth(1))
	}
	if need > s.full {
		return false, 0
	}
	return busy+need <= s.full, time.Duration(busy + need - s.full)
}

// book counts n, which may be less than nothing: then it was not used.
func (b *bucket) book(s *Spec, now, n int64) {
	switch {
	case s.says.Unit == durward.UnitConcurrency:
		b.used = max(b.used+n, 0)
	case s.calendar:
		b.turn(s, now)
		b.used = max(b.used+n, 0)
	case n < 0:
		b.at = max(b.at-s.worth(-n), 0)
	default:
		b.sober(s, now)
		b.at = min(max(b.at, now)+s.worth(n), now+int64(longest))
	}
}

// turn begins a new window when it is time. A clock that goes back begins
// none: what was used stays used.
func (b *bucket) turn(s *Spec, now int64) window {
	w := s.window(now)
	if w.start > b.at {
		b.at, b.used = w.start, 0
	}
	return w
}

// sober keeps a clock that went back from locking everybody out: nothing that
// cannot be overdrawn takes longer to come back than its burst.
func (b *bucket) sober(s *Spec, now int64) {
	if !s.overdraws() && b.at-now > s.full {
		b.at = now + s.full
	}
}

// left is what can be used, and when all of it is back.
func (b *bucket) left(s *Spec, now int64) (n int64, reset time.Duration) {
	switch {
	case s.says.Unit == durward.UnitConcurrency:
		return max(s.most-b.used, 0), 0
	case s.calendar:
		w := b.turn(s, now)
		return max(s.most-b.used, 0), time.Duration(w.end - now)
	}
	busy := max(b.at-now, 0)
	return s.count(s.full - busy), time.Duration(busy)
}

// idle tells that nothing is lost when the bucket is forgotten.
func (b *bucket) idle(s *Spec, now int64) bool {
	switch {
	case s.says.Unit == durward.UnitConcurrency:
		return b.used == 0
	case s.calendar:
		return b.used == 0 || s.window(now).start > b.at
	}
	return b.at <= now
}
