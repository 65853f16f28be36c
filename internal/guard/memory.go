package guard

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"durward"
	"durward/internal/guard/flow"
)

// Memory is what the guard knows beyond one message: conversations, what was
// withheld, secrets that may be put back, and counts. All of it is bounded and
// gone with the process. It is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu            sync.Mutex // guards what follows
	conversations map[string]*list.Element
	recent        *list.List // of *Conversation, the latest first
	tokens        map[string]token
	order         []string // of tokens, oldest first
	artefacts     shelf
	left          map[string]remains // of conversations that were dropped, see leave
	lefts         []string           // their keys, oldest first
	carried       map[string]remains // of agents, for conversations that begin
	marks         map[string]*mark   // of agents, for the next start
	changed       chan struct{}      // something of marks did

	counts [][counters]atomic.Uint64 // by rule, in the order of the table
	index  map[string]int
	read   atomic.Uint64 // messages
	lost   atomic.Uint64 // conversations forgotten for want of room
}

// Bounds of the memory.
const (
	maxConversations = 1024 // at most about 200 KiB each
	maxTokens        = 4096
	maxTokenValue    = 16 << 10
	tokenLife        = 24 * time.Hour
	defaultIdle      = 30 * time.Minute
	defaultLife      = 24 * time.Hour
)

type token struct {
	value string
	until time.Time
}

// NewMemory returns an empty memory; now is its clock.
func NewMemory(now func() time.Time) *Memory {
	m := &Memory{
		now: now, conversations: map[string]*list.Element{}, recent: list.New(), tokens: map[string]token{},
		left: map[string]remains{}, carried: map[string]remains{}, marks: map[string]*mark{}, changed: make(chan struct{}, 1),
		artefacts: shelf{all: map[string]*durward.Artefact{}}, counts: make([][counters]atomic.Uint64, len(rules)), index: make(map[string]int, len(rules)),
	}
	for i, r := range rules {
		m.index[r.ID] = i
	}
	return m
}

// Conversation is what one run of an agent has seen and sent.
type Conversation struct {
	memory *Memory
	key    string
	idle   time.Duration
	last   time.Time // guarded by the memory's mu

	mu   sync.Mutex // guards what follows
	flow *flow.Session
	role flow.Role // of the operation that is judged
	gap  time.Time // until when it matters that what was read before is not known
	sent map[string]int64
	read [recently]uint64 // replies of late: the same reply says nothing new
	at   int
	said map[string]*Trail // by upstream

	planted *Policy // whose planted values are known
}

// mostTrails is of how many upstreams a conversation knows what they said last.
const mostTrails = 32

// wary tells that much is at stake: private data was read, or orders were found.
func (c *Conversation) wary() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flow.Wary()
}

// trail is what an upstream said last in the conversation.
func (c *Conversation) trail(upstream string) *Trail {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.said[upstream]
	if t == nil {
		if c.said == nil || len(c.said) >= mostTrails {
			c.said = map[string]*Trail{}
		}
		t = &Trail{}
		c.said[upstream] = t
	}
	return t
}

// recently is how many replies a conversation knows again.
const recently = 32

// knows reports whether a reply of an operation was read before, and keeps it.
func (c *Conversation) knows(s *Scope, text []byte, orders float64) bool {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(s.op.PolicyName) // never fails
	_ = h.WriteByte(byte(100 * orders))
	var whole [8]byte // at once, where Hash takes a few bytes at a time
	binary.LittleEndian.PutUint64(whole[:], maphash.Bytes(seed, text))
	_, _ = h.Write(whole[:])
	sum := h.Sum64()
	for _, known := range c.read {
		if known == sum {
			return true
		}
	}
	c.read[c.at%recently] = sum
	c.at++
	return false
}

