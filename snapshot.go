package durward

import "time"

// Revision numbers the accepted states of the configuration; it only grows.
type Revision uint64

// Snapshot is all that the data plane needs at one revision, as plain data.
// It never changes after it was handed on.
type Snapshot struct {
	Revision  Revision
	Agents    []Agent
	Keys      []Key
	Roles     []Role
	Upstreams []Upstream
	// Arguments is the default of Upstream.Arguments; Record of Upstream.Record.
	Arguments string
	Record    string
	// Approvals are how held calls are answered; the zero value stands for
	// [ApprovalDefaults].
	Approvals ApprovalRules
	// Policy are rules over the attributes of calls, in their order.
	Policy []PolicyRule
	// Once is how calls with side effects are kept from being made twice.
	Once Once
	// Reads is how reads are recorded: "" or "batched", "durable".
	Reads string
	// RecordMode is what a call that may change something waits for: "" or
	// "durable", "must", "batched". Results is what is kept of results; the first
	// of RecordRules that matches an operation says otherwise for it.
	RecordMode string
	Results    string
	// Evidence is what the record keeps of what findings quote: "" or "shape",
	// "off", "text".
	Evidence    string
	RecordRules []RecordRule
	// Guard is how calls and replies are inspected.
	Guard Guard
	// Limits bound how much is used.
	Limits Limits
	// Pins are the approved definitions. Where a file has pins of an upstream,
	// these are all of it.
	Pins     []Pin
	Guarding Guarding
	// Halts are what is stopped.
	Halts []Halt
	// Runaway is how agents that go in circles are found, and what is done.
	Runaway Runaways
}

// Change is one edit of the stored state, as data. Exactly one field is set.
type Change struct {
	PutAgent       *Agent    `json:"put_agent,omitempty"`
	DeleteAgent    string    `json:"delete_agent,omitempty"`
	PutKey         *Key      `json:"put_key,omitempty"`
	DeleteKey      string    `json:"delete_key,omitempty"` // its ID
	PutUpstream    *Upstream `json:"put_upstream,omitempty"`
	DeleteUpstream string    `json:"delete_upstream,omitempty"`
	PutRole        *Role     `json:"put_role,omitempty"`
	DeleteRole     string    `json:"delete_role,omitempty"`
	PutPin         *Pin      `json:"put_pin,omitempty"`
	PutHalt        *Halt     `json:"put_halt,omitempty"`
	DeleteHalt     string    `json:"delete_halt,omitempty"` // its ID
	// PutFile notes which configuration file the state is used with, so that a
	// revision names both.
	PutFile *FileMark `json:"put_file,omitempty"`
}

// FileMark identifies one content of a configuration file.
type FileMark struct {
	Name   string `json:"name"`   // base name, for people
	Digest string `json:"digest"` // hex SHA-256 of what it declares
}

// State is what the store holds at one revision.
type State struct {
	Revision  Revision
	Agents    []Agent
	Keys      []Key
	Roles     []Role
	Upstreams []Upstream
	Pins      []Pin
	Halts     []Halt
	// File is the configuration file that the state was last used with.
	File FileMark
}

// Actor is who asks for a change. The zero Actor may nothing.
type Actor struct {
	// Name is for the journal: an operator's name, "key k_4f2a" of one without,
	// "local".
	Name string
	// Key is the id of the key that was presented; "" for local.
	Key string
	// Since is when that key was made; zero for a key of the file, and for local.
	Since time.Time
	// Operator may read and change everything.
	Operator bool
}

// Named tells whether the actor is somebody with a key of their own: not
// whoever is on this machine, nor a key that belongs to nobody in particular.
func (a Actor) Named() bool { return a.Key != "" && a.Name != "key "+a.Key }
