package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"durward"
	"durward/internal/admin"
	"durward/internal/boot"
)

// plan chooses the two calls to make: one of the example's where it is there,
// else of what the servers offer. The denied one is chosen among the tools
// that exist; which of them the agent may call, the gateway decides.
func (s *upState) plan(offers map[string]admin.UpstreamTest) {
	for _, u := range s.report.Upstreams {
		if u.own && u.Error == "" {
			s.report.Allowed = upCall{Tool: u.Name + "__notes_search", Args: map[string]any{"query": "gateway"}}
			s.report.Denied = upCall{Tool: boot.ExampleBait(), Args: map[string]any{}}
			return
		}
	}
	for _, u := range s.report.Upstreams {
		for _, raw := range offers[u.Name].Tools {
			t := readTool(raw)
			switch name := durward.PublicName(u.Name, t.Name); {
			case t.Annotations.ReadOnly && len(readSchema(t.InputSchema).Required) == 0 && s.report.Allowed.Tool == "":
				s.report.Allowed = upCall{Tool: name, Args: map[string]any{}}
			case !t.Annotations.ReadOnly && s.report.Denied.Tool == "":
				s.report.Denied = upCall{Tool: name, Args: map[string]any{}}
			}
		}
	}
}

// calls makes both calls through the gateway's own listener, as the agent.
func (s *upState) calls(ctx context.Context, run admin.Run) error {
	c := newClient(endpoint(run), s.report.key)
	began := time.Now()
	seen, err := s.visible(ctx, c)
	if err != nil {
		return s.callFailed(ctx, agentFlags{}, err, "", s.began)
	}
	s.mayNothing = len(seen) == 0
	if !slices.Contains(seen, s.report.Allowed.Tool) { // nothing is safe to call unasked: the list is the first call
		s.report.Allowed = upCall{Heard: count(len(seen), "tool"), MS: float64(time.Since(began).Microseconds()) / 1000}
	} else if err := s.make(ctx, c, &s.report.Allowed); err != nil {
		return s.callFailed(ctx, agentFlags{}, err, s.report.Allowed.Tool, s.began)
	}
	if s.report.Denied.Tool == "" || slices.Contains(seen, s.report.Denied.Tool) {
		s.report.Denied = upCall{Tool: "no_such__tool", Args: map[string]any{}}
	}
	return s.beRefused(ctx, c)
}

// visible lists the tools that the agent sees, once the one that is to be
// called has arrived in the catalogue.
func (s *upState) visible(ctx context.Context, c *client) ([]string, error) {
	for deadline := time.Now().Add(1500 * time.Millisecond); ; {
		all, err := c.tools(ctx)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, t := range all {
			names = append(names, t.Name)
		}
		want := s.report.Allowed.Tool
		if want == "" || !s.allows || slices.Contains(names, want) || time.Now().After(deadline) {
			return names, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// make does one call and notes what the agent heard.
func (s *upState) make(ctx context.Context, c *client, call *upCall) error {
	began := time.Now()
	raw, err := c.do(ctx, request{method: "tools/call", name: call.Tool, params: map[string]any{"name": call.Tool, "arguments": call.Args}})
	call.MS = float64(time.Since(began).Microseconds()) / 1000
	if err != nil {
		return err
	}
	r, err := readResult(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", call.Tool, err)
	}
	for _, part := range r.Content {
		line, _, _ := strings.Cut(part.describe(), "\n")
		call.Heard = cut(oneLine(line), 100)
		break
	}
	return nil
}

// beRefused makes the call that must not come through.
func (s *upState) beRefused(ctx context.Context, c *client) error {
	began := time.Now()
	d := &s.report.Denied
	err := s.make(ctx, c, d)
	var rpc *rpcError
	switch {
	case err == nil:
		return fmt.Errorf("%s should have been refused and was not; please report this", d.Tool)
	case !errors.As(err, &rpc) || !strings.HasPrefix(rpc.Message, "Unknown tool"):
		return err
	}
	d.Refused, d.Heard = true, rpc.Message
	if why, ok := s.refusal(ctx, agentFlags{}, d.Tool, began); ok {
		d.Reason = why.text()
	}
	return nil
}
