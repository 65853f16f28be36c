package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"durward"
)

func upstreamInspectCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "inspect NAME", Short: "Show the revision, sessions, counts and last error of an upstream", Args: args(1, 1),
		Example:           "  durward upstream inspect crm",
		ValidArgsFunction: first(a.completeUpstreams),
		RunE: func(c *cobra.Command, words []string) error {
			return a.operate(c.Context(), func(op operator) error {
				d, err := op.InspectUpstream(c.Context(), words[0])
				if err != nil {
					return err
				}
				if a.json() {
					return printJSON(a.out, d)
				}
				a.printDetail(d)
				if defs, err := op.Definitions(c.Context(), words[0]); err == nil {
					counts := map[string]int{}
					for _, def := range defs {
						counts[def.State]++
					}
					a.out.line("  %-14s %s; see durward diff %s", "definitions", inWords(counts), words[0])
				}
				return nil
			})
		},
	}
}

func (a *app) printDetail(d durward.UpstreamDetail) {
	s := d.Status
	a.out.line("%s is %s since %s", s.Name, s.State, s.Since.Format(time.RFC3339))
	fact := func(name, value string) {
		if value != "" {
			a.out.line("  %-14s %s", name, oneLine(value))
		}
	}
	fact("server", s.Server)
	fact("speaks", revisionOf(s))
	fact("offers", fmt.Sprintf("%s, %s, %s; changed %s, read %s", count(s.Tools, "tool"), count(s.Resources, "resource"), count(s.Prompts, "prompt"), count(int(d.Changes), "time"), ago(d.Read)))
	fact("capabilities", string(d.Capabilities))
	fact("calls", fmt.Sprintf("%d in flight", d.Calls))
	if d.Most > 0 {
		fact("pool", fmt.Sprintf("%d of at most %d open, sharing %s", len(d.Sessions), d.Most, d.Sharing))
	}
	if d.Watched > 0 {
		fact("watched", fmt.Sprintf("%d resources", d.Watched))
	}
	fact("dropped", fmt.Sprintf("%d late or foreign answers, %d that were no message, %d of no call, %d too fast",
		d.Dropped.Foreign, d.Dropped.Garbage, d.Dropped.Unattributed, d.Dropped.Overflow))
	for _, why := range s.LeftOut {
		fact("left out", why)
	}
	fact("error", s.Error)
	if s.Error == "" && d.LastError != "" {
		fact("last error", ago(d.LastErrorAt)+": "+d.LastError)
	}
	for _, b := range d.Breakers {
		text := fmt.Sprintf("%s, %d of %d calls failed", b.State, b.Failed, b.Calls)
		if b.State != durward.BreakerClosed {
			text = fmt.Sprintf("%s since %s", b.State, ago(b.Since))
		}
		if b.Tool != "" {
			text = b.Tool + ": " + text
		}
		fact("breaker", text)
	}
	if len(d.Sessions) == 0 {
		return
	}
	t := table{head: []string{"SESSION", "REVISION", "PID", "OPENED", "USED", "CALLS", "WAITING", "DECLARED"}}
	for _, v := range d.Sessions {
		calls := fmt.Sprint(v.Calls)
		if v.Single {
			calls += " (one at a time)"
		}
		t.add(v.For, firstOf(v.Revision, "-"), numberOr(v.PID, "-"), ago(v.Opened), ago(v.Used), calls, fmt.Sprint(v.Waiting), string(v.Declared))
	}
	t.print(a.out)
}

func revisionOf(s durward.UpstreamStatus) string {
	if s.Version == "" {
		return ""
	}
	return s.Version + " (" + s.Era + ") over " + s.Transport
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return time.Since(t).Round(time.Second).String() + " ago"
}

func numberOr(n int, otherwise string) string {
	if n == 0 {
		return otherwise
	}
	return fmt.Sprint(n)
}
