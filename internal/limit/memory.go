package limit

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// shards keep callers of different counters apart.
const shards = 32

// Options bound a [Memory].
type Options struct {
	// Most counters at a time; 200,000 when zero. When all are in use a call
	// that needs another is refused.
	Most int
}

// Memory keeps the counters of one gateway. It is safe for concurrent use.
type Memory struct {
	most  int // of a shard
	seed  maphash.Seed
	parts [shards]part

	ids atomic.Uint64

	mu    sync.Mutex // guards dirty
	dirty map[Key]*cell

	saved map[string][]byte // what was restored and not asked for yet; guarded by mu
}

type part struct {
	mu    sync.RWMutex
	cells map[uint64]*cell // by the hash of their keys; what has the same hash follows each other
	n     int
	swept int // how many there were after the last sweep
}

// cell is a bucket with its lock. Who holds several takes them in the order of
// their ids.
type cell struct {
	id   uint64
	key  Key
	hash uint64
	next *cell // with the same hash; guarded by the part's mu
	mu   sync.Mutex
	spec atomic.Pointer[Spec]
	bucket
	gone  bool // taken out of the table: look again
	dirty bool
}

// NewMemory returns an empty set of counters.
func NewMemory(o Options) *Memory {
	if o.Most == 0 {
		o.Most = 200_000
	}
	m := &Memory{most: max(o.Most/shards, 1), seed: maphash.MakeSeed(), dirty: make(map[Key]*cell)}
	for i := range m.parts {
		m.parts[i].cells = make(map[uint64]*cell)
	}
	return m
}

var _ Counter = (*Memory)(nil)

// Take implements [Counter].
func (m *Memory) Take(_ context.Context, now time.Time, charges []Charge) (*Refusal, error) {
	at := now.UnixNano()
	for {
		if full := m.find(charges, at); full != nil {
			return &Refusal{Charge: full, Retry: time.Minute, Full: true}, nil
		}
		inOrder(charges)
		if lock(charges) {
			break
		}
	}
	defer unlock(charges)
	for i := range charges {
		c := &charges[i]
		if ok, retry := c.cell.fits(c.Spec, at, c.N); !ok {
			c.left, c.reset = c.cell.left(c.Spec, at)
			refusal := &Refusal{Charge: c}
			if retry > 0 {
				refusal.Retry = retry
			}
			return refusal, nil
		}
	}
	for i := range charges {
		c := &charges[i]
		c.cell.book(c.Spec, at, c.N)
		c.left, c.reset = c.cell.left(c.Spec, at)
		m.touch(c.cell)
	}
	return nil, nil
}

// Peek implements [Counter].
func (m *Memory) Peek(now time.Time, charges []Charge) (first *Refusal) {
	at := now.UnixNano()
	for i := range charges {
		c := &charges[i]
		var b bucket
		hash := m.hash(&c.Key)
		p := m.part(hash)
		p.mu.RLock()
		if found := p.find(hash, &c.Key); found != nil {
			found.mu.Lock()
			b = found.bucket
			found.mu.Unlock()
		}
		p.mu.RUnlock()
		ok, retry := b.fits(c.Spec, at, c.N)
		c.left, c.reset = b.left(c.Spec, at)
		if !ok && first == nil {
			first = &Refusal{Charge: c, Retry: max(retry, 0)}
		}
	}
	return first
}

// inOrder sorts charges by their cells, so that two calls never wait for each
// other. There are few of them.
func inOrder(charges []Charge) {
	for i := 1; i < len(charges); i++ {
		for j := i; j > 0 && charges[j].cell.id < charges[j-1].cell.id; j-- {
			charges[j], charges[j-1] = charges[j-1], charges[j]
		}
	}
}

// lock holds all cells, or none when one was taken out of the table meanwhile.
// A limit charged twice is locked once.
func lock(charges []Charge) bool {
	for i := range charges {
		c := charges[i].cell
		if i > 0 && charges[i-1].cell == c {
			continue
		}
		c.mu.Lock()
		if c.gone {
			unlock(charges[:i+1])
			return false
		}
	}
	return true
}

func unlock(charges []Charge) {
	for i := range charges {
		if i == 0 || charges[i-1].cell != charges[i].cell {
			charges[i].cell.mu.Unlock()
		}
	}
}

// Book implements [Counter]. A counter that was forgotten in between had
// nothing that could be given back.
func (m *Memory) Book(_ context.Context, now time.Time, charges []Charge) error {
	at := now.UnixNano()
	for i := range charges {
		c := &charges[i]
		if c.cell == nil {
			continue
		}
		c.cell.mu.Lock()
		c.cell.book(c.Spec, at, c.N)
		m.touch(c.cell)
		c.cell.mu.Unlock()
	}
	return nil
}

