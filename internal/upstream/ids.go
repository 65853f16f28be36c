package upstream

import (
	"math/rand/v2"
	"sync/atomic"
)

// ids mints the ids of requests to servers. A response that nobody asked for,
// and that arrives once the next request is on its way, would be taken for its
// answer if it bore its id: so nobody shall know the next from those before.
// They are a count behind a permutation with keys of its own, which makes them
// unlike each other and still unique for a thousand million requests; and they
// fit 31 bits, for servers that keep them in so many.
type ids struct {
	count atomic.Uint64
	keys  [4]struct{ add, mul uint64 }
}

const (
	idHalf = 15 // bits of a half
	idMask = 1<<idHalf - 1
	idLow  = 1 << (2 * idHalf) // the lowest id: all have as many digits
)

func newIDs() *ids {
	i := &ids{}
	i.count.Store(rand.Uint64())
	for n := range i.keys {
		i.keys[n].add, i.keys[n].mul = rand.Uint64(), rand.Uint64()|1
	}
	return i
}

// next is a Feistel network over the next number.
func (i *ids) next() uint64 {
	n := i.count.Add(1)
	left, right := n>>idHalf&idMask, n&idMask
	for _, k := range &i.keys {
		x := (right + k.add) * k.mul
		left, right = right, left^(x>>32^x>>47)&idMask
	}
	return idLow | left<<idHalf | right
}
