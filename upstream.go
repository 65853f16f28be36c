package durward

import "time"

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
	// Arguments is how arguments are checked against the tool's schema:
	// "" or "enforce", "report", "off".
	Arguments string `json:"arguments,omitempty"`
	// Record overrides what the record keeps of arguments: "" (as configured
	// globally), "off", "digest", "redacted", "full".
	Record string `json:"record,omitempty"`

	Disabled bool   `json:"disabled,omitempty"`
	Origin   Origin `json:"origin"`
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
}
