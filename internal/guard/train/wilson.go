package main

import (
	"fmt"
	"math"
)

// share is a count of a count.
type share struct{ hit, of int }

func (s *share) add(hit bool) {
	s.of++
	if hit {
		s.hit++
	}
}

func (s share) rate() float64 {
	if s.of == 0 {
		return 0
	}
	return float64(s.hit) / float64(s.of)
}

// wilson is the 95 % interval of the rate.
func (s share) wilson() (low, high float64) {
	if s.of == 0 {
		return 0, 1
	}
	const z = 1.959964
	n, p := float64(s.of), s.rate()
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, mid-half), min(1, mid+half)
}

func (s share) String() string {
	low, high := s.wilson()
	return fmt.Sprintf("%5.1f %% (%d/%d, %.1f-%.1f)", 100*s.rate(), s.hit, s.of, 100*low, 100*high)
}
