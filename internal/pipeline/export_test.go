package pipeline

import (
	"context"

	"durward"
)

// Decide runs the steps that decide about a call, and none that act: what the
// allocation budget of the hot path speaks of.
func (g *Gateway) Decide(c *durward.Call) error {
	t := transit{plan: g.plan.Load(), call: c}
	if err := g.identify(&t); err != nil {
		return err
	}
	if err := g.attach(&t); err != nil {
		return err
	}
	if err := g.resolve(&t); err != nil {
		return err
	}
	if err := t.permit(); err != nil {
		return err
	}
	return t.agree()
}

// Probe is called at the beginning of each step of a call, in fault tests.
func (g *Gateway) Probe(f func(step string)) { g.probe = f }

// Govern is Decide with what limits, stops and the watch for runaways add.
func (g *Gateway) Govern(ctx context.Context, c *durward.Call) error {
	t := transit{plan: g.plan.Load(), call: c}
	if err := g.identify(&t); err != nil {
		return err
	}
	if _, err := t.halted(); err != nil {
		return err
	}
	if err := g.shed(&t); err != nil {
		return err
	}
	if err := g.resolve(&t); err != nil {
		return err
	}
	if err := t.permit(); err != nil {
		return err
	}
	if _, err := g.take(ctx, &t); err != nil {
		return err
	}
	if _, err := g.pace(ctx, &t); err != nil {
		return err
	}
	if t.booking != nil {
		err := g.desk.Close(ctx, t.booking, g.Now(), true, 100)
		t.booking = nil
		return err
	}
	return nil
}
