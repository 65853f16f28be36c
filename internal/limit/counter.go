package limit

import (
	"context"
	"math"
	"sync"
	"time"

	"durward"
)

// Key names a counter: the limit, and the values it counts apart.
type Key struct {
	Limit string
	Of    [maxPer]string
}

// Charge is what a call takes of one counter.
type Charge struct {
	Key  Key
	Spec *Spec
	N    int64

	left  int64
	reset time.Duration
	cell  *cell // of Memory: where the counter is
}

// Refusal is why a call was not booked.
type Refusal struct {
	Charge *Charge
	Retry  time.Duration // 0: never, it wants more than the limit ever gives
	Full   bool          // there is no room for another counter
}

// Counter keeps the counters. It may be shared by gateways.
type Counter interface {
	// Take books all charges, or none and says which refused. It leaves in the
	// charges what is left.
	Take(ctx context.Context, now time.Time, charges []Charge) (*Refusal, error)
	// Book counts further use of counters that were taken from; less than
	// nothing gives back. It never refuses.
	Book(ctx context.Context, now time.Time, charges []Charge) error
	// Adopt tells which limits there are from now on; nil for none.
	Adopt(p *Program)
	// Peek is Take that books nothing.
	Peek(now time.Time, charges []Charge) *Refusal
}

// Booking is what one call was booked for. It is used by one goroutine.
type Booking struct {
	charges []Charge
}

// bookings are made once and used again.
type bookings struct{ pool sync.Pool }

func (b *bookings) get() *Booking {
	if v, ok := b.pool.Get().(*Booking); ok {
		return v
	}
	return &Booking{}
}

// Desk books calls with one counter.
type Desk struct {
	counter  Counter
	bookings bookings
}

// NewDesk books with a counter.
func NewDesk(c Counter) *Desk { return &Desk{counter: c} }

// Adopt tells the counter which limits there are from now on.
func (d *Desk) Adopt(p *Program) { d.counter.Adopt(p) }

// Take books a call. It gives back a Booking that is to be closed, or what
// refused; both are nil where no limit speaks of the call. An error says that
// the counters could not be asked.
func (d *Desk) Take(ctx context.Context, p *Program, s Subject, now time.Time) (*Booking, *Refused, error) {
	b := d.bookings.get()
	b.charges = p.charge(b.charges[:0], &s)
	if len(b.charges) == 0 {
		d.bookings.pool.Put(b)
		return nil, nil, nil
	}
	refusal, err := d.counter.Take(ctx, now, b.charges)
	if err != nil || refusal != nil {
		out := b.explain(refusal)
		d.drop(b)
		return nil, out, err
	}
	return b, nil, nil
}

// Peek tells what a call would be booked for, and what would refuse it.
func (d *Desk) Peek(p *Program, s Subject, now time.Time) ([]durward.LimitState, *Refused) {
	b := &Booking{charges: p.charge(nil, &s)}
	refusal := d.counter.Peek(now, b.charges)
	return b.States(len(b.charges)), b.explain(refusal)
}

func (d *Desk) drop(b *Booking) {
	clear(b.charges)
	d.bookings.pool.Put(b)
}

// Close ends a booking. A call that was never made is given back whole;
// otherwise what it held is let go, and the bytes of its reply are counted.
func (d *Desk) Close(ctx context.Context, b *Booking, now time.Time, made bool, reply int64) error {
	changes := b.charges[:0]
	for _, c := range b.charges {
		switch {
		case c.Spec.says.Unit == durward.UnitConcurrency || !made:
			c.N = -c.N
		case c.Spec.says.Unit == durward.UnitBytes:
			c.N = reply
		default:
			continue
		}
		changes = append(changes, c)
	}
	var err error
	if len(changes) > 0 {
		err = d.counter.Book(ctx, now, changes)
	}
	d.drop(b)
	return err
}

// States is what is left of each counter, as it was when the call was booked,
// the tightest first. At most most of them.
func (b *Booking) States(most int) []durward.LimitState {
	out := make([]durward.LimitState, 0, min(len(b.charges), most))
	for i := range b.charges {
		out = insert(out, b.charges[i].state(), most)
	}
	return out
}

func insert(all []durward.LimitState, s durward.LimitState, most int) []durward.LimitState {
	at := len(all)
	for at > 0 && share(s) < share(all[at-1]) {
		at--
	}
	if at >= most {
		return all
	}
	if len(all) < most {
		all = append(all, s)
	}
	copy(all[at+1:], all[at:])
	all[at] = s
	return all
}

func share(s durward.LimitState) float64 { return float64(s.Left) / float64(max(s.Most, 1)) }

func (c *Charge) state() durward.LimitState { return c.Spec.state(c.left, c.reset) }

func (s *Spec) state(left int64, reset time.Duration) durward.LimitState {
	return durward.LimitState{Name: s.says.Name, Unit: s.says.Unit, Most: s.most, Left: left, Window: s.length(), Reset: reset}
}

// Refused says what refused a call.
type Refused struct {
	Limit  durward.Limit
	State  durward.LimitState
	Asked  int64         // what the call wanted of it
	Retry  time.Duration // 0: it wants more than there ever is
	NoRoom bool          // there are too many counters to begin another
}

func (b *Booking) explain(r *Refusal) *Refused {
	if r == nil {
		return nil
	}
	return &Refused{Limit: r.Charge.Spec.says, State: r.Charge.state(), Asked: r.Charge.N, Retry: r.Retry, NoRoom: r.Full}
}

// Seconds is how many whole seconds to wait.
func (r *Refused) Seconds() int64 { return int64(math.Ceil(r.Retry.Seconds())) }
