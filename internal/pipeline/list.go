package pipeline

import (
	"context"

	"durward"
	"durward/internal/catalog"
	"durward/internal/mcpwire"
)

// listKinds are the list methods and what they list.
var listKinds = map[string]durward.Kind{
	mcpwire.MethodToolsList:     durward.KindTool,
	mcpwire.MethodPromptsList:   durward.KindPrompt,
	mcpwire.MethodResourcesList: durward.KindResource,
	mcpwire.MethodTemplatesList: durward.KindTemplate,
}

// List answers one of the four lists with what the caller may use, merged over
// the upstreams. It is recorded as a read. The result is in the shape of the
// caller's revision and must not be changed: it is shared.
func (g *Gateway) List(ctx context.Context, c *durward.Call) (durward.Reply, error) {
	t := g.begin(c)
	reply, err := g.list(ctx, t)
	if err == nil {
		t.verdict = durward.Verdict{Effect: durward.Allow}
	}
	return g.end(ctx, t, reply, err)
}

func (g *Gateway) list(ctx context.Context, t *transit) (reply durward.Reply, err error) {
	defer g.rescue(t, &reply, &err)
	view, err := g.viewOf(ctx, t, all)
	if err != nil {
		return durward.Reply{}, err
	}
	kind, ok := listKinds[t.call.Method]
	if !ok {
		return durward.Reply{}, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The method " + t.call.Method + " lists nothing."}
	}
	var cursor *string
	if raw := t.call.Input.Cursor.Of(t.call.Input.Raw); raw != nil {
		text, _ := mcpwire.Text(raw)
		cursor = &text
	}
	w := t.call.Wire
	page, err := view.Page(kind, cursor, catalog.Encoding{Revision: w.Revision, Modern: w.Modern, Server: g.Server})
	return durward.Reply{Result: page, Modern: w.Modern}, err
}

// viewOf admits the caller and finds what it sees through the endpoint, once
// the upstreams that matter have settled.
func (g *Gateway) viewOf(ctx context.Context, t *transit, matters func(upstream string) bearing) (*catalog.View, error) {
	if err := g.identify(t); err != nil {
		return nil, err
	}
	if err := g.attach(t); err != nil {
		return nil, err
	}
	if err := t.stopped(); err != nil {
		return nil, err
	}
	g.settle(ctx, t, matters)
	view := t.plan.view(t.call.Agent, t.call.Endpoint)
	if view == nil {
		return nil, &durward.Error{Code: durward.NotFound, Reason: durward.ReasonEndpointUnknown, Message: "There is no endpoint /mcp/" + t.call.Endpoint + "."}
	}
	return view, nil
}

// Describe says what the endpoint offers to the caller (initialize and
// server/discover). Refusals are recorded, answers are not: they reach nothing.
func (g *Gateway) Describe(ctx context.Context, c *durward.Call) (durward.Description, error) {
	t := g.begin(c)
	view, err := g.viewOf(ctx, t, allowedFor)
	if err != nil {
		return durward.Description{}, g.refuse(ctx, t, err)
	}
	return view.Describe(catalog.Encoding{Revision: c.Wire.Revision, Modern: c.Wire.Modern}), nil
}

// Admit finds out who calls and, when the call names a session, that it is the
// caller's. Refusals are recorded.
func (g *Gateway) Admit(ctx context.Context, c *durward.Call) error {
	t := g.begin(c)
	if err := g.identify(t); err != nil {
		return g.refuse(ctx, t, err)
	}
	if err := g.attach(t); err != nil {
		return g.refuse(ctx, t, err)
	}
	return nil
}

// refuse records a refusal and returns it.
func (g *Gateway) refuse(ctx context.Context, t *transit, err error) error {
	_, err = g.end(ctx, t, durward.Reply{}, err)
	return err
}

// OpenSession starts a session of the admitted caller. The caller's agent, key
// and endpoint are put in; the rest is as given.
func (g *Gateway) OpenSession(ctx context.Context, c *durward.Call, s durward.Session) (*durward.Session, error) {
	s.Agent, s.KeyID, s.Endpoint = c.Agent.Name, c.KeyID, c.Endpoint
	opened, err := g.Sessions.Open(s, g.Now())
	if err != nil {
		return nil, g.refuse(ctx, g.begin(c), err)
	}
	return opened, nil
}

// CloseSession ends the admitted caller's session.
func (g *Gateway) CloseSession(_ context.Context, c *durward.Call) error {
	if err := g.Sessions.Close(c.SessionID, c.Agent.Name); err != nil {
		return err
	}
	if c.Session != nil {
		g.sessionClosed(c.Session)
	}
	return nil
}

// Refused records a request that the edge refused for what it looked like.
func (g *Gateway) Refused(ctx context.Context, c *durward.Call, e *durward.Error) {
	_ = g.refuse(ctx, g.begin(c), e) // the caller hears e in any case
}
