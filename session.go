package durward

import "time"

// Session is our record of one run of an agent on the stateful revisions. It
// is bound to the agent that opened it. The mutable parts live in the session
// table; a *Session is an immutable description.
type Session struct {
	ID       string
	Agent    string
	KeyID    string
	Endpoint string
	Revision string // negotiated at initialize
	Client   Client
	Created  time.Time
}
