package durward

import (
	"encoding/json"
	"time"
)

// Outcome is how a call ended.
type Outcome string

// The outcomes of the record.
const (
	OutcomeOK        Outcome = "ok"
	OutcomeToolError Outcome = "tool_error" // the tool answered isError
	OutcomeError     Outcome = "error"      // the upstream or we failed
	OutcomeRefused   Outcome = "refused"
	OutcomeCancelled Outcome = "cancelled"
	OutcomeUnknown   Outcome = "unknown" // the end was never seen
)

// Outcomes are the words of the record's outcome field.
func Outcomes() []string {
	return []string{string(OutcomeOK), string(OutcomeToolError), string(OutcomeError), string(OutcomeRefused), string(OutcomeCancelled), string(OutcomeUnknown)}
}

// Record is what is kept of one call, refusals included. The JSON names are
// the stable surface of `durward audit export`. Seq, Prev and Hash are the
// log's to write; everything else is the pipeline's.
type Record struct {
	Seq        uint64          `json:"seq"`
	Time       time.Time       `json:"time"` // of arrival, UTC, microseconds
	ID         string          `json:"id"`
	Lane       Lane            `json:"lane"`
	Agent      string          `json:"agent,omitempty"`
	Key        string          `json:"key,omitempty"`
	User       string          `json:"user,omitempty"`
	Session    string          `json:"session,omitempty"`
	Remote     string          `json:"remote,omitempty"`
	Transport  string          `json:"transport,omitempty"`
	Protocol   string          `json:"protocol,omitempty"`
	Method     string          `json:"method"`
	Upstream   string          `json:"upstream,omitempty"`
	Tool       string          `json:"tool,omitempty"` // the upstream's own name, URI for resources
	Asked      string          `json:"asked,omitempty"`
	Task       string          `json:"task,omitempty"` // the upstream's own id of the task that was started or asked about
	ArgsSHA256 string          `json:"args_sha256,omitempty"`
	Args       json.RawMessage `json:"args,omitempty"`

	ResultSHA256 string          `json:"result_sha256,omitempty"`
	Result       json.RawMessage `json:"result,omitempty"`
	Class        string          `json:"class,omitempty"`  // of retention, when it is not the default
	Intent       uint64          `json:"intent,omitempty"` // sequence number of the line that announced the call

	Verdict    string    `json:"verdict"` // allow, flag, redact, hold, deny
	Reason     Reason    `json:"reason,omitempty"`
	Rule       string    `json:"rule,omitempty"`
	Step       string    `json:"step,omitempty"`     // the check that refused or held, as ARCHITECTURE.md names it
	Approval   string    `json:"approval,omitempty"` // that the call waited for
	Findings   []Finding `json:"findings"`
	Outcome    Outcome   `json:"outcome"`
	LatencyUS  int64     `json:"latency_us"`
	UpstreamUS int64     `json:"upstream_us,omitempty"` // part of LatencyUS spent waiting for the upstream
	Revision   Revision  `json:"revision"`
	Prev       string    `json:"prev,omitempty"` // hash of the record before, hex
	Hash       string    `json:"hash,omitempty"` // of this record as it stands in the log, hex
}

// RecordRule says what is kept of the calls of some tools; what it leaves out
// is kept as elsewhere.
type RecordRule struct {
	Tools     []string // patterns of <upstream>__<name>
	Arguments string   // off, digest, redacted, full
	Results   string
	Class     string // of retention
}
