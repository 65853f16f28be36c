package durward

import "time"

// HaltKind tells what a [Halt] stops.
type HaltKind string

// The kinds of halts.
const (
	HaltAll     HaltKind = "all"
	HaltAgent   HaltKind = "agent"
	HaltKey     HaltKind = "key"
	HaltSession HaltKind = "session"
)

// Halt is a stop that holds until somebody releases it: nothing of what it
// names is served, and what is under way is cancelled.
type Halt struct {
	Kind HaltKind `json:"kind"`
	// Name is of the agent, or the id of the key or session; "" for all.
	Name string `json:"name,omitempty"`
	// Agent is whose key or session it is.
	Agent string `json:"agent,omitempty"`
	// By is who stopped it, Cause why: ReasonKilled by a person,
	// ReasonQuarantined by the gateway.
	By     string    `json:"by"`
	Cause  Reason    `json:"cause"`
	Reason string    `json:"reason,omitempty"` // in words
	Since  time.Time `json:"since"`
}

// ID names a halt: "all", "agent:support-bot", "key:k_4f2a".
func (h Halt) ID() string {
	if h.Kind == HaltAll {
		return string(HaltAll)
	}
	return string(h.Kind) + ":" + h.Name
}
