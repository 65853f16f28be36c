package guard

import (
	"hash/maphash"
	"sync/atomic"
)

// known remembers texts in which nothing was found, by a keyed hash, so that
// what is read again costs next to nothing: pages, settings and answers that
// agents fetch over and over. Who writes texts does not know the key; that two
// have one hash by chance is not to be expected in the life of a process. It belongs to one policy and is safe for concurrent use.
type known struct{ slots [1 << 13]atomic.Uint64 }

// leastKnown is the length from which remembering is worth it.
const leastKnown = 48

// has reports whether a text is known, and its mark for add.
func (k *known) has(text []byte) (mark uint64, ok bool) {
	if len(text) < leastKnown {
		return 0, false
	}
	mark = maphash.Bytes(seed, text) | 1
	return mark, k.slots[mark>>8%uint64(len(k.slots))].Load() == mark
}

func (k *known) add(mark uint64) {
	if mark != 0 {
		k.slots[mark>>8%uint64(len(k.slots))].Store(mark)
	}
}

// seed never changes.
var seed = maphash.MakeSeed()

// routine remembers the last arguments of an operation in which nothing was
// found: agents poll.
type routine struct{ slots [8]atomic.Uint64 }

func (r *routine) has(raw []byte) (mark uint64, ok bool) {
	mark = maphash.Bytes(seed, raw) | 1
	return mark, r.slots[mark>>8%uint64(len(r.slots))].Load() == mark
}

func (r *routine) add(mark uint64) { r.slots[mark>>8%uint64(len(r.slots))].Store(mark) }
