package catalog

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"

	"durward"
)

// Names remembers which tool or prompt of an upstream has which public name,
// and which upstream was declared first. Who had a name first keeps it: hosts
// that fold case could not tell two names apart that differ only in it, so
// whatever comes later and collides gets a suffix, in whichever order the server
// lists them. A URI of two upstreams is the elder's. It is safe for concurrent use.
type Names struct {
	mu      sync.Mutex // guards the rest
	rolls   map[rollKey]*roll
	ranks   map[string]uint64 // of upstreams: who was declared first, has the lowest
	unsaved map[rollKey]bool
	news    chan struct{}

	seal [32]byte // of cursors
}

type rollKey struct {
	upstream string
	kind     durward.Kind
}

// roll is the names of one kind that an upstream has used, as digests: oldest
// first, and who holds each.
type roll struct {
	order  []digest // of public names, without regard to case
	holder map[digest]digest
}

type digest [8]byte

func digestOf(s string) (d digest) {
	sum := sha256.Sum256([]byte(s))
	copy(d[:], sum[:])
	return d
}

const (
	// namesMost are remembered of one roll. What is listed at the moment stays
	// before what no longer is.
	namesMost = 4096
	// spares are the names with suffixes that are tried for one that was kept,
	// though those before it are free again.
	spares     = 3
	rollFormat = 1
)

// NewNames returns a memory that knows no names.
func NewNames() *Names {
	n := &Names{rolls: map[rollKey]*roll{}, ranks: map[string]uint64{}, unsaved: map[rollKey]bool{}, news: make(chan struct{}, 1)}
	_, _ = rand.Read(n.seal[:]) // never fails
	return n
}

// note remembers the URIs that an upstream lists, so that nobody stands in for
// it while it is away.
func (n *Names) note(upstream string, ops []*durward.Operation) {
	if len(ops) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	key := rollKey{upstream, durward.KindResource}
	r := n.roll(key)
	listed, fresh := make(map[digest]bool, len(ops)), false
	for _, op := range ops {
		d := digestOf(op.Name)
		if listed[d] = true; r.holder[d] != d {
			r.holder[d], r.order, fresh = d, append(r.order, d), true
		}
	}
	if fresh {
		r.trim(listed)
		n.changed(key)
	}
}

// roll is the roll of a key; the caller holds mu.
func (n *Names) roll(key rollKey) *roll {
	r := n.rolls[key]
	if r == nil {
		r = &roll{holder: map[digest]digest{}}
		n.rolls[key] = r
	}
	return r
}

// Seal sets the key that cursors are sealed with, so that they outlive a
// restart. Without it they are good for one process.
func (n *Names) Seal(secret []byte) { n.seal = sha256.Sum256(append([]byte("cursors\x00"), secret...)) }

// name gives the operations of one upstream their public names. Among those
// that are new at the same time the byte order of the exact names decides.
func (n *Names) name(upstream string, kind durward.Kind, ops []*durward.Operation) {
	if len(ops) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	key := rollKey{upstream, kind}
	r := n.roll(key)
	taken := make(map[digest]bool, len(ops))
	var fresh []*durward.Operation
	for _, op := range ops {
		if !r.keeps(op, taken) {
			fresh = append(fresh, op)
		}
	}
	if len(fresh) == 0 {
		return
	}
	before := slices.Clone(r.order)
	slices.SortFunc(fresh, func(a, b *durward.Operation) int { return cmp.Compare(a.Name, b.Name) })
	for _, op := range fresh {
		r.claim(op, taken)
	}
	if r.trim(taken); !slices.Equal(before, r.order) {
		n.changed(key)
	}
}

// keeps gives an operation the name that it had before, if it had one.
func (r *roll) keeps(op *durward.Operation, taken map[digest]bool) bool {
	own := digestOf(op.Name)
	for i := 0; ; i++ {
		public := candidate(op, i)
		d := digestOf(strings.ToLower(public))
		holder, known := r.holder[d]
		if known && holder == own {
			op.Public = public
			taken[d] = true
			return true
		}
		if !known && i >= spares {
			return false // it would have had this one
		}
	}
}

// claim gives an operation the first of its names that nobody had before it.
func (r *roll) claim(op *durward.Operation, taken map[digest]bool) {
	for i := 0; ; i++ { // ends: only what is listed or remembered can be in the way
		op.Public = candidate(op, i)
		d := digestOf(strings.ToLower(op.Public))
		if _, known := r.holder[d]; known {
			continue
		}
		r.holder[d] = digestOf(op.Name)
		r.order = append(r.order, d)
		taken[d] = true
		return
	}
}

// candidate is what an operation is called if nobody else is: its plain name,
// then those with suffixes.
func candidate(op *durward.Operation, i int) string {
	if i == 0 {
		return durward.PublicName(op.Upstream, op.Name)
	}
	return durward.SuffixedName(op.Upstream, op.Name, i-1)
}

