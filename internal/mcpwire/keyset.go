package mcpwire

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

const (
	nearLevels = 8  // levels whose key set needs no allocation
	fewKeys    = 16 // keys that are compared one by one
	wideStart  = 64 // first size of the table of an object with more keys
	mostKeys   = 1 << 16
)

// seed makes the places of keys in a wide table unpredictable, so that no
// sender can choose keys that all collide.
var seed = maphash.MakeSeed()

// keyRef remembers a key by hash and place; the zero keyRef is none.
type keyRef struct{ hash, at uint32 }

// keySet finds duplicate keys of one object: one by one while they are few,
// then in a hash table of 8 bytes an entry, at most three quarters full. The
// table never exceeds a megabyte, and no choice of keys makes it quadratic.
type keySet struct {
	n     int
	table []keyRef // in use when n > fewKeys
	few   [fewKeys]keyRef
}

// keySet returns the empty set for an object of the given depth. Objects of
// one depth are never open at the same time, so each depth has one set.
func (s *scanner) keySet(depth int) *keySet {
	if depth <= nearLevels {
		set := &s.near[depth-1]
		set.n = 0
		return set
	}
	for len(s.far) < depth-nearLevels {
		s.far = append(s.far, new(keySet))
	}
	set := s.far[depth-nearLevels-1]
	set.n = 0
	return set
}

// add adds a decoded key that lies at (behind its quote) in data, and reports
// whether it was there already.
func (k *keySet) add(data, key []byte, at int) bool {
	if k.n >= fewKeys {
		return k.addWide(data, key, at)
	}
	h := hashFew(key)
	for _, old := range k.few[:k.n] {
		if old.hash == h && sameKey(data, old.at, key) {
			return true
		}
	}
	k.few[k.n] = keyRef{h, uint32(at)}
	k.n++
	return false
}

func (k *keySet) addWide(data, key []byte, at int) bool {
	if k.n == fewKeys {
		k.widen(data)
	}
	if 4*k.n >= 3*len(k.table) {
		old := k.table
		k.table = make([]keyRef, 2*len(old))
		for _, e := range old {
			k.place(e)
		}
	}
	h := hashWide(key)
	mask := uint32(len(k.table) - 1)
	i := h & mask
	for ; k.table[i].at != 0; i = (i + 1) & mask {
		if k.table[i].hash == h && sameKey(data, k.table[i].at, key) {
			return true
		}
	}
	k.table[i] = keyRef{h, uint32(at)}
	k.n++
	return false
}

func (k *keySet) widen(data []byte) {
	if cap(k.table) < wideStart {
		k.table = make([]keyRef, wideStart)
	}
	k.table = k.table[:wideStart]
	clear(k.table)
	for _, e := range k.few {
		key := keyAt(data, e.at)
		k.place(keyRef{hashWide(key), e.at})
	}
}

func (k *keySet) place(e keyRef) {
	if e.at == 0 {
		return
	}
	mask := uint32(len(k.table) - 1)
	i := e.hash & mask
	for k.table[i].at != 0 {
		i = (i + 1) & mask
	}
	k.table[i] = e
}

func sameKey(data []byte, at uint32, key []byte) bool { return bytes.Equal(keyAt(data, at), key) }

// keyAt returns the decoded key that lies at, behind its quote.
func keyAt(data []byte, at uint32) []byte {
	text := data[at : skipString(data, int(at)-1)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	return appendText(nil, text)
}

func hashWide(key []byte) uint32 { return uint32(maphash.Bytes(seed, key)) }

// hashFew mixes the ends and the length of a key. It need not be good: a
// collision among few keys costs one comparison.
func hashFew(key []byte) uint32 {
	var a, b uint64
	n := len(key)
	switch {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(key)), uint64(binary.LittleEndian.Uint32(key[n-4:]))
	case n > 0:
		a, b = uint64(key[0])|uint64(key[n/2])<<8, uint64(key[n-1])
	}
	h := (a ^ bits.RotateLeft64(b, 29) ^ uint64(n)) * 0x9e3779b97f4a7c15
	return uint32(h >> 32)
}
