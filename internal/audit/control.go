package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"time"

	"durward"
)

// The methods of records about the record itself.
const (
	MethodRotate      = "audit/key.rotate"
	MethodErase       = "audit/erase"
	MethodHoldAdd     = "audit/hold.add"
	MethodHoldRelease = "audit/hold.release"
	MethodDrop        = "audit/retention.drop"
	MethodExpire      = "audit/retention.expire"
)

// Note puts a record into the log that is about the record itself: what an
// operator did to it, or time. It is durable when Note returns.
func (l *Log) Note(ctx context.Context, by, method string, details any) error {
	args, err := json.Marshal(details)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	return l.Append(ctx, &durward.Record{
		Time: now, ID: "audit_" + rand.Text(), Lane: durward.LaneControl, User: by, Method: method, Args: args,
		Verdict: durward.Allow.String(), Outcome: durward.OutcomeOK,
	}, Durable)
}
