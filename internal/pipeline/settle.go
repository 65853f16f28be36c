package pipeline

import (
	"context"
	"errors"
	"strings"
	"time"

	"durward"
	"durward/internal/upstream"
)

// How long after an upstream was declared callers wait for the first reading
// of what it offers. Clients list once, at their own start, and not all hear of
// changes. Afterwards nobody waits: an upstream that is slower than this, or
// does not answer at all, delays nothing.
const (
	// settling is for what is about it alone: a name with its prefix, or anything
	// where no other upstream stands behind the endpoint, for the caller.
	settling = 5 * time.Second
	// grace is for what others can answer without it: merged lists, bare names.
	// Interpreters have to start, packages may have to be fetched, and a busy
	// machine is slow. A client over stdio waits as long as settling: it has
	// mostly just started the gateway, so that every server is starting, and
	// many such clients read the lists once and do not hear of changes.
	grace = 3 * time.Second
	// glance is for introductions, which promise what those that were not read
	// may have, and for streams of changes, which will tell.
	glance = 500 * time.Millisecond
)

// settle waits while upstreams matter that were not read yet, and leaves the
// plan of that moment in t.
func (g *Gateway) settle(ctx context.Context, t *transit, matters func(upstream string) bearing) {
	for g.awaitNews(ctx, t, matters) && g.identify(t) == nil { // where that fails, whoever looks next says why
	}
}

// awaitNews waits for another plan while upstreams matter that were not read
// yet, leaves it in t, and reports whether there is one.
func (g *Gateway) awaitNews(ctx context.Context, t *transit, matters func(upstream string) bearing) bool {
	until, pending := t.pending(g.Now(), matters)
	if !pending || !g.await(ctx, t.plan, until) {
		return false
	}
	t.plan = g.plan.Load()
	return true
}

// await waits until the plan is not the newest any more.
func (g *Gateway) await(ctx context.Context, p *Plan, until time.Time) bool {
	timer := time.NewTimer(until.Sub(g.Now()))
	defer timer.Stop()
	select {
	case <-p.replaced:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// bearing is what an upstream has to do with what is asked.
type bearing uint8

const (
	none bearing = iota
	more         // it may add something, which the answer allows for
	some         // it may have a share in the answer
	only         // nobody else can answer
)

// pending finds an upstream that matters, that the caller may reach through
// its endpoint, and for which it is still worth waiting.
func (t *transit) pending(now time.Time, matters func(string) bearing) (until time.Time, ok bool) {
	others := len(t.plan.unread) > 0 && t.othersRead()
	for name, at := range t.plan.unread {
		about := matters(name)
		if about == none || !t.reaches(name) {
			continue
		}
		end := at.Add(settling)
		switch {
		case !others || about == only || t.call.Wire.Transport == "stdio":
		case about == more:
			end = at.Add(glance)
		default:
			end = at.Add(grace)
		}
		if now.Before(end) && end.After(until) {
			until, ok = end, true
		}
	}
	return until, ok
}

// othersRead reports whether the caller reaches an upstream through its
// endpoint that was read, or tried.
func (t *transit) othersRead() bool {
	for name, up := range t.plan.upstreams {
		if _, unread := t.plan.unread[name]; !unread && !up.Disabled && t.reaches(name) {
			return true
		}
	}
	return false
}

func (t *transit) reaches(upstream string) bool {
	c := t.call
	return (c.Endpoint == "" || c.Endpoint == upstream) && t.plan.policy.Reaches(c.Agent.Roles, upstream)
}

func all(string) bearing { return some }

func allowedFor(string) bearing { return more }

// meant tells which upstreams a name that nobody knows may belong to: the one
// whose prefix it has, else any.
func (t *transit) meant(upstream string) bearing {
	for name := range t.plan.upstreams {
		if !strings.HasPrefix(t.call.Asked, name+"__") {
			continue
		}
		if name == upstream {
			return only
		}
		return none
	}
	return some
}

// tooSoon reports whether a call was refused only because what it names was
// not read yet; it has then waited until something was read, and the call may be
// looked at afresh.
func (g *Gateway) tooSoon(ctx context.Context, t *transit, err error) bool {
	var e *durward.Error
	if !errors.As(err, &e) || len(t.plan.unread) == 0 || t.asked {
		return false
	}
	if e.Reason != durward.ReasonOperationUnknown && e.Reason != durward.ReasonUpstreamUnavailable {
		return false
	}
	return g.awaitNews(ctx, t, t.meant)
}

// put makes a plan the one in force. The caller holds mu, or is alone.
func (g *Gateway) put(p *Plan) {
	if old := g.plan.Swap(p); old != nil {
		close(old.replaced)
	}
	p.guard.Forget()
	g.schemas.Forget() // of the operations before; else they would keep whole lists alive
}

// unread are the enabled upstreams of a plan that were never read, neither
// with success nor in vain, and since when they are declared. The
// caller holds mu.
func (g *Gateway) unread(p *Plan, listings []*upstream.Listing) map[string]time.Time {
	waiting := make(map[string]time.Time)
	for name, up := range p.upstreams {
		if !up.Disabled {
			waiting[name] = g.declaredAt(name)
		}
	}
	for name := range g.declared {
		if p.upstreams[name] == nil {
			delete(g.declared, name)
		}
	}
	for _, l := range listings {
		if !l.Tried.IsZero() {
			delete(waiting, l.Upstream)
		}
	}
	return waiting
}

func (g *Gateway) declaredAt(upstream string) time.Time {
	at, ok := g.declared[upstream]
	if !ok {
		at = g.Now()
		g.declared[upstream] = at
	}
	return at
}
