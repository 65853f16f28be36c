package durward

import (
	"encoding/json"
	"slices"
	"time"
)

// The kinds of definitions that are pinned: those of operations (see [Kind]),
// a server's instructions, and what the server is.
const (
	PinTool         = "tool"
	PinPrompt       = "prompt"
	PinResource     = "resource"
	PinTemplate     = "template"
	PinInstructions = "instructions"
	PinServer       = "server"
)

// Pin is what is remembered of an approved definition: the digest of its
// canonical form (RFC 8785), whole and by field group, and its text.
type Pin struct {
	Upstream string `json:"upstream"`
	Kind     string `json:"kind"`
	// Name is the upstream's own name, a URI for resources; "" for
	// instructions and server.
	Name string `json:"name,omitempty"`
	// Digest is hex SHA-256; "" when nothing is approved (yet).
	Digest string            `json:"digest,omitempty"`
	Groups map[string]string `json:"groups,omitempty"`
	// Definition is what was approved, in canonical form; nil when it was too
	// large to be kept.
	Definition json.RawMessage `json:"definition,omitempty"`
	// Also are digests of other definitions that were approved for the same name,
	// which the upstream shows to somebody else.
	Also []string `json:"also,omitempty"`
	// Before is the digest that was approved before this one: a process that was
	// started then may still show it.
	Before string `json:"before,omitempty"`
	// By and At tell who approved it, and when.
	By string    `json:"by,omitempty"`
	At time.Time `json:"at,omitzero"`
	// Proposal is an approval that waits for more people.
	Proposal *Proposal `json:"proposal,omitempty"`
	Origin   Origin    `json:"origin"`
}

// Proposal is a definition that some have approved, and not enough of them.
type Proposal struct {
	Digest string    `json:"digest"`
	Also   []string  `json:"also,omitempty"`
	By     []string  `json:"by"`
	At     time.Time `json:"at"` // of the last of them
}

// Approves reports whether the pin approves of a definition with a digest.
func (p *Pin) Approves(digest string) bool {
	return digest != "" && (p.Digest == digest || slices.Contains(p.Also, digest))
}

// PinKey tells pins apart.
type PinKey struct{ Upstream, Kind, Name string }

// Key is the key of the pin.
func (p *Pin) Key() PinKey { return PinKey{p.Upstream, p.Kind, p.Name} }

// Standing is why a definition is not simply in use. Operations without one
// are as they were approved.
type Standing struct {
	// Withheld definitions are in no list, and cannot be called.
	Withheld bool
	Reason   Reason
	Findings []Finding
}

// Guarding is how definitions are held to what was approved.
type Guarding struct {
	// FirstSight is what happens to a definition that is new: trust-first,
	// quarantine, or scan-then-trust, as when it is empty.
	FirstSight string `json:"first_sight,omitempty"`
	// Resources is how resources are taken, whose lists change: scan (as when
	// it is empty) or pin.
	Resources string `json:"resources,omitempty"`
	// Identity is what happens when an upstream is another server than before:
	// first-sight (as when it is empty), withhold, or strict, for which another
	// version and another key make another server, too.
	Identity string `json:"identity,omitempty"`
	// People is how many operators approve a definition; 0 is 1.
	People int `json:"people,omitempty"`
	// Probe is how often an upstream over HTTP is asked as another client what it
	// lists, and its sessions are compared; not positive means never.
	Probe time.Duration `json:"probe,omitempty"`
}

// The ways to take what is new.
const (
	TrustFirst    = "trust-first"
	Quarantine    = "quarantine"
	ScanThenTrust = "scan-then-trust"
)

// Definition is one thing that an upstream defines, as operators see it.
type Definition struct {
	Upstream string `json:"upstream"`
	Kind     string `json:"kind"`
	Name     string `json:"name,omitempty"`
	// State is approved, flagged, withheld, or gone: approved and not listed.
	State  string `json:"state"`
	Reason Reason `json:"reason,omitempty"`
	// Digest is of what is listed now, Approved of what was approved.
	Digest   string    `json:"digest,omitempty"`
	Approved string    `json:"approved,omitempty"`
	By       string    `json:"by,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Origin   Origin    `json:"origin,omitempty"` // of the pin
	Proposal *Proposal `json:"proposal,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	// Class is how far a change reaches: notation, cosmetic, widening, risky.
	Class   string             `json:"class,omitempty"`
	Changes []DefinitionChange `json:"changes,omitempty"`
	// Variants are what the upstream shows to others than the gateway in its place.
	Variants []DefinitionVariant `json:"variants,omitempty"`
	// Now is the definition as it is listed, Groups its digests by field group;
	// nil when it is gone.
	Now    json.RawMessage   `json:"now,omitempty"`
	Groups map[string]string `json:"groups,omitempty"`
}

// The states of definitions.
const (
	DefinitionApproved = "approved"
	DefinitionFlagged  = "flagged"
	DefinitionWithheld = "withheld"
	DefinitionGone     = "gone"
)

// DefinitionChange is one difference to what was approved. Hidden characters
// are written as escapes.
type DefinitionChange struct {
	Path   string `json:"path"` // JSON Pointer
	Class  string `json:"class"`
	Why    string `json:"why"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// DefinitionVariant is a definition as somebody else than the gateway is shown
// it: an agent in its own session or process, another client.
type DefinitionVariant struct {
	Who    string `json:"who"`
	Digest string `json:"digest"`
	// Approved tells that somebody has approved this one, too.
	Approved bool `json:"approved,omitempty"`
	// Class and Changes compare it with what was approved, or with what is listed
	// when nothing was.
	Class    string             `json:"class,omitempty"`
	Changes  []DefinitionChange `json:"changes,omitempty"`
	Findings []Finding          `json:"findings,omitempty"`
}
