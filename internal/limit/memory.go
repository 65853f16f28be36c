package limit

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"durward"
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

// Saver keeps counters from one run to the next.
type Saver interface {
	Counters(ctx context.Context) (map[string][]byte, error)
	// SaveCounters writes values durably; nil forgets one.
	SaveCounters(ctx context.Context, values map[string][]byte) error
}

// SaveEvery is how often counters are written, and so how much of what was
// counted a crash may lose. An orderly end loses nothing.
const SaveEvery = time.Second

// Restore takes over what an earlier run has saved.
// What is older than any window is forgotten.
func (m *Memory) Restore(ctx context.Context, s Saver, now time.Time) error {
	saved, err := s.Counters(ctx)
	if err != nil {
		return err
	}
	old := map[string][]byte{}
	for text, v := range saved {
		if len(v) != 16 || int64(binary.BigEndian.Uint64(v)) < now.Add(-32*24*time.Hour).UnixNano() {
			old[text] = nil
			delete(saved, text)
		}
	}
	m.mu.Lock()
	m.saved = saved
	m.mu.Unlock()
	if len(old) == 0 {
		return nil
	}
	return s.SaveCounters(ctx, old)
}

// restore is called while the cell is not yet known to others.
func (m *Memory) restore(c *cell, s *Spec) {
	if !s.lasts() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	text := c.key.text()
	if v := m.saved[text]; len(v) == 16 {
		c.at, c.used = int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))
		delete(m.saved, text)
	}
}

// Save writes what was counted since the last time.
func (m *Memory) Save(ctx context.Context, s Saver, now time.Time) error {
	values := m.changed(now)
	if len(values) == 0 {
		return nil
	}
	if err := s.SaveCounters(ctx, values); err != nil {
		m.retouch(values)
		return err
	}
	return nil
}

func (m *Memory) changed(now time.Time) map[string][]byte {
	m.mu.Lock()
	dirty := m.dirty
	m.dirty = make(map[Key]*cell)
	m.mu.Unlock()
	values := make(map[string][]byte, len(dirty))
	for _, c := range dirty {
		c.mu.Lock()
		c.dirty = false
		var v []byte
		if !c.idle(c.spec.Load(), now.UnixNano()) {
			v = binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(c.at))
			v = binary.BigEndian.AppendUint64(v, uint64(c.used))
		}
		values[c.key.text()] = v
		c.mu.Unlock()
	}
	return values
}

// retouch notes again what could not be written.
func (m *Memory) retouch(values map[string][]byte) {
	for text := range values {
		k := keyOf(text)
		hash := m.hash(&k)
		p := m.part(hash)
		p.mu.RLock()
		if c := p.find(hash, &k); c != nil {
			c.mu.Lock()
			m.touch(c)
			c.mu.Unlock()
		}
		p.mu.RUnlock()
	}
}

// Run writes what is counted every [SaveEvery] until ctx is done. failed hears
// of what could not be written; it is tried again.
func (m *Memory) Run(ctx context.Context, s Saver, failed func(error)) error {
	tick := time.NewTicker(SaveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := m.Save(ctx, s, now); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// text is the key as it is saved. Names hold no control characters.
func (k Key) text() string {
	return k.Limit + "\x1f" + strings.Join(k.Of[:], "\x1f")
}

func keyOf(text string) Key {
	var k Key
	for i, part := range strings.SplitN(text, "\x1f", maxPer+1) {
		if i == 0 {
			k.Limit = part
			continue
		}
		k.Of[i-1] = part
	}
	return k
}
