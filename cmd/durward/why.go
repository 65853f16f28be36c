package main

import (
	"context"
	"time"

	"durward"
	"durward/internal/boot"
)

// decision is what the record says about a call.
type decision struct{ durward.Record }

// isRefusal tells that somebody decided so, and not that something was down.
func (d decision) isRefusal() bool {
	return d.Verdict == durward.Deny.String() && d.Reason != durward.ReasonUpstreamUnavailable
}

// text is the reason with the rule that decided.
func (d decision) text() string {
	if d.Rule != "" {
		return string(d.Reason) + ", " + d.Rule
	}
	return string(d.Reason)
}

// refusal finds the call in the record of the data folder, for who may read
// it: the agent itself is told less. A call to another machine is not looked for.
func (a *app) refusal(ctx context.Context, f agentFlags, asked string, began time.Time) (decision, bool) {
	data, err := a.dataDir()
	if err != nil || f.url != "" || asked == "" {
		return decision{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	filter := boot.RecordFilter{Since: began.Add(-time.Millisecond), Method: "tools/call"}
	for range 10 { // it may still be on its way to the disk
		for entry, err := range boot.TailRecord(ctx, boot.RecordDir(data), 20, false, filter) {
			if err != nil {
				return decision{}, false
			}
			if r, err := entry.Record(); err == nil && r.Asked == asked && r.Reason != durward.ReasonNone {
				return decision{r}, true
			}
		}
		select {
		case <-ctx.Done():
			return decision{}, false
		case <-time.After(25 * time.Millisecond):
		}
	}
	return decision{}, false
}
