package mcpwire

// The protocol revisions.
const (
	V20241105 = "2024-11-05"
	V20250326 = "2025-03-26"
	V20250618 = "2025-06-18"
	V20251125 = "2025-11-25"
	V20260728 = "2026-07-28"

	// NewestLegacy is the newest revision with an initialize handshake.
	NewestLegacy = V20251125
	// NewestModern is the newest stateless revision.
	NewestModern = V20260728
)

// KnownLegacy reports whether v is a revision with an initialize handshake that we speak.
func KnownLegacy(v string) bool {
	switch v {
	case V20241105, V20250326, V20250618, V20251125:
		return true
	}
	return false
}

// Modern reports whether v is of the stateless era: a date from 2026-07-28 on,
// known to us or not.
func Modern(v string) bool { return isDate(v) && v >= V20260728 }

// Negotiate answers the protocolVersion of a legacy initialize: the requested
// revision when we speak it, else the newest legacy one; never a modern one.
func Negotiate(requested string) string {
	if KnownLegacy(requested) {
		return requested
	}
	return NewestLegacy
}

// Supported lists the revisions we speak, newest first, as server/discover and
// the unsupported-version error name them.
func Supported() []string {
	return []string{V20260728, V20251125, V20250618, V20250326, V20241105}
}

// Revision is a protocol revision that tells its features. An unknown one has
// those of the newest that is not newer.
type Revision string

// Modern reports whether the revision is stateless.
func (r Revision) Modern() bool { return Modern(string(r)) }

// Batches: JSON-RPC batches must be accepted.
func (r Revision) Batches() bool { return r == V20250326 }

// VersionHeader: MCP-Protocol-Version is sent with every HTTP request.
func (r Revision) VersionHeader() bool { return r >= V20250618 }

// Audio content blocks exist.
func (r Revision) Audio() bool { return r >= V20250326 }

// ResourceLinks: resource_link content blocks exist.
func (r Revision) ResourceLinks() bool { return r >= V20250618 }

// StructuredContent: tools have outputSchema and results structuredContent.
func (r Revision) StructuredContent() bool { return r >= V20250618 }

// AnyStructuredContent: structuredContent may be any JSON value, outputSchema any schema.
func (r Revision) AnyStructuredContent() bool { return r.Modern() }

// Elicitation in form mode exists.
func (r Revision) Elicitation() bool { return r >= V20250618 }

// URLElicitation: elicitation in url mode exists.
func (r Revision) URLElicitation() bool { return r >= V20251125 }

// SamplingTools: sampling requests may carry tools.
func (r Revision) SamplingTools() bool { return r >= V20251125 }

// Tasks: requests may be augmented to tasks, as the revision itself has them.
func (r Revision) Tasks() bool { return r == V20251125 }

// EarlyClose: a server may close an SSE stream early; it primes streams with
// an event that has an id and empty data.
func (r Revision) EarlyClose() bool { return r == V20251125 }

func isDate(v string) bool {
	if len(v) != len(V20260728) {
		return false
	}
	for i := range len(v) {
		if i == 4 || i == 7 {
			if v[i] != '-' {
				return false
			}
		} else if v[i] < '0' || v[i] > '9' {
			return false
		}
	}
	return true
}
