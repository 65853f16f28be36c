package limit

import (
	"slices"
	"strings"
	"time"

	"durward"
)

// Use is one counter as operators see it.
type Use struct {
	durward.LimitState
	Limit durward.Limit
}

// All tells of every counter that is in use, in order of names.
func (m *Memory) All(now time.Time) []Use {
	at := now.UnixNano()
	out := []Use{}
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.RLock()
		p.each(func(c *cell) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if s := c.spec.Load(); !c.idle(s, at) {
				left, reset := c.bucket.left(s, at)
				u := Use{LimitState: s.state(left, reset), Limit: s.says}
				u.Of = c.key.values(s.says.Per)
				out = append(out, u)
			}
		})
		p.mu.RUnlock()
	}
	slices.SortFunc(out, func(a, b Use) int {
		return strings.Compare(a.Name+"\x00"+string(a.Unit)+a.valueText(), b.Name+"\x00"+string(b.Unit)+b.valueText())
	})
	return out
}

func (u Use) valueText() string {
	text := ""
	for _, d := range u.Limit.Per {
		text += "\x00" + u.Of[d]
	}
	return text
}

func (k Key) values(per []durward.Dimension) map[durward.Dimension]string {
	if len(per) == 0 {
		return nil
	}
	out := make(map[durward.Dimension]string, len(per))
	for i, d := range per {
		out[d] = k.Of[i]
	}
	return out
}

// Reset makes the counters of a limit as if nothing had been used, all or
// those with the value of. It tells how many there were. What is under way
// stays counted.
func (m *Memory) Reset(name, of string) int {
	n := 0
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.RLock()
		p.each(func(c *cell) {
			c.mu.Lock()
			s := c.spec.Load()
			if s.says.Name == name && s.says.Unit != durward.UnitConcurrency && (of == "" || slices.Contains(c.key.Of[:], of)) {
				c.used = 0
				if !s.calendar {
					c.at = 0
				}
				m.touch(c)
				n++
			}
			c.mu.Unlock()
		})
		p.mu.RUnlock()
	}
	return n
}

// Known reports whether anything is counted for a limit.
func (m *Memory) Known(name string) bool {
	for i := range m.parts {
		p := &m.parts[i]
		p.mu.RLock()
		known := false
		p.each(func(c *cell) { known = known || c.spec.Load().says.Name == name })
		p.mu.RUnlock()
		if known {
			return true
		}
	}
	return false
}
