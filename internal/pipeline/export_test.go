package pipeline

import "durward"

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
