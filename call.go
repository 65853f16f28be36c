package durward

import (
	"context"
	"time"
)

// Lane is the kind of traffic: agents over MCP or applications over HTTP.
type Lane string

// The two lanes, and what is done to the record itself.
const (
	LaneMCP     Lane = "mcp"
	LaneHTTP    Lane = "http"
	LaneControl Lane = "control"
)

// Wire tells how a call reached us.
type Wire struct {
	Lane      Lane
	Transport string // "http" (Streamable HTTP), "sse" (HTTP+SSE), "stdio"
	Revision  string // MCP protocol revision spoken with the agent, e.g. "2025-11-25"
	Modern    bool   // Revision is 2026-07-28 or later
	Remote    string // address of the peer, for the record
}

// Client is what the end client said of itself. Capabilities are a promise
// about the end client and are never widened on the way upstream.
type Client struct {
	Capabilities []byte // raw JSON object; nil when nothing was declared
	Info         []byte // raw JSON Implementation; nil when absent
	LogLevel     string // least level of log messages wanted; "" wants none (modern) or all (legacy)
}

// Call is one request for one operation; the same shape for every protocol.
// Each field has one writer, named in its comment. A Call is used by one
// goroutine at a time.
type Call struct {
	ID         string     // edge; also the record's id
	Wire       Wire       // edge
	Credential Credential // edge
	Received   time.Time  // edge
	Endpoint   string     // edge: the upstream of /mcp/{name}, "" for /mcp
	SessionID  string     // edge: Mcp-Session-Id as sent, "" without
	Method     string     // edge: "tools/call", "resources/read", ...
	Asked      string     // edge: the name or URI as the agent wrote it
	Input      Payload    // edge
	Client     Client     // edge (modern), session (legacy)
	// Local names the agent when the operating system vouches for the caller
	// (stdio, our own socket); edge. Admit then takes this name instead of a
	// credential. What came over a network never sets it.
	Local string
	// Once is the Idempotency-Key header; edge.
	Once string
	// Left tells whether the caller's connection is gone, where ctx does not
	// say so; nil means that ctx does. Edge.
	Left func() bool
	// Lost is set by the pipeline where it wants to know that an answer could
	// not be delivered; the edge calls it then.
	Lost func()
	// Params are the Mcp-Param-* headers as sent (MCP 2026-07-28 over HTTP); edge.
	// They must agree with Input, which is checked once Target is known.
	Params []ParamValue
	// Via are the gateways that the call came through before it reached us, as
	// the Durward-Via header has them; "" for none. The edge writes it and the
	// upstream side passes it on, so that a circle of gateways is found out.
	Via string
	// Findings are what the edge overlooked of a tolerated agent; edge.
	Findings []Finding
	Agent    *Agent     // identity
	KeyID    string     // identity
	User     string     // identity: the person for whom the agent acts; "" when it said nobody
	Session  *Session   // session; nil on the stateless revision
	Target   *Operation // catalog; fixed from then on
}

// ParamValue is one Mcp-Param-* header as it was sent, undecoded.
type ParamValue struct{ Header, Value string } // Header is the part after Mcp-Param-, in canonical case

// Payload is the params object of a request: its exact bytes, and where in
// them the values of the routed fields lie. It was scanned strictly: valid
// UTF-8 and JSON, no duplicate keys, bounded depth.
type Payload struct {
	Raw            []byte // the whole object, "{...}"; nil when the request had no params
	Name           Span
	URI            Span
	Ref            Span // completion/complete
	Arguments      Span
	Meta           Span // _meta
	Cursor         Span
	InputResponses Span
	RequestState   Span
	Task           Span // augments a request to a task (MCP 2025-11-25)
	TaskID         Span // tasks/get and the like
}

// Span is a half-open range of bytes; the zero Span means that the field is absent.
type Span struct{ Start, End int }

// Of returns the bytes of the span in raw; nil when it is absent.
func (s Span) Of(raw []byte) []byte {
	if s.End == 0 {
		return nil
	}
	return raw[s.Start:s.End]
}

// Present reports whether the field was there.
func (s Span) Present() bool { return s.End != 0 }

// Peer is the caller's side of a call while it runs. Implementations are safe
// for concurrent use and drop what arrives after the call has ended.
type Peer interface {
	// Notify passes on a notification that belongs to the call, such as
	// progress or a log message. params is a raw JSON object.
	Notify(method string, params []byte)
	// Ask passes on a request of the server (elicitation, sampling, roots) and
	// waits for the caller's answer, a raw JSON result. A refusal by the caller
	// is an *RPCError; a caller that cannot be asked is [ErrCannotAsk].
	Ask(ctx context.Context, method string, params []byte) (result []byte, err error)
}

// Reply is the final answer to a call: a raw JSON result or an error object,
// never both.
type Reply struct {
	Result []byte    // raw JSON object
	Error  *RPCError // what the upstream answered, or what we answer in its place
	// Modern tells that Result is in the shape of 2026-07-28 (has resultType);
	// the edge converts when the agent speaks another era.
	Modern bool
	// Retry is when to try again, of a result that is a refusal; Limits is what
	// is left of those that the call counted in. The edge tells both in headers.
	Retry  time.Duration
	Limits []LimitState
	// Spent, where there is one, gives back the memory that Result lies in, and
	// tells that of what the call was read from nothing is in use below. Who
	// sent the reply, and is sure that nobody refers to either, calls it; who
	// keeps the reply, or a part of it, drops it.
	Spent func()
}
