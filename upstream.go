package durward

import (
	"encoding/json"
	"time"
)

// Upstream is a server behind us, as declared. Exactly one of Command and URL is set.
type Upstream struct {
	// Name is the operator's alias, the prefix of public names:
	// [A-Za-z0-9][A-Za-z0-9_-]{0,31} without "__".
	Name string `json:"name"`

	// Command, Args, Env and Dir describe a stdio server. Env is added to a
	// small inherited environment; the gateway's own secrets never are.
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Dir     string            `json:"dir,omitempty"`

	// URL and Headers describe an HTTP server.
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// OAuth is how the gateway signs in there when the server asks for it; nil
	// registers the gateway as a client by itself.
	OAuth *OAuth `json:"oauth,omitempty"`

	// Transport pins the transport: "" (derive), "stdio", "http" or "sse".
	Transport string `json:"transport,omitempty"`
	// Era pins the protocol era: "" or "auto" (probe), "legacy" or "modern".
	Era string `json:"era,omitempty"`
	// Prefix is "" or "always" (names are listed as <upstream>__<name>), or "none".
	Prefix string `json:"prefix,omitempty"`
	// Sharing tells who shares an upstream session: "" or "auto", "shared",
	// "principal", "session" (PROTOCOL.md c.8).
	Sharing string `json:"sharing,omitempty"`
	// Timeout bounds one call; progress does not extend it. Zero means the default of 5 minutes.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Connect bounds opening a session or process, FirstByte how long the server
	// may be silent about a call; zero means a minute, and as long as Timeout.
	Connect   time.Duration `json:"connect,omitempty"`
	FirstByte time.Duration `json:"first_byte,omitempty"`
	// Breaker is when the upstream or one of its tools is left alone.
	Breaker Breaker `json:"breaker,omitzero"`
	// Arguments is how arguments are checked against the tool's schema:
	// "" or "enforce", "report", "off".
	Arguments string `json:"arguments,omitempty"`
	// Record overrides what the record keeps of arguments: "" (as configured
	// globally), "off", "digest", "redacted", "full".
	Record string `json:"record,omitempty"`

	// FirstSight overrides Guarding.FirstSight.
	FirstSight string `json:"first_sight,omitempty"`
	// Probe overrides Guarding.Probe: zero is as everywhere, less is never.
	Probe time.Duration `json:"probe,omitempty"`

	Disabled bool   `json:"disabled,omitempty"`
	Origin   Origin `json:"origin"`
}

// Breaker is when an upstream that fails is left alone; zero values are the
// defaults that are named.
type Breaker struct {
	Disabled bool          `json:"disabled,omitempty"`
	Percent  int           `json:"percent,omitempty"` // of the calls that failed: 50
	Calls    int           `json:"calls,omitempty"`   // at least, in the window: 20
	Window   time.Duration `json:"window,omitempty"`  // 30 s
	Open     time.Duration `json:"open,omitempty"`    // until one call may try again: 5 s; longer each time that fails, up to a minute
}

// The states of a breaker.
const (
	BreakerClosed   = "closed"
	BreakerOpen     = "open"
	BreakerHalfOpen = "half-open" // one call finds out whether it works again
)

// BreakerStatus is how a breaker is at one moment.
type BreakerStatus struct {
	Tool   string    `json:"tool,omitempty"` // "" for the upstream's own
	State  string    `json:"state"`
	Calls  int       `json:"calls"`  // in the window
	Failed int       `json:"failed"` // of them
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"` // open
}

// UpstreamStatus is what an operator sees of an upstream at one moment.
type UpstreamStatus struct {
	Name      string    `json:"name"`
	Transport string    `json:"transport"`         // stdio, http, sse
	State     string    `json:"state"`             // idle, connecting, ready, failed, disabled
	Era       string    `json:"era,omitempty"`     // legacy, modern; empty before the first contact
	Version   string    `json:"version,omitempty"` // negotiated protocol revision
	Server    string    `json:"server,omitempty"`  // serverInfo name and version, as the server says
	Tools     int       `json:"tools"`
	Resources int       `json:"resources"`
	Prompts   int       `json:"prompts"`
	Error     string    `json:"error,omitempty"` // last error, for operators
	Since     time.Time `json:"since,omitzero"`  // of the present state
	Origin    Origin    `json:"origin"`
	// LeftOut says of items of its lists why they cannot be offered: a key twice,
	// for example. At most some twenty are told of.
	LeftOut []string `json:"left_out,omitempty"`
	// Breakers are those that are not closed.
	Breakers []BreakerStatus `json:"breakers,omitempty"`
}

// UpstreamDetail is what an operator sees who looks at one upstream closely.
type UpstreamDetail struct {
	Status       UpstreamStatus    `json:"status"`
	Capabilities json.RawMessage   `json:"capabilities,omitempty"` // as the server declares them
	Read         time.Time         `json:"read,omitzero"`          // when its lists were last read
	Changes      uint64            `json:"changes"`                // how often what it offers was found changed
	Watched      int               `json:"watched"`                // resources whose updates somebody wants
	Calls        int               `json:"calls"`                  // in flight
	Sharing      string            `json:"sharing"`                // who shares a session or process: auto, shared, principal or session
	Most         int               `json:"most"`                   // sessions or processes at once
	Sessions     []UpstreamSession `json:"sessions"`               // or processes, oldest first; none where calls stand alone
	Dropped      UpstreamDropped   `json:"dropped"`
	Breakers     []BreakerStatus   `json:"breakers,omitempty"`
	LastError    string            `json:"last_error,omitempty"`
	LastErrorAt  time.Time         `json:"last_error_at,omitzero"`
}

// UpstreamSession is one session or process of an upstream.
type UpstreamSession struct {
	For      string          `json:"for"`                // whose calls it serves: "agent NAME", with its session where those are kept apart, "all", or "lists" for the gateway's own
	Declared json.RawMessage `json:"declared,omitempty"` // what the server was told that the client can do
	Revision string          `json:"revision,omitempty"` // that was agreed
	PID      int             `json:"pid,omitempty"`      // of a process
	Opened   time.Time       `json:"opened,omitzero"`    // zero while it is being opened
	Used     time.Time       `json:"used,omitzero"`      // last
	Calls    int             `json:"calls"`              // in flight or waiting for it
	Single   bool            `json:"single,omitempty"`   // one call at a time, because the server may ask questions
	Waiting  int             `json:"waiting,omitempty"`  // calls in the queue for lines of this kind
}

// UpstreamDropped counts what an upstream sent to no use, since its start.
type UpstreamDropped struct {
	Foreign      int64 `json:"foreign"`      // answers to nothing in flight: late, twice, made up
	Garbage      int64 `json:"garbage"`      // what is no message
	Unattributed int64 `json:"unattributed"` // notifications and requests that belong to no call
	Overflow     int64 `json:"overflow"`     // notifications that their caller was too slow for
}
