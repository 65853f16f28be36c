package relay

import (
	"hash/maphash"
	"slices"

	"durward/internal/mcpwire"
)

// open is what is under way at a gateway, by the keys of the ids. An id belongs
// to one request; where a client gives it to several, an answer may be to any of
// them, and so none of them is sent again.
type open struct {
	by    map[string][]*message
	seed  maphash.Seed
	given [maxGiven]uint64 // hashes of ids that were withdrawn: an answer may still come
	n     int              // of those, ever
}

// maxGiven bounds what is remembered of withdrawn ids. An answer that crosses
// the cancellation comes long before so many others.
const maxGiven = 256

func newOpen() open { return open{by: map[string][]*message{}, seed: maphash.MakeSeed()} }

// enter notes a request.
func (o *open) enter(m *message) {
	key := mcpwire.IDKey(m.id)
	o.by[key] = append(o.by[key], m)
	m.unsure = slices.Contains(o.given[:], maphash.String(o.seed, key)) // by chance, too: nothing is lost
	if same := o.by[key]; len(same) > 1 {
		for _, other := range same {
			other.unsure = true
		}
	}
}

// of is the request of an id, the first of several; nil when there is none.
func (o *open) of(id []byte) *message {
	if same := o.by[mcpwire.IDKey(id)]; len(same) > 0 {
		return same[0]
	}
	return nil
}

// leave takes a request out; false when it is not there.
func (o *open) leave(m *message) bool {
	key := mcpwire.IDKey(m.id)
	i := slices.Index(o.by[key], m)
	if i < 0 {
		return false
	}
	if o.by[key] = slices.Delete(o.by[key], i, i+1); len(o.by[key]) == 0 {
		delete(o.by, key)
	}
	return true
}

// withdraw takes out what the client cancelled; false when there is none.
func (o *open) withdraw(key string) bool {
	if len(o.by[key]) == 0 {
		return false
	}
	delete(o.by, key)
	o.given[o.n%maxGiven] = maphash.String(o.seed, key)
	o.n++
	return true
}

// clear takes out everything.
func (o *open) clear() (all []*message) {
	for _, same := range o.by {
		all = append(all, same...)
	}
	*o = newOpen()
	return all
}
