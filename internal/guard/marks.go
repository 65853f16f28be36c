package guard

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"durward/internal/guard/flow"
)

// A conversation that is forgotten - for want of room, or because the process
// ended - must not begin anew as if it had seen nothing. Its labels stay, though
// not what it read: by its own key while there is room, then in those of its
// agent. After a restart every conversation of an agent begins with the
// strictest labels that the agent had, until they would have been forgotten.

// Bounds of what is left of conversations.
const (
	maxRemains = 16 << 10 // labels of single conversations
	maxMarked  = 4096     // agents; beyond, labels hold for all
)

// everyone stands for all agents.
const everyone = ""

// remains are labels and until when they count.
type remains struct {
	flow.Labels
	until time.Time
}

func (r remains) or(o remains, now time.Time) remains {
	switch {
	case !now.Before(r.until):
		return o
	case !now.Before(o.until):
		return r
	}
	until := r.until
	if o.until.After(until) {
		until = o.until
	}
	return remains{r.Or(o.Labels), until}
}

// mark is what the conversations of an agent have seen of late, for the next
// start: in this span of time and in the one before, so that the labels of
// conversations that are over do not stay for ever.
type mark struct {
	this, before flow.Labels
	began, until time.Time
	told         remains // as it was handed out last
	named        *mark   // of conversations that the calls name, see Unnamed
}

func (k *mark) labels() flow.Labels { return k.this.Or(k.before) }

func (k *mark) add(l flow.Labels, now time.Time, idle time.Duration) {
	switch over := now.Sub(k.began); {
	case over >= 2*idle:
		k.this, k.before, k.began = flow.Labels{}, flow.Labels{}, now
	case over >= idle:
		k.this, k.before, k.began = flow.Labels{}, k.this, now
	}
	k.this, k.until = k.this.Or(l), now.Add(idle)
}

func agentOf(key string) string {
	agent, _, _ := strings.Cut(key, "\x00")
	return agent
}

// leave keeps the labels of a conversation that is dropped. It is called with
// mu held.
func (m *Memory) leave(c *Conversation) {
	c.mu.Lock()
	l := c.flow.Labels()
	c.mu.Unlock()
	until := c.last.Add(c.idle)
	if l == (flow.Labels{}) || !m.now().Before(until) {
		return
	}
	for len(m.left) >= maxRemains && len(m.lefts) > 0 {
		key := m.lefts[0]
		m.lefts = m.lefts[1:]
		if r, ok := m.left[key]; ok {
			delete(m.left, key)
			m.carry(agentOf(key), r)
		}
	}
	m.left[c.key] = remains{l, until}
	m.lefts = append(m.lefts, c.key)
	if len(m.lefts) > 2*maxRemains { // keys that came back are in it
		m.lefts = append(m.lefts[:0:0], m.lefts[len(m.lefts)-maxRemains:]...)
	}
}

// carry lets new conversations of an agent begin with labels. It is called with
// mu held.
func (m *Memory) carry(agent string, r remains) {
	if _, ok := m.carried[agent]; !ok && len(m.carried) >= maxMarked {
		agent = everyone
	}
	m.carried[agent] = m.carried[agent].or(r, m.now())
}

// resume is what a conversation begins with. It is called with mu held.
func (m *Memory) resume(key string) remains {
	if len(m.left) == 0 && len(m.carried) == 0 {
		return remains{}
	}
	now := m.now()
	r, own := m.left[key]
	delete(m.left, key)
	if !own {
		r = remains{}
	}
	for _, agent := range []string{agentOf(key), everyone} {
		c, ok := m.carried[agent]
		if ok && !now.Before(c.until) {
			delete(m.carried, agent)
		} else if ok {
			r = r.or(c, now)
		}
	}
	if !now.Before(r.until) {
		return remains{}
	}
	return r
}

// note takes over what a conversation has seen into the labels of its agent.
func (m *Memory) note(key string, l flow.Labels, idle time.Duration) {
	if l == (flow.Labels{}) {
		return
	}
	agent := agentOf(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	k := m.marks[agent]
	if k == nil {
		if len(m.marks) >= maxMarked {
			agent = everyone
		}
		if k = m.marks[agent]; k == nil {
			k = &mark{}
			m.marks[agent] = k
		}
	}
	k.add(l, now, idle)
	if isNamed(key) {
		if k.named == nil {
			k.named = &mark{}
		}
		k.named.add(l, now, idle)
	}
	if k.labels() != k.told.Labels || k.until.Sub(k.told.until) > idle/4 {
		select {
		case m.changed <- struct{}{}:
		default:
		}
	}
}

// Named is the key of a conversation of an agent that its calls name.
func Named(agent, id string) string { return agent + nameMark + id }

const nameMark = "\x00c"

func isNamed(key string) bool { return strings.HasPrefix(key[len(agentOf(key)):], nameMark) }

// Unnamed is the conversation of an agent's calls that should name one and do
// not. What they belong to cannot be told: they have seen what any did.
func (m *Memory) Unnamed(agent string, idle time.Duration) *Conversation {
	c := m.Conversation(agent, idle)
	seen := m.ofNamed(agent)
	if seen.Labels == (flow.Labels{}) {
		return c
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flow.Carry(seen.Labels)
	if c.gap.Before(seen.until) {
		c.gap = seen.until
	}
	return c
}

func (m *Memory) ofNamed(agent string) (r remains) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, a := range []string{agent, everyone} {
		if k := m.marks[a]; k != nil && k.named != nil {
			r = r.or(remains{k.named.labels(), k.named.until}, now)
		}
	}
	if !now.Before(r.until) {
		return remains{}
	}
	return r
}

// Changed wakes who stores the labels of agents.
func (m *Memory) Changed() <-chan struct{} { return m.changed }

// storedMark is a mark as it is stored.
type storedMark struct {
	Untrusted bool      `json:"untrusted,omitempty"`
	Orders    float64   `json:"orders,omitempty"`
	Private   uint8     `json:"private,omitempty"`
	Until     time.Time `json:"until"`
}

// Marks returns the labels of agents that changed since they were asked for
// last, to be kept for the next start.
func (m *Memory) Marks() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string][]byte{}
	for agent, k := range m.marks {
		if !m.now().Before(k.until) {
			delete(m.marks, agent)
			continue
		}
		now := remains{k.labels(), k.until}
		if now == k.told {
			continue
		}
		k.told = now
		raw, err := json.Marshal(storedMark{now.Untrusted, now.Injected, uint8(now.Private), now.until})
		if err != nil {
			panic(err) // a score is a number
		}
		out[agent] = raw
	}
	return out
}

// Recall lets the conversations of an agent begin with the labels that were
// stored for it. It is false for labels that have had their time.
func (m *Memory) Recall(agent string, raw []byte) (bool, error) {
	var s storedMark
	if err := json.Unmarshal(raw, &s); err != nil {
		return false, fmt.Errorf("labels of %s: %w", agent, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.now().Before(s.Until) {
		return false, nil
	}
	r := remains{flow.Labels{Untrusted: s.Untrusted, Injected: s.Orders, Private: min(flow.Class(s.Private), flow.Secret)}, s.Until}
	m.carry(agent, r)
	m.marks[agent] = &mark{this: r.Labels, began: m.now(), until: r.until, told: r}
	return true, nil
}
