package limit

import (
	"context"
	"encoding/binary"
	"strings"
	"time"
)

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
