package upstream

import (
	"durward"
	"time"
)

// Request is one call for one upstream.
type Request struct {
	Upstream string
	Method   string
	Payload  *durward.Payload // params exactly as the agent sent them
	Name     string           // the upstream's own tool or prompt name to splice in; "" leaves params as they are
	URI      string           // the resource URI or template to splice in
	TaskID   string           // the upstream's own id of the task to splice in
	Client   durward.Client   // of the end client; never widened on the way
	Modern   bool             // the agent speaks 2026-07-28
	Revision string           // the agent's revision
	Agent    string           // who calls, part of the session's key
	Session  string           // the agent's session, part of the session's key
	Via      string           // the gateways that the call came through before this one
	Owner    string           // whose memory the reply may lie in; "" when it may be kept
	// ParamHeaders are the arguments that travel as headers too.
	ParamHeaders []durward.ParamHeader
	// Answers tells that the peer puts a server's requests to the client although
	// the client speaks the modern era and the server an older one. Only then
	// is the server told of what the client can do.
	Answers bool
	// AsTask tells that the caller wants the call to become a task and knows what
	// that is (MCP 2025-11-25).
	AsTask bool
	// NeedsTask tells that the upstream runs the call only as a task of that
	// revision. Who does not ask for one gets the result as of any other call.
	NeedsTask bool
	// Safe tells that the call may be sent again when its fate is unknown: the
	// tool says that it only reads. Methods that only read need no saying.
	Safe bool
}

// Listing is what one upstream offers, as it was last read. It never changes:
// a new reading is a new Listing.
type Listing struct {
	Upstream     string
	Modern       bool
	Revision     string
	Capabilities []byte // raw JSON ServerCapabilities; nil before the first reading
	ServerInfo   []byte
	Key          string // SHA-256 of the public key of its certificate; "" without TLS
	Instructions string
	Tools        [][]byte
	Resources    [][]byte
	Templates    [][]byte
	Prompts      [][]byte
	Varies       []Variation // what it shows otherwise to somebody
	Left         []string    // why items of the lists are not here, at most as many as are told of
	TTL          time.Duration
	Tried        time.Time // when a reading last ended, well or not; zero before the first
	Fetched      time.Time // zero before the first that succeeded
	Generation   uint64    // grows when what is offered changes
	Err          error     // why it could not be read (anew), a *durward.Error; what is here may be old. nil before the first attempt
}

// Variation is something that an upstream shows otherwise to somebody than in
// the session or process that its lists are read in.
type Variation struct {
	Kind string // as of pins: tool, prompt, resource, template, instructions
	Name string
	Who  string // was shown it: "agent NAME", "another client"
	Item []byte // the definition; the text of instructions
}
