package edge

import (
	"durward"
	"math"
	"net/http"
	"strconv"
	"time"
)

// answer is a row of the table: how a kind of error is told.
type answer struct {
	http int // status of a request that is refused as such
	mcp  int // status of an answer to an MCP request that was admitted
	rpc  int // code of the JSON-RPC error object
}

// answerTo is the table. An admitted MCP request is answered inside JSON-RPC
// with 200 where its client can go on, because clients treat other statuses as
// a broken connection. Codes of our own lie outside the range that JSON-RPC
// reserves, as MCP 2026-07-28 asks, and equal the HTTP status.
func answerTo(c durward.Code) answer {
	switch c {
	case durward.BadRequest:
		return answer{http.StatusBadRequest, http.StatusOK, -32602}
	case durward.Unauthenticated:
		return answer{http.StatusUnauthorized, http.StatusUnauthorized, http.StatusUnauthorized}
	case durward.Forbidden:
		return answer{http.StatusForbidden, http.StatusForbidden, http.StatusForbidden}
	case durward.NotFound: // of an operation; of an endpoint see below
		return answer{http.StatusNotFound, http.StatusOK, -32602}
	case durward.SessionGone:
		return answer{http.StatusNotFound, http.StatusNotFound, http.StatusNotFound}
	case durward.TooLarge:
		return answer{http.StatusRequestEntityTooLarge, http.StatusOK, -32600}
	case durward.Overloaded:
		return answer{http.StatusServiceUnavailable, http.StatusServiceUnavailable, http.StatusServiceUnavailable}
	case durward.Unavailable:
		return answer{http.StatusServiceUnavailable, http.StatusOK, -32603}
	case durward.Timeout:
		return answer{http.StatusGatewayTimeout, http.StatusOK, -32603}
	case durward.Cancelled:
		return answer{statusClientClosed, http.StatusOK, -32603}
	case durward.Conflict:
		return answer{http.StatusConflict, http.StatusOK, -32603}
	case durward.HeaderMismatch:
		return answer{http.StatusBadRequest, http.StatusBadRequest, -32020}
	case durward.LoopDetected:
		return answer{http.StatusLoopDetected, http.StatusLoopDetected, http.StatusLoopDetected}
	case durward.Limited: // the client goes on, and its model hears when
		return answer{http.StatusTooManyRequests, http.StatusOK, http.StatusTooManyRequests}
	case durward.Stopped:
		return answer{http.StatusForbidden, http.StatusOK, http.StatusForbidden}
	case durward.Internal:
	}
	return answer{http.StatusInternalServerError, http.StatusOK, -32603}
}

// statusClientClosed is nginx's word for a client that gave up.
const statusClientClosed = 499

func rowOf(e *durward.Error) answer {
	if e.Reason == durward.ReasonEndpointUnknown {
		return answer{http.StatusNotFound, http.StatusNotFound, http.StatusNotFound}
	}
	return answerTo(e.Code)
}

// Status is the HTTP status of a request that is refused with e.
func Status(e *durward.Error) int { return rowOf(e).http }

// MCPStatus is the HTTP status under which e answers an admitted MCP request.
func MCPStatus(e *durward.Error) int { return rowOf(e).mcp }

// RPC is e as a JSON-RPC error, with its stable reason as data, and the id of
// the call, by which an operator finds out more.
func RPC(e *durward.Error) *durward.RPCError {
	r := &durward.RPCError{Code: rowOf(e).rpc, Message: e.Message}
	if e.Reason == durward.ReasonNone {
		return r
	}
	r.Data = append([]byte(`{"reason":`), strconv.Quote(string(e.Reason))...) // reasons and ids are plain words
	if e.Call != "" {
		r.Data = append(append(r.Data, `,"call":`...), strconv.Quote(e.Call)...)
	}
	if e.Retry > 0 {
		r.Data = strconv.AppendInt(append(r.Data, `,"retryAfterMs":`...), e.Retry.Milliseconds(), 10)
	}
	r.Data = append(r.Data, '}')
	return r
}

// RetryAfter is e's Retry as the header of that name; "" when there is none.
func RetryAfter(e *durward.Error) string { return inSeconds(e.Retry) }

func inSeconds(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

// Challenge is the WWW-Authenticate header that goes with a 401.
func Challenge(presented durward.Credential) string {
	if presented.IsZero() {
		return `Bearer realm="durward"`
	}
	return `Bearer realm="durward", error="invalid_token"`
}
