package audit

// group is what one write puts into the log: records without a place yet, and
// those who wait for them.
type group struct {
	bodies []byte
	ends   []int  // of each record in bodies
	modes  []Mode // of each record
	closes []closing
	urgent bool // somebody waits
	must   bool // somebody waits for durability

	rouseAt int // how many records the writer waits for; 0 when it does not

	done  chan struct{} // closed when first or err is known
	first uint64        // sequence number of the first record
	err   error
}

// closing is a record that closes a call which was announced.
type closing struct {
	place int
	id    string
}

// urgentBytes is how much waits at most for the clock.
const urgentBytes = 256 << 10

// newGroup makes an empty group, which reuses the memory of old if that is given.
func newGroup(old *group) *group {
	g := &group{done: make(chan struct{})}
	if old != nil && cap(old.bodies) <= urgentBytes+len(old.bodies)*8 { // not more than is of use
		g.bodies, g.ends, g.modes, g.closes = old.bodies[:0], old.ends[:0], old.modes[:0], old.closes[:0]
	}
	return g
}

// add appends a record and returns its place, and whether the writer must hear of it.
func (g *group) add(body []byte, mode Mode, id string) (place int, rouse bool) {
	place = len(g.ends)
	if id != "" {
		g.closes = append(g.closes, closing{place, id})
	}
	before := g.pressing()
	g.bodies = append(g.bodies, body...)
	g.ends = append(g.ends, len(g.bodies))
	g.modes = append(g.modes, mode)
	g.urgent = g.urgent || mode != Batched
	g.must = g.must || mode == Durable
	return place, place == 0 || place+1 == g.rouseAt || g.pressing() != before
}

// pressing says that the group should be written without delay.
func (g *group) pressing() bool { return g.urgent || len(g.bodies) >= urgentBytes }

func (g *group) empty() bool { return len(g.ends) == 0 }

func (g *group) body(i int) []byte {
	if i == 0 {
		return g.bodies[:g.ends[0]]
	}
	return g.bodies[g.ends[i-1]:g.ends[i]]
}

// keepPatient moves the records that nobody waits for into to, and those that
// close a call which was announced: their callers hear of the failure, and the
// log of the calls.
func (g *group) keepPatient(to *group) {
	next := 0
	for i, m := range g.modes {
		id := ""
		if next < len(g.closes) && g.closes[next].place == i {
			id = g.closes[next].id
			next++
		}
		if m == Batched || id != "" {
			to.add(g.body(i), Batched, id)
		}
	}
}

// finish tells those who wait. After it, only done, first and err may be read.
func (g *group) finish(first uint64, err error) {
	g.first, g.err = first, err
	close(g.done)
}
