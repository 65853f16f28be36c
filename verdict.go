package durward

// Effect is what a decision does to a call. Effects are ordered, the smaller
// is stricter, and the zero value denies.
type Effect uint8

// The effects, strictest first.
const (
	Deny Effect = iota
	Hold
	Redact
	Flag
	Allow
)

// String returns the word of the record's verdict field.
func (e Effect) String() string {
	switch e {
	case Hold:
		return "hold"
	case Redact:
		return "redact"
	case Flag:
		return "flag"
	case Allow:
		return "allow"
	default:
		return "deny"
	}
}

// Verdicts are the words of the record's verdict field, mildest first.
func Verdicts() []string {
	return []string{Allow.String(), Flag.String(), Redact.String(), Hold.String(), Deny.String()}
}

// Verdict is an effect with its reason. The zero Verdict denies.
type Verdict struct {
	Effect Effect
	Reason Reason
	// Rule names what decided, for operators: "role support: deny crm__delete_*".
	Rule string
}

// Denies reports whether the call may not go on.
func (v Verdict) Denies() bool { return v.Effect == Deny }

// Stricter returns the stricter of two verdicts; v when they are equal.
func (v Verdict) Stricter(o Verdict) Verdict {
	if o.Effect < v.Effect {
		return o
	}
	return v
}

// Reason is a stable, machine-readable code of why a call was refused or
// failed. Codes are part of the stable surface: add, never rename.
type Reason string

// The reasons of this release.
const (
	ReasonNone                Reason = ""
	ReasonCredentialMissing   Reason = "credential_missing"
	ReasonCredentialConflict  Reason = "credential_conflict"
	ReasonCredentialInQuery   Reason = "credential_in_query"
	ReasonKeyUnknown          Reason = "key_unknown"
	ReasonKeyMalformed        Reason = "key_malformed"
	ReasonKeyExpired          Reason = "key_expired"
	ReasonKeyRevoked          Reason = "key_revoked"
	ReasonAgentDisabled       Reason = "agent_disabled"
	ReasonAgentUnknown        Reason = "agent_unknown" // of a name that this machine's user, or an operator, gave
	ReasonSessionMissing      Reason = "session_missing"
	ReasonSessionUnknown      Reason = "session_unknown"
	ReasonEndpointUnknown     Reason = "endpoint_unknown"
	ReasonOperationUnknown    Reason = "operation_unknown"
	ReasonOperationAmbiguous  Reason = "operation_ambiguous"
	ReasonNotAllowed          Reason = "not_allowed" // no rule allows it
	ReasonRuleDenies          Reason = "rule_denies" // a deny rule matches
	ReasonArgumentsInvalid    Reason = "arguments_invalid"
	ReasonSchemaUnusable      Reason = "schema_unusable" // the tool's own schema cannot be used to check
	ReasonRequestInvalid      Reason = "request_invalid"
	ReasonBodyTooLarge        Reason = "body_too_large"
	ReasonLoopDetected        Reason = "loop_detected" // the request came through this gateway before
	ReasonStateInvalid        Reason = "state_invalid"
	ReasonInputRequired       Reason = "input_required" // not refused: the caller is asked something
	ReasonRecordUnavailable   Reason = "record_unavailable"
	ReasonUpstreamUnavailable Reason = "upstream_unavailable"
	ReasonUpstreamTimeout     Reason = "upstream_timeout"
	ReasonUpstreamProtocol    Reason = "upstream_protocol"
	ReasonCapabilityMissing   Reason = "capability_missing"
	ReasonOverloaded          Reason = "overloaded"
	ReasonCancelled           Reason = "cancelled"
	ReasonShutdown            Reason = "shutting_down"
	ReasonNotBegun            Reason = "not_begun" // it came when the gateway was shutting down; nothing was done
	ReasonInternal            Reason = "internal"
	ReasonHeld                Reason = "legal_hold" // of the record
	ReasonCutOff              Reason = "cut_off"    // the gateway ended while the call was made; how it ended is not known

	// Reasons of attribute rules.
	ReasonPolicyDenies Reason = "policy_denies"
	ReasonPolicyHolds  Reason = "policy_holds"
	ReasonPolicyFlags  Reason = "policy_flags"
	ReasonPolicyFailed Reason = "policy_failed" // a condition could not be evaluated: it denies

	// Reasons of held calls.
	ReasonRuleHolds        Reason = "rule_holds" // a hold rule matches
	ReasonApprovalRequired Reason = "approval_required"
	ReasonApprovalDenied   Reason = "approval_denied"
	ReasonApprovalExpired  Reason = "approval_expired"
	ReasonApprovalUsed     Reason = "approval_used"
	ReasonOutcomeUnknown   Reason = "outcome_unknown" // it may have been made
	ReasonDuplicate        Reason = "duplicate_call"  // made before, and its result cannot be given again
	ReasonAnsweredBefore   Reason = "answered_before" // not refused: the first result was given again
	ReasonApprovalsFull    Reason = "approvals_full"
	ReasonNotApprover      Reason = "not_approver" // this operator may not answer

	// Reasons of the admin API.
	ReasonReadOnly Reason = "read_only" // declared in a file
	ReasonConflict Reason = "conflict"  // the name is taken, or the state moved on
	ReasonNotFound Reason = "not_found"
)

// Reasons of limits and of what protects upstreams and agents.
const (
	ReasonRateLimited   Reason = "rate_limited"
	ReasonQuotaExceeded Reason = "quota_exceeded"
	ReasonBudgetSpent   Reason = "budget_spent"
	ReasonConcurrency   Reason = "too_many_at_once"
	ReasonBreakerOpen   Reason = "breaker_open"
	ReasonShedding      Reason = "memory_low"
	ReasonKilled        Reason = "killed" // an operator stopped the agent, session, key, or all
	ReasonQuarantined   Reason = "quarantined"
	ReasonRunaway       Reason = "runaway"
)

// The reasons why a definition is withheld.
const (
	ReasonDefinitionChanged    Reason = "definition_changed"    // not the one that was approved
	ReasonDefinitionUnapproved Reason = "definition_unapproved" // nobody has approved it yet
	ReasonDefinitionPoisoned   Reason = "definition_poisoned"   // the guard found an attack in it
	ReasonServerChanged        Reason = "server_changed"        // the upstream is another server than before
)

// Finding is what one inspector saw.
type Finding struct {
	Rule     string  `json:"rule"`
	Vector   string  `json:"vector"`
	Severity string  `json:"severity"`           // info, low, medium, high, critical
	Score    float64 `json:"score,omitempty"`    // 0..1
	Where    string  `json:"where,omitempty"`    // JSON Pointer or field name
	Evidence string  `json:"evidence,omitempty"` // bounded, redacted
	// Action is what the guard did about it: observe, flag, redact, hold, block.
	Action string `json:"action,omitempty"`
	// Would is what it would have done, were it not told to observe.
	Would string `json:"would,omitempty"`
}

// The reasons of the guard.
const (
	ReasonGuardBlocked  Reason = "guard_blocked"  // a finding about the request; nothing was called
	ReasonGuardHeld     Reason = "guard_held"     // the request has to be approved
	ReasonGuardWithheld Reason = "guard_withheld" // the call was made, its reply is kept back
	ReasonGuardRedacted Reason = "guard_redacted" // something was taken out
	ReasonGuardFlagged  Reason = "guard_flagged"
)
