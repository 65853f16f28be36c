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
	switch f.Action {
	case actedObserve:
		c[countObserved].Add(1)
	case actedFlag:
		c[countFlagged].Add(1)
	case actedRedact:
		c[countRedacted].Add(1)
	case actedHold:
		c[countHeld].Add(1)
	case actedBlock:
		c[countBlocked].Add(1)
	}
	switch f.Would {
	case actedFlag:
		c[countWouldFlag].Add(1)
	case actedRedact:
		c[countWouldRedact].Add(1)
	case actedHold:
		c[countWouldHold].Add(1)
	case actedBlock:
		c[countWouldBlock].Add(1)
	}
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
