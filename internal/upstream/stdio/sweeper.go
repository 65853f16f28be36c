package stdio

import "sync"

// sweeper looks for strays of processes that have ended. A look goes through
// every process of the machine, so those that end at the same time, such as
// when the gateway stops, share one.
type sweeper struct {
	mu      sync.Mutex // guards the rest
	tags    []string   // to look for next
	done    chan struct{}
	running bool
}

// sweep returns when what carries the tag has been looked for and killed.
func (s *sweeper) sweep(tag string) {
	s.mu.Lock()
	s.tags = append(s.tags, tag)
	if s.done == nil {
		s.done = make(chan struct{})
	}
	done := s.done
	if !s.running {
		s.running = true
		go s.run() // ends when nobody waits
	}
	s.mu.Unlock()
	<-done
}

func (s *sweeper) run() {
	for {
		s.mu.Lock()
		tags, done := s.tags, s.done
		s.tags, s.done = nil, nil
		if s.running = len(tags) > 0; !s.running {
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		sweep(tags...)
		close(done)
	}
}
