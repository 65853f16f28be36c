package boot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"durward"
	"durward/internal/admin"
	"durward/internal/audit"
	"durward/internal/control"
	"durward/internal/limit"
)

// count makes the counters of the limits, with what an earlier run has left.
func (g *Gateway) count(ctx context.Context) error {
	g.counters = limit.NewMemory(limit.Options{})
	if err := g.counters.Restore(ctx, g.store, time.Now()); err != nil {
		return err
	}
	g.onStop(func(ctx context.Context) error { return g.counters.Save(ctx, g.store, time.Now()) })
	return nil
}

// saveCounters follows what is counted until ctx ends.
func (g *Gateway) saveCounters(ctx context.Context) error {
	return g.counters.Run(ctx, g.store, func(err error) { g.opts.Log.Error("use of limits could not be saved", "err", err) })
}

func (g *Gateway) limits() []admin.LimitUse {
	out := []admin.LimitUse{}
	for _, u := range g.counters.All(time.Now()) {
		out = append(out, admin.LimitUseOf(u.Limit, u.LimitState))
	}
	return out
}

// resetLimit leaves a record of who forgave what.
func (g *Gateway) resetLimit(ctx context.Context, by durward.Actor, name, of string) (int, error) {
	if !g.counters.Known(name) {
		return 0, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonNotFound, Message: fmt.Sprintf("Nothing is counted for a limit %q; durward limits lists what is.", name)}
	}
	what := "limit " + name
	if of != "" {
		what += " of " + of
	}
	if err := g.note(ctx, by.Name, "operator/limits.reset", what, ""); err != nil {
		return 0, err
	}
	return g.counters.Reset(name, of), nil
}

// note leaves a record of what an operator did.
func (g *Gateway) note(ctx context.Context, by, method, what, why string) error {
	return noteIn(ctx, g.records, &durward.Record{User: by, Method: method, Asked: what, Rule: why, Revision: g.pipeline.Revision()})
}

// noteOffline is the same while no gateway runs.
func noteOffline(data string) func(ctx context.Context, by, method, what, why string) error {
	return func(ctx context.Context, by, method, what, why string) error {
		log, err := audit.Open(RecordDir(data), audit.Options{})
		if err != nil {
			return fmt.Errorf("open the record: %w", err)
		}
		err = noteIn(ctx, log, &durward.Record{User: by, Method: method, Asked: what, Rule: why})
		return errors.Join(err, log.Close(ctx))
	}
}

func noteIn(ctx context.Context, log *audit.Log, r *durward.Record) error {
	r.Time, r.ID, r.Lane, r.Transport = time.Now(), admin.EventID(), durward.LaneMCP, "admin"
	r.Verdict, r.Outcome = durward.Allow.String(), durward.OutcomeOK
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := log.Append(ctx, r, audit.Durable); err != nil {
		return &durward.Error{Code: durward.Unavailable, Reason: durward.ReasonRecordUnavailable, Message: "This cannot be recorded at the moment, and is therefore not done.", Err: err}
	}
	return nil
}

// stop makes a stop of the gateway's own one that holds until it is released.
func (g *Gateway) stop(ctx context.Context, h durward.Halt) error {
	_, err := g.control.Kill(ctx, durward.Actor{Name: "gateway", Operator: true}, control.Kill{Kind: h.Kind, Name: h.Name, Cause: h.Cause, Reason: h.Reason})
	return err
}