// Conversation finds a conversation by its key, or begins it. One that was
// idle for longer begins anew.
func (m *Memory) Conversation(key string, idle time.Duration) *Conversation {
	if idle <= 0 {
		idle = defaultIdle
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if e := m.conversations[key]; e != nil {
		c := e.Value.(*Conversation)
		if now.Sub(c.last) < idle {
			c.last = now
			m.recent.MoveToFront(e)
			return c
		}
		m.drop(e)
	}
	for m.recent.Len() >= maxConversations {
		oldest := m.recent.Back()
		m.leave(oldest.Value.(*Conversation))
		m.drop(oldest)
		m.lost.Add(1)
	}
	c := &Conversation{memory: m, key: key, idle: idle, last: now, sent: map[string]int64{}}
	c.flow = flow.New(func(string, string) flow.Role { return c.role })
	if r := m.resume(key); r.Labels != (flow.Labels{}) {
		c.flow.Carry(r.Labels)
		c.gap = r.until
	}
	m.conversations[key] = m.recent.PushFront(c)
	return c
}

// End forgets a conversation, when its session is over.
func (m *Memory) End(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.conversations[key]; e != nil {
		m.drop(e)
	}
}

func (m *Memory) drop(e *list.Element) {
	m.recent.Remove(e)
	delete(m.conversations, e.Value.(*Conversation).key)
}

// Judge tells whether a call may carry its arguments where it would, after
// what the conversation has seen.
func (c *Conversation) Judge(s *Scope, args []byte) *Seen {
	if s.off {
		return nothing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	baited, stays := c.baited(s, args), !s.role.Sink && !s.role.Acts && s.role.Reach == flow.Stays
	if !baited && stays {
		return nothing
	}
	v := &Seen{Effect: durward.Allow}
	if baited {
		s.take(v, honeyFinding(""), durward.Deny)
	}
	if stays {
		return v.orNothing()
	}
	if !c.gap.IsZero() && !c.memory.now().Before(c.gap) {
		c.flow.Forgive()
		c.gap = time.Time{}
	}
	allowed := s.destinations(v, args)
	c.role = s.role
	for _, f := range c.flow.Call(s.op.Upstream, s.op.Name, args) {
		if allowed && (f.Rule != "exfiltration" || f.Score <= onlySecret) {
			continue // the operator says that data may go there
		}
		r := rule("flow." + f.Rule)
		s.take(v, durward.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.Severity, Score: round(f.Score), Where: f.Where, Evidence: f.What}, durward.Deny)
		v.Score = max(v.Score, f.Score)
	}
	c.egress(s, v, len(args))
	if allowed || v.Effect <= durward.Hold { // it did not leave, or for where it may
		c.flow.Unsend()
	}
	return v
}

// onlySecret is above what the leak of anything but a secret scores.
const onlySecret = 0.9

// egress counts what leaves after private data was seen.
func (c *Conversation) egress(s *Scope, v *Seen, n int) {
	most := s.policy.settings.Egress
	if _, private := c.flow.Seen(); most <= 0 || private < flow.Internal || !s.role.Sink {
		return
	}
	if c.sent[s.op.Upstream] += int64(n); c.sent[s.op.Upstream] > most {
		r := rule("flow.egress")
		s.take(v, durward.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.Severity, Score: 0.9, Evidence: "more than the budget of this conversation leaves by " + s.op.Upstream}, durward.Deny)
	}
}

// Heard takes note of what an agent got to read, with what was seen in it.
func (c *Conversation) Heard(s *Scope, reply []byte, seen *Seen, orders float64) {
	c.memory.note(c.key, c.heard(s, reply, seen, orders), c.idle)
}

func (c *Conversation) heard(s *Scope, reply []byte, seen *Seen, orders float64) flow.Labels {
	if s.off {
		return flow.Labels{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.trust == "trusted" {
		orders = 0
	}
	if c.knows(s, reply, orders) {
		return c.flow.Labels()
	}
	c.role = s.role
	holds := flow.Public
	for _, f := range seen.Findings {
		if f.Rule == "secret.personal" && f.Action != actedRedact {
			holds = max(holds, flow.Personal)
		}
		if f.Rule == "secret.credential" && f.Action != actedRedact {
			holds = flow.Secret
		}
	}
	if s.role.Sink && holds < flow.Secret && !s.declared {
		holds, c.role.Private = flow.Public, flow.Public // it says again what was sent
	}
	for _, text := range spoken(reply) {
		c.flow.Learn(s.op.Upstream, s.op.Name, withoutTokens(text), orders, holds)
	}
	return c.flow.Labels()
}

// Keep remembers what tokens stand for, for calls of the same agent to the
// same upstream.
func (m *Memory) Keep(agent, upstream string, secrets []Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	until := m.now().Add(tokenLife)
	for _, s := range secrets {
		if len(s.Value) > maxTokenValue {
			continue
		}
		key := agent + "\x00" + upstream + "\x00" + s.Token
		if _, ok := m.tokens[key]; !ok {
			m.order = append(m.order, key)
		}
		m.tokens[key] = token{s.Value, until}
	}
	for len(m.order) > maxTokens {
		delete(m.tokens, m.order[0])
		m.order = m.order[1:]
	}
}

// Reveal tells what a token stands for, to the agent and upstream that it was
// made for.
func (m *Memory) Reveal(agent, upstream, name string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[agent+"\x00"+upstream+"\x00"+name]
	if !ok || !m.now().Before(t.until) {
		return "", false
	}
	return t.value, true
}
