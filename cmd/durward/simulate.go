package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"durward"
	"durward/internal/boot"
	"durward/internal/config"
)

func simulateCommand(a *app) *cobra.Command {
	var (
		r         recordFlags
		candidate string
	)
	c := &cobra.Command{
		Use: "simulate --candidate FILE", Short: "Show what a configuration would change about recorded calls", GroupID: groupGovern, Args: args(0, 0),
		Long: "Decides again about the calls in the record, as a gateway with the candidate configuration (and its lock file and\n" +
			"guard settings) would, with the code that serves calls, and shows what would come out otherwise: by agent, tool\n" +
			"and rule. Nothing is called. Agents and roles of the database are taken along, and definitions of the gateway that\n" +
			"runs. Where the record has no arguments but their digest, what hangs on them is counted as unsure; refusals by\n" +
			"limits, credentials, people or upstreams are not replayed.\n\n" +
			"Exit code 3 when something would change.",
		Example: "  durward simulate --candidate durward.next.yaml --since 24h",
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := r.filter(time.Now())
			if err != nil {
				return err
			}
			return a.simulate(c.Context(), candidate, f)
		},
	}
	r.add(c, a)
	c.Flags().StringVar(&candidate, "candidate", "", "the configuration to try (default: the one in use, -c)")
	return c
}

func (a *app) simulate(ctx context.Context, candidate string, f boot.RecordFilter) error {
	dir, err := a.recordDir()
	if err != nil {
		return err
	}
	cfg, err := a.settings(listenFlags{})
	if candidate != "" {
		cfg, err = config.Load(candidate, a.configOptions(listenFlags{}))
	}
	if err != nil {
		return err
	}
	o := boot.SimulateOptions{Filter: f, State: &durward.State{}, Definitions: map[string][]durward.Definition{}}
	err = a.operate(ctx, func(op operator) error { return surroundings(ctx, op, cfg, &o) })
	if err != nil {
		return err
	}
	s, err := boot.Simulate(ctx, cfg, dir, o)
	if err != nil {
		return err
	}
	return a.printSimulation(s)
}

// surroundings are what decides beside the file: what the database has, and
// what upstreams define, when a gateway runs that has read it.
func surroundings(ctx context.Context, op operator, cfg *config.Config, o *boot.SimulateOptions) error {
	agents, err := op.Agents(ctx)
	if err != nil {
		return err
	}
	for _, v := range agents {
		if v.Origin == durward.FromStore {
			o.State.Agents = append(o.State.Agents, v.Agent)
		}
	}
	roles, err := op.Roles(ctx)
	if err != nil {
		return err
	}
	for _, v := range roles {
		if v.Origin == durward.FromStore {
			o.State.Roles = append(o.State.Roles, v.Role)
		}
	}
	ups, err := op.Upstreams(ctx)
	if err != nil {
		return err
	}
	for _, u := range ups {
		if u.Origin == durward.FromStore {
			o.State.Upstreams = append(o.State.Upstreams, u.Upstream)
		}
		if all, err := op.FullDefinitions(ctx, u.Name); err == nil { // else they are guessed, and that is said
			o.Definitions[u.Name] = all
		}
	}
	return nil
}

func (a *app) printSimulation(s *boot.Simulation) error {
	if a.json() {
		if err := printJSON(a.out, s); err != nil {
			return err
		}
	} else {
		a.simulationText(s)
	}
	if s.Changed > 0 {
		return said{exitRefused}
	}
	return nil
}

func (a *app) simulationText(s *boot.Simulation) {
	if len(s.Changes) > 0 {
		t := table{head: []string{"CALLS", "AGENT", "TOOL", "WAS", "WOULD", "BY", "LAST"}}
		for _, c := range s.Changes {
			t.add(fmt.Sprint(c.Calls), c.Agent, c.Tool, c.Was, c.Would, firstOf(c.Rule, string(c.Reason)), c.Example)
		}
		t.print(a.out)
	}
	a.out.line("%d calls decided again: %d as before, %d would change, %d unsure for want of arguments; %d not replayed.", s.Calls, s.Same, s.Changed, s.Unsure, s.Skipped)
	if len(s.Guessed) > 0 {
		a.out.line("Definitions of %s are not at hand: annotations and schemas of their tools are guessed, pins left out.", clean(strings.Join(s.Guessed, ", ")))
	}
}
