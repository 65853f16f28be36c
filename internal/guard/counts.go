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

// Count is how often a rule found something since the start, by what was done
// about it, and by what would have been done had it not been told to observe.
type Count struct {
	Rule        string `json:"rule"`
	Vector      string `json:"vector"`
	Observed    uint64 `json:"observed"`
	Flagged     uint64 `json:"flagged"`
	Redacted    uint64 `json:"redacted"`
	Held        uint64 `json:"held"`
	Blocked     uint64 `json:"blocked"`
	WouldFlag   uint64 `json:"would_flag"`
	WouldRedact uint64 `json:"would_redact"`
	WouldHold   uint64 `json:"would_hold"`
	WouldBlock  uint64 `json:"would_block"`
}

// Stats is what the guard has done since the start.
type Stats struct {
	Messages      uint64  `json:"messages"`      // read
	Conversations int     `json:"conversations"` // remembered
	Forgotten     uint64  `json:"forgotten"`     // conversations, for want of room
	Artefacts     int     `json:"artefacts"`     // kept
	Rules         []Count `json:"rules"`         // that found something
}

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
func (m *Memory) Stats() Stats {
	m.mu.Lock()
	m.artefacts.sweep(m.now())
	s := Stats{Messages: m.read.Load(), Conversations: m.recent.Len(), Forgotten: m.lost.Load(), Artefacts: len(m.artefacts.order), Rules: []Count{}}
	m.mu.Unlock()
	for i, r := range rules {
		var n [counters]uint64
		sum := uint64(0)
		for k := range n {
			n[k] = m.counts[i][k].Load()
			sum += n[k]
		}
		if sum > 0 {
			s.Rules = append(s.Rules, Count{r.ID, r.Vector, n[countObserved], n[countFlagged], n[countRedacted], n[countHeld], n[countBlocked],
				n[countWouldFlag], n[countWouldRedact], n[countWouldHold], n[countWouldBlock]})
		}
	}
	return s
}
