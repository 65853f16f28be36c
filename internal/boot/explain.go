package boot

import (
	"context"
	"fmt"
	"time"

	"durward"
	"durward/internal/mcpwire"
)

// explain rehearses a call over the plan in force.
func (g *Gateway) explain(ctx context.Context, q durward.Question) (durward.Explanation, error) {
	c, err := rehearsed(q, time.Now())
	if err != nil {
		return durward.Explanation{}, err
	}
	return g.pipeline.Explain(ctx, c), nil
}

// rehearsed is the call that a question is about, as the edge would have made it.
func rehearsed(q durward.Question, now time.Time) (*durward.Call, error) {
	method := q.Method
	if method == "" {
		method = mcpwire.MethodToolsCall
	}
	what := "name"
	if method == mcpwire.MethodResourcesRead {
		what = "uri"
	}
	params := append([]byte(`{"`+what+`":`), mcpwire.Quote(q.Name)...)
	if q.Arguments != nil {
		if !mcpwire.IsObject(q.Arguments) {
			return nil, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The arguments are not a JSON object."}
		}
		params = append(append(params, `,"arguments":`...), q.Arguments...)
	}
	params = append(params, '}')
	if err := mcpwire.Value(params, mcpwire.Limits{}); err != nil {
		return nil, &durward.Error{Code: durward.BadRequest, Reason: durward.ReasonRequestInvalid, Message: "The arguments cannot be read: " + err.Error() + "."}
	}
	payload, err := mcpwire.ReadPayload(params)
	if err != nil {
		return nil, fmt.Errorf("make the call: %w", err)
	}
	return &durward.Call{
		ID: "why", Received: now, Method: method, Asked: q.Name, Input: payload, Endpoint: q.Endpoint, Local: q.Agent,
		Wire: durward.Wire{Lane: durward.LaneMCP, Transport: "why", Revision: mcpwire.NewestModern, Modern: true, Remote: q.Source},
	}, nil
}
