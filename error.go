package durward

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code is the kind of an [Error]; one table in edge turns it into statuses.
// The zero Code is Internal, so that a forgotten code never looks like success.
type Code uint8

// The codes.
const (
	Internal Code = iota
	BadRequest
	Unauthenticated
	Forbidden
	NotFound    // endpoint or operation
	SessionGone // legacy session unknown, ended, or somebody else's
	TooLarge
	Overloaded
	Unavailable // upstream or record cannot be reached
	Timeout
	Cancelled
	Conflict       // the state moved on, or the name is taken
	HeaderMismatch // a header of an MCP request disagrees with its body (MCP 2026-07-28, -32020)
	LoopDetected   // the request came through this gateway before
	Limited        // a limit is used up for now
	Stopped        // an operator, or the gateway, stopped the caller
)

// Error is all that an edge ever shows; anything else becomes Internal.
// Message is a safe sentence for the agent that says what to do; Err is for
// operators only and never leaves the process.
type Error struct {
	Code    Code
	Reason  Reason
	Message string
	// Retry is when trying again makes sense; zero says nothing about it.
	Retry time.Duration
	// Call is the id of the refused call: its record's, and what `durward why`
	// explains.
	Call string
	// Limits is what is left of the limits that the call counts in.
	Limits []LimitState
	Err    error
}

// Error implements error, for operators: it includes the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", strings.TrimSuffix(e.Message, "."), e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns err as an *Error; anything foreign becomes Internal with a
// sentence that reveals nothing.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Reason: ReasonInternal, Message: "The gateway failed to handle the request; its log says why.", Err: err}
}

// RPCError is a JSON-RPC error object as it travels.
type RPCError struct {
	Code    int
	Message string
	Data    []byte // raw JSON; nil when absent
	// Raw is the whole error object as received, when it came from a peer; it
	// is passed on byte for byte when set.
	Raw []byte
}

// Error implements error.
func (e *RPCError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// ErrStale says that a change was based on a revision that is no longer the
// newest; read the state again and decide again.
var ErrStale = errors.New("the state has changed in the meantime")

// ErrCannotAsk says that the caller cannot answer a server's request: it never
// declared the capability, or its era has no way to be asked.
var ErrCannotAsk = errors.New("the caller cannot be asked")
