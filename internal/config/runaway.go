package config

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"durward"
)

// runaway is what can be said of agents that go in circles, for all and for one.
type runaway struct {
	Mode     word     `key:"mode" words:"off|record|tell|slow|hold|stop|quarantine" doc:"The strictest step that is taken. record tells the record alone, tell the model too, slow delays, hold asks a person, stop ends the session, quarantine stops the key until an operator releases it."`
	Window   duration `key:"window" doc:"The time in which calls are counted."`
	SameCall count    `key:"same_call" doc:"How often one call with the same arguments may come in it."`
	Errors   count    `key:"errors" doc:"How many calls in a row may fail."`
	PingPong count    `key:"ping_pong" doc:"How often two calls may take turns."`
	FanOut   count    `key:"fan_out" doc:"How many different tools may be called in the window."`
	Spend    count    `key:"spend" doc:"The cost of calls in the window, see limits.prices; not looked at when absent."`
	Novel    duration `key:"novel" doc:"After how long without it a tool that calls itself destructive is out of the blue."`
	Slow     duration `key:"slow" doc:"The longest that a call is delayed."`
}

// over is r with what it does not say taken from another.
func (r runaway) over(o runaway) durward.Runaway {
	return durward.Runaway{
		Mode: string(cmp.Or(r.Mode, o.Mode)), Window: time.Duration(cmp.Or(r.Window, o.Window)),
		SameCall: int(cmp.Or(r.SameCall, o.SameCall)), Errors: int(cmp.Or(r.Errors, o.Errors)), PingPong: int(cmp.Or(r.PingPong, o.PingPong)),
		FanOut: int(cmp.Or(r.FanOut, o.FanOut)), Spend: int64(cmp.Or(r.Spend, o.Spend)),
		Novel: time.Duration(cmp.Or(r.Novel, o.Novel)), Slow: time.Duration(cmp.Or(r.Slow, o.Slow)),
	}
}

// runaways gathers how agents are watched, with what each has of its own.
func (b *builder) runaways() {
	b.out.Runaway.All = b.in.Runaway.over(runaway{})
	for _, n := range slices.Sorted(maps.Keys(b.in.Agents)) {
		own := b.in.Agents[n].Runaway
		if own == (runaway{}) {
			continue
		}
		if b.out.Runaway.Agents == nil {
			b.out.Runaway.Agents = map[string]durward.Runaway{}
		}
		b.out.Runaway.Agents[n] = own.over(b.in.Runaway)
	}
}
