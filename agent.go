package durward

import "time"

// Agent is the software that calls us, for itself or for a user. Agents are
// immutable once they are part of a [Snapshot].
type Agent struct {
	// Name identifies the agent for life; [A-Za-z0-9][A-Za-z0-9._-]{0,62}.
	Name string `json:"name"`
	// Roles name the [Role] values whose rules apply; none means nothing is allowed.
	Roles []string `json:"roles,omitempty"`
	// Anonymous marks the one agent that a caller without a credential becomes.
	Anonymous bool `json:"anonymous,omitempty"`
	// Disabled refuses every key of the agent.
	Disabled bool `json:"disabled,omitempty"`
	// Compat tells how its mistakes in the protocol are taken; strict when empty.
	Compat Compat `json:"compat,omitempty"`
	// Owner is the operator who answers for the agent, and for four eyes may not
	// approve its calls.
	Owner string `json:"owner,omitempty"`
	// Origin tells where the agent was declared.
	Origin Origin `json:"origin"`
}

// Compat is how an agent's mistakes in the protocol are taken.
type Compat string

// The ways to take mistakes. Tolerant overlooks those that leave no doubt of
// what is meant; each is counted and recorded.
const (
	Strict   Compat = "strict"
	Tolerant Compat = "tolerant"
)

// Known reports whether c is one of them; none stands for Strict.
func (c Compat) Known() bool { return c == "" || c == Strict || c == Tolerant }

// Origin tells where a piece of state was declared. What a file declares is
// read-only for the admin API and the CLI.
type Origin string

// The places where state is declared.
const (
	FromFile  Origin = "file"
	FromStore Origin = "store"
)

// Role is a named set of rules: patterns over public operation names.
type Role struct {
	Name  string   `json:"name"`
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
	// Hold patterns may be called once a person approved; deny is stricter, allow is not.
	Hold []string `json:"hold,omitempty"`
}

// Key is a credential as we keep it: never the secret, only its HMAC.
type Key struct {
	// ID is public, appears in records and listings, and never changes.
	ID string `json:"id"`
	// Agent names the holder. Empty for an operator's key (Admin).
	Agent string `json:"agent,omitempty"`
	// Admin marks an operator's key: it opens the admin API and never the data listener.
	Admin bool `json:"admin,omitempty"`
	// Name is the operator's whose key it is; "" for agents' keys.
	Name string `json:"name,omitempty"`
	// Owner is the operator who made the key.
	Owner string `json:"owner,omitempty"`
	// Hash is HMAC-SHA-256 of the secret under the installation's pepper.
	Hash [32]byte `json:"hash"`
	// Hint is the end of the secret, for people to tell keys apart.
	Hint string `json:"hint,omitempty"`
	// Created, Expires and Revoked are UTC; a zero Expires never expires, a zero Revoked is live.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
	Origin  Origin    `json:"origin"`
}

// Credential is the secret that a caller presented. It prints as [redacted];
// only [Credential.Reveal] gives the value, so its uses can be found.
type Credential struct{ secret string }

// NewCredential wraps a presented secret.
func NewCredential(secret string) Credential { return Credential{secret: secret} }

// IsZero reports whether nothing was presented.
func (c Credential) IsZero() bool { return c.secret == "" }

// Reveal returns the secret itself, for hashing and comparing only.
func (c Credential) Reveal() string { return c.secret }

// String hides the secret from logs and errors.
func (c Credential) String() string {
	if c.secret == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (c Credential) GoString() string { return "durward.Credential([redacted])" }

// MarshalText hides the secret from JSON and slog.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
