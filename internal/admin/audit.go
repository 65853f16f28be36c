package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"durward"
)

// AuditVerb does something to the record: in and out are the verb's own.
type AuditVerb func(ctx context.Context, by durward.Actor, verb string, in json.RawMessage) (any, error)

func (a *api) audit(r *request) (answer, error) {
	if a.Audit == nil {
		return problemOf(http.StatusNotFound, "This gateway keeps no record.", ""), nil
	}
	in, err := decodeOptional[json.RawMessage](r)
	if err != nil {
		return answer{}, err
	}
	if !r.by.Operator {
		return answer{}, &durward.Error{Code: durward.Forbidden, Reason: durward.ReasonNotAllowed, Message: "Only operators may touch the record."}
	}
	out, err := a.Audit(r.Context(), r.by, r.PathValue("verb"), in)
	if err != nil {
		return answer{}, err
	}
	return reply(http.StatusOK, out)
}

// Audit does something to the record of the gateway.
func (c *Client) Audit(ctx context.Context, verb string, in, out any) error {
	body, err := c.do(ctx, "POST", "audit/"+verb, in)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("the gateway's answer to audit %s: %w", verb, err)
	}
	return nil
}
