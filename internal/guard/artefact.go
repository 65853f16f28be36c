package guard

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"durward"
)

// Bounds of the shelf.
const (
	maxArtefacts     = 256
	maxArtefactBytes = 32 << 20
	maxArtefact      = 4 << 20
)

// shelf holds artefacts, the oldest first.
type shelf struct {
	all   map[string]*durward.Artefact
	order []string
	bytes int
}

// Withhold keeps a reply for a time and returns the handle to read it by.
func (m *Memory) Withhold(a durward.Artefact, life time.Duration) string {
	if life <= 0 {
		life = defaultLife
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a.Handle = "q_" + strings.ToLower(rand.Text()[:12])
	a.Time = m.now().UTC()
	a.Until, a.Size = a.Time.Add(life), len(a.Body)
	a.Body = slices.Clone(a.Body[:min(len(a.Body), maxArtefact)])
	m.artefacts.sweep(a.Time)
	s := &m.artefacts
	s.all[a.Handle], s.order, s.bytes = &a, append(s.order, a.Handle), s.bytes+len(a.Body)
	for len(s.order) > maxArtefacts || s.bytes > maxArtefactBytes {
		s.remove(s.order[0])
	}
	return a.Handle
}

// Artefact returns what was withheld under a handle.
func (m *Memory) Artefact(handle string) (durward.Artefact, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.artefacts.sweep(m.now())
	a := m.artefacts.all[handle]
	if a == nil {
		return durward.Artefact{}, false
	}
	return *a, true
}

// Artefacts lists what is kept, the latest first, without bodies.
func (m *Memory) Artefacts() []durward.Artefact {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.artefacts.sweep(m.now())
	out := make([]durward.Artefact, 0, len(m.artefacts.order))
	for _, h := range slices.Backward(m.artefacts.order) {
		a := *m.artefacts.all[h]
		a.Body = nil
		out = append(out, a)
	}
	return out
}

// sweep and remove are called with the memory's mu held.
func (s *shelf) sweep(now time.Time) {
	for i := 0; i < len(s.order); {
		if s.all[s.order[i]].Until.After(now) {
			i++ // lives differ when the configuration changed
			continue
		}
		s.remove(s.order[i])
	}
}

func (s *shelf) remove(handle string) {
	s.bytes -= len(s.all[handle].Body)
	delete(s.all, handle)
	s.order = slices.DeleteFunc(s.order, func(h string) bool { return h == handle })
}
