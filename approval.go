package durward

import (
	"encoding/json"
	"time"
)

// ApprovalState is how a request for approval stands.
type ApprovalState string

// The states. Only Approved lets a call through, once: it is Used from the
// moment before the call is made. Unknown is a used one whose end nobody saw.
const (
	ApprovalPending  ApprovalState = "pending"
	ApprovalApproved ApprovalState = "approved"
	ApprovalDenied   ApprovalState = "denied"
	ApprovalExpired  ApprovalState = "expired"
	ApprovalUsed     ApprovalState = "used"
	ApprovalUnknown  ApprovalState = "unknown"
)

// Approval is a held call that waits, or waited, for the answers of people.
// What is approved is bound by Digest: this principal, this tool as it was
// defined then, these arguments.
type Approval struct {
	ID     string `json:"id"`
	Digest string `json:"digest"`

	Agent    string          `json:"agent"`
	Owner    string          `json:"owner,omitempty"` // of the agent or the key that called
	Key      string          `json:"key,omitempty"`
	User     string          `json:"user,omitempty"`
	Session  string          `json:"session,omitempty"`
	Remote   string          `json:"remote,omitempty"`
	Method   string          `json:"method"`
	Upstream string          `json:"upstream"`
	Tool     string          `json:"tool"`  // the upstream's own name
	Asked    string          `json:"asked"` // as the agent wrote it
	Args     json.RawMessage `json:"args,omitempty"`
	Call     string          `json:"call"` // id of the call that was held
	Reason   Reason          `json:"reason,omitempty"`
	Rule     string          `json:"rule,omitempty"`
	Findings []Finding       `json:"findings,omitempty"`

	Terms   ApprovalTerms    `json:"terms"`
	State   ApprovalState    `json:"state"`
	Created time.Time        `json:"created"`
	Expires time.Time        `json:"expires"` // of the question while it is pending, of the permission once approved
	Ended   time.Time        `json:"ended,omitzero"`
	Answers []ApprovalAnswer `json:"answers,omitempty"`
	// UsedBy is the call that the permission was spent on, and Outcome how that ended.
	UsedBy  string  `json:"used_by,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	Rounds  int     `json:"rounds,omitempty"` // in which the used call went on
}

// ApprovalAnswer is what one person said.
type ApprovalAnswer struct {
	By      string    `json:"by"`             // the operator's name
	Key     string    `json:"key,omitempty"`  // by which the operator was known
	Since   time.Time `json:"since,omitzero"` // when that key was made; zero for one of the file
	Channel string    `json:"channel"`        // admin, webhook
	Approve bool      `json:"approve"`
	Reason  string    `json:"reason"`
	Time    time.Time `json:"time"`
}

// ApprovalTerms say who may answer and how many have to.
type ApprovalTerms struct {
	// Approvers are names of operators; none means every operator.
	Approvers []string `json:"approvers,omitempty"`
	// Need is how many have to approve; one denial is enough to deny. At least 1.
	Need int `json:"need"`
	// FourEyes keeps the owner of the calling agent or key from approving.
	FourEyes bool `json:"four_eyes,omitempty"`
}

// ApprovalRules are how held calls are answered.
type ApprovalRules struct {
	ApprovalTerms
	Rules []ApprovalRule // the first that matches a call sets its terms
	// Expire is how long a question waits for people, and a permission for its call.
	Expire time.Duration
	// Wait is how long one request of a stateless agent stays open before it is
	// told to come back; Patience how long one of an older agent does before it
	// gets a result that says so.
	Wait, Patience time.Duration
	// PerAgent and Most bound the questions that wait.
	PerAgent, Most int
	// Keep is how long answered questions are listed.
	Keep    time.Duration
	Webhook Webhook
}

// ApprovalRule sets the terms for some operations.
type ApprovalRule struct {
	Tools []string // patterns, as in roles
	ApprovalTerms
}

// Webhook is where questions are sent, and whose signed answers are taken.
type Webhook struct {
	URL    string
	Secret Credential
	// Answers tells whether signed answers are taken.
	Answers bool
}

// ApprovalDefaults are the rules where nothing else is said.
func ApprovalDefaults() ApprovalRules {
	return ApprovalRules{
		ApprovalTerms: ApprovalTerms{Need: 1},
		Expire:        15 * time.Minute, Wait: 25 * time.Second, Patience: 5 * time.Minute,
		PerAgent: 32, Most: 1024, Keep: 7 * 24 * time.Hour,
	}
}
