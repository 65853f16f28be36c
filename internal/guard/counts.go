package guard

import "durward"

// What is counted of each rule.
const (
	countObserved = iota
	countFlagged
	countRedacted
	countHeld
	countBlocked
	countWouldFlag
	countWouldRedact
	countWouldHold
	countWouldBlock
	counters
)

// Count adds what was seen in one message.
func (m *Memory) Count(v *Seen) {
	m.read.Add(1)
	for i := range v.Findings {
		m.count(&v.Findings[i])
	}
}

func (m *Memory) count(f *durward.Finding) {
	at, ok := m.index[f.Rule]
	if !ok {
		return
	}
	c := &m.counts[at]
	if l := levelOf(f.Action); l >= 0 {
		c[countObserved+l].Add(1)
	}
	if l := levelOf(f.Would); l > 0 {
		c[countBlocked+l].Add(1)
	}
}

// levelOf is how far behind countObserved an action is counted, and what would
// have been done behind countBlocked; -1 is not counted.
func levelOf(action string) int {
	switch action {
	case actedObserve:
		return 0
	case actedFlag:
		return 1
	case actedRedact:
		return 2
	case actedHold:
		return 3
	case actedBlock:
		return 4
	}
	return -1
}

// Stats returns the counts.
func (m *Memory) Stats() durward.GuardStats {
	m.mu.Lock()
	m.artefacts.sweep(m.now())
	s := durward.GuardStats{Messages: m.read.Load(), Conversations: m.recent.Len(), Forgotten: m.lost.Load(), Artefacts: len(m.artefacts.order), Rules: []durward.GuardCount{}}
	m.mu.Unlock()
	for i, r := range rules {
		var n [counters]uint64
		sum := uint64(0)
		for k := range n {
			n[k] = m.counts[i][k].Load()
			sum += n[k]
		}
		if sum > 0 {
			s.Rules = append(s.Rules, durward.GuardCount{
				Rule: r.ID, Vector: r.Vector, Observed: n[countObserved], Flagged: n[countFlagged], Redacted: n[countRedacted], Held: n[countHeld], Blocked: n[countBlocked],
				WouldFlag: n[countWouldFlag], WouldRedact: n[countWouldRedact], WouldHold: n[countWouldHold], WouldBlock: n[countWouldBlock],
			})
		}
	}
	return s
}
