package durward

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
}

// Change is one edit of the stored state, as data. Exactly one field is set.
type Change struct {
	PutAgent       *Agent    `json:"put_agent,omitempty"`
	DeleteAgent    string    `json:"delete_agent,omitempty"`
	PutKey         *Key      `json:"put_key,omitempty"`
	PutUpstream    *Upstream `json:"put_upstream,omitempty"`
	DeleteUpstream string    `json:"delete_upstream,omitempty"`
	PutRole        *Role     `json:"put_role,omitempty"`
	DeleteRole     string    `json:"delete_role,omitempty"`
}

// State is what the store holds at one revision.
type State struct {
	Revision  Revision
	Agents    []Agent
	Keys      []Key
	Roles     []Role
	Upstreams []Upstream
}