// trim forgets what is too much: names that are not listed, oldest first, and
// only then the newest.
func (r *roll) trim(listed map[digest]bool) {
	over := len(r.order) - namesMost
	if over <= 0 {
		return
	}
	r.order = slices.DeleteFunc(r.order, func(d digest) bool {
		if over == 0 || listed[d] {
			return false
		}
		over--
		delete(r.holder, d)
		return true
	})
	for ; over > 0; over-- {
		last := len(r.order) - 1
		delete(r.holder, r.order[last])
		r.order = r.order[:last]
	}
}

// had are the exact names of one kind that an upstream is remembered with.
func (n *Names) had(upstream string, kind durward.Kind) map[digest]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.rolls[rollKey{upstream, kind}]
	if r == nil {
		return nil
	}
	out := make(map[digest]bool, len(r.holder))
	for _, own := range r.holder {
		out[own] = true
	}
	return out
}

func (n *Names) wake() {
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// Declare tells which upstreams are declared. The names of others are
// forgotten; who is new comes after all that were there before, and in the
// order of the aliases among those that are new together.
func (n *Names) Declare(aliases []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	declared := make(map[string]bool, len(aliases))
	for _, alias := range aliases {
		declared[alias] = true
	}
	for key := range n.rolls {
		if !declared[key.upstream] {
			delete(n.rolls, key)
			n.changed(key)
		}
	}
	last := uint64(0)
	for alias, rank := range n.ranks {
		if !declared[alias] {
			delete(n.ranks, alias)
			n.changed(rankKey(alias))
		}
		last = max(last, rank)
	}
	for _, alias := range slices.Sorted(slices.Values(aliases)) {
		if n.ranks[alias] == 0 {
			last++
			n.ranks[alias] = last
			n.changed(rankKey(alias))
		}
	}
}

// bySeniority orders sections by who was declared first.
func (n *Names) bySeniority(sections []*section) []*section {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(sections), func(a, b *section) int {
		return cmp.Compare(n.ranks[a.Upstream], n.ranks[b.Upstream])
	})
}

// rankKey is what an upstream's rank is kept under.
func rankKey(alias string) rollKey { return rollKey{upstream: alias} }

// rankWord is the kind of what is kept under it.
const rankWord = "rank"

// changed marks what is to be kept anew. The caller holds mu.
func (n *Names) changed(key rollKey) {
	n.unsaved[key] = true
	n.wake()
}

// Changed wakes who keeps the names.
func (n *Names) Changed() <-chan struct{} { return n.news }

// Unsaved returns what has changed since it was asked last, to be kept for
// [Names.Recall]; nil where nothing is left to keep.
func (n *Names) Unsaved() map[string][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string][]byte, len(n.unsaved))
	for key := range n.unsaved {
		if key != rankKey(key.upstream) {
			out[key.kind.String()+" "+key.upstream] = n.rolls[key].bytes()
		} else if rank := n.ranks[key.upstream]; rank > 0 {
			out[rankWord+" "+key.upstream] = binary.AppendUvarint([]byte{rollFormat}, rank)
		} else {
			out[rankWord+" "+key.upstream] = nil
		}
	}
	clear(n.unsaved)
	return out
}

func (r *roll) bytes() []byte {
	if r == nil {
		return nil
	}
	out := append(make([]byte, 0, 1+16*len(r.order)), rollFormat)
	for _, d := range r.order {
		holder := r.holder[d]
		out = append(append(out, d[:]...), holder[:]...)
	}
	return out
}

// Recall takes up what was kept, before the first catalogue is compiled.
func (n *Names) Recall(key string, raw []byte) error {
	word, upstream, _ := strings.Cut(key, " ")
	kind := durward.KindTool
	switch word {
	case durward.KindTool.String():
	case durward.KindPrompt.String():
		kind = durward.KindPrompt
	case durward.KindResource.String():
		kind = durward.KindResource
	case rankWord:
		return n.recallRank(upstream, raw)
	default:
		return errors.New("names are of tools, prompts or resources, not of " + word)
	}
	if len(raw)%16 != 1 || raw[0] != rollFormat || len(raw)/16 > namesMost {
		return errors.New("names in a form that is not known")
	}
	r := &roll{holder: make(map[digest]digest, len(raw)/16)}
	for raw = raw[1:]; len(raw) > 0; raw = raw[16:] {
		d := digest(raw[:8])
		if _, twice := r.holder[d]; twice {
			return errors.New("a name is kept twice")
		}
		r.order = append(r.order, d)
		r.holder[d] = digest(raw[8:16])
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rolls[rollKey{upstream, kind}] = r
	return nil
}

func (n *Names) recallRank(upstream string, raw []byte) error {
	if len(raw) < 2 || raw[0] != rollFormat {
		return errors.New("a rank in a form that is not known")
	}
	rank, used := binary.Uvarint(raw[1:])
	if used != len(raw)-1 || rank == 0 || rank > 1<<32 {
		return errors.New("a rank in a form that is not known")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ranks[upstream] = rank
	return nil
}