// find gives each charge its cell; it returns one for which there is no room.
func (m *Memory) find(charges []Charge, now int64) *Charge {
	for i := range charges {
		c := &charges[i]
		hash := m.hash(&c.Key)
		p := m.part(hash)
		p.mu.RLock()
		c.cell = p.find(hash, &c.Key)
		p.mu.RUnlock()
		if c.cell == nil || c.cell.spec.Load() != c.Spec {
			if c.cell = m.add(p, hash, c, now); c.cell == nil {
				return c
			}
		}
	}
	return nil
}

func (m *Memory) hash(k *Key) uint64 {
	h := maphash.String(m.seed, k.Limit)
	for i := range k.Of {
		if v := k.Of[i]; v != "" {
			h = (h^maphash.String(m.seed, v))*0x9e3779b97f4a7c15 + uint64(i) + 1
		}
	}
	return h
}

func (m *Memory) part(hash uint64) *part { return &m.parts[hash>>32%shards] }

// find and the next two are called with mu held.
func (p *part) find(hash uint64, k *Key) *cell {
	c := p.cells[hash]
	for c != nil && c.key != *k {
		c = c.next
	}
	return c
}

func (p *part) put(c *cell) {
	c.next = p.cells[c.hash]
	p.cells[c.hash] = c
	p.n++
}

func (p *part) remove(gone *cell) {
	p.n--
	first := p.cells[gone.hash]
	if first != gone {
		for ; first.next != gone; first = first.next {
		}
		first.next = gone.next
		return
	}
	if gone.next == nil {
		delete(p.cells, gone.hash)
		return
	}
	p.cells[gone.hash] = gone.next
}

// each goes over the cells; what it is at may be removed.
func (p *part) each(do func(*cell)) {
	for _, c := range p.cells {
		for c != nil {
			next := c.next
			do(c)
			c = next
		}
	}
}

// add makes the cell of a charge, or hands it to a newer plan's spec.
func (m *Memory) add(p *part, hash uint64, c *Charge, now int64) *cell {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.find(hash, &c.Key); found != nil {
		found.spec.Store(c.Spec)
		return found
	}
	if p.n >= m.most || p.n > 2*p.swept+64 {
		p.sweep(now)
	}
	if p.n >= m.most {
		return nil
	}
	return m.make(p, hash, c.Key, c.Spec)
}

// make is called with the part's mu held.
func (m *Memory) make(p *part, hash uint64, k Key, s *Spec) *cell {
	made := &cell{id: m.ids.Add(1), key: k, hash: hash}
	made.spec.Store(s)
	m.restore(made, s)
	p.put(made)
	return made
}

// Adopt implements [Counter]: counters of limits that are gone are forgotten,
// and what an earlier run has saved is there to be seen.
func (m *Memory) Adopt(p *Program) {
	specs := p.specs()
	for i := range m.parts {
		m.parts[i].adopt(specs)
	}
	m.mu.Lock()
	var known []Key
	for text := range m.saved {
		if k := keyOf(text); specs[k.Limit] != nil {
			known = append(known, k)
		}
	}
	m.mu.Unlock()
	for _, k := range known {
		hash := m.hash(&k)
		p := m.part(hash)
		p.mu.Lock()
		if p.find(hash, &k) == nil && p.n < m.most {
			m.make(p, hash, k, specs[k.Limit])
		}
		p.mu.Unlock()
	}
}

func (p *part) adopt(specs map[string]*Spec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.each(func(c *cell) {
		c.mu.Lock()
		switch s := specs[c.key.Limit]; {
		case s != nil:
			c.spec.Store(s)
		case !c.dirty:
			c.gone = true
			p.remove(c)
		}
		c.mu.Unlock()
	})
}

// sweep forgets what is idle. It is called with mu held.
func (p *part) sweep(now int64) {
	p.each(func(c *cell) {
		c.mu.Lock()
		if c.idle(c.spec.Load(), now) && !c.dirty {
			c.gone = true
			p.remove(c)
		}
		c.mu.Unlock()
	})
	p.swept = p.n
}

// touch notes that a cell has to be saved. It is called with the cell held.
func (m *Memory) touch(c *cell) {
	if c.dirty || !c.spec.Load().lasts() {
		return
	}
	c.dirty = true
	m.mu.Lock()
	m.dirty[c.key] = c
	m.mu.Unlock()
}
