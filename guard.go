package durward

import "time"

// Guard says how what passes is inspected and what findings may do. The zero
// Guard inspects everything and does what the table of rules says.
type Guard struct {
	GuardScope // for everything

	// Upstreams are scopes by alias, Agents by name, and Tools by pattern of
	// public names. Of patterns that match, the one with the most characters
	// besides * counts, then the first in alphabetical order.
	Upstreams map[string]GuardScope `json:"upstreams,omitempty"`
	Agents    map[string]GuardScope `json:"agents,omitempty"`
	Tools     map[string]GuardScope `json:"tools,omitempty"`

	// Spotlight tells whose texts are put between marks that say "data": ""
	// (nobody's), "untrusted", "all".
	Spotlight string `json:"spotlight,omitempty"`
	// Honeytokens are planted values that nobody has a reason to use.
	Honeytokens []string `json:"honeytokens,omitempty"`
	// Conversation names the member of _meta by which calls of the stateless
	// revision belong together; without it all of an agent's do.
	Conversation string `json:"conversation,omitempty"`
	// Idle is how long a conversation is remembered; zero means 30 minutes.
	Idle time.Duration `json:"idle,omitempty"`
	// Egress is how much a conversation that has seen private data may send to
	// one upstream, in bytes; zero sets no bound.
	Egress int64 `json:"egress,omitempty"`
	// Quarantine is how long what was withheld is kept; zero means 24 hours.
	Quarantine time.Duration `json:"quarantine,omitempty"`
	// Classifier is asked about what the detectors are not sure of.
	Classifier GuardClassifier `json:"classifier,omitzero"`
}

// GuardScope is what holds for a part of the calls. For each finding the scopes
// are asked from the narrowest to the widest: the tool's, the agent's, the
// upstream's, the whole; and in each the rule, then its vector, then the mode.
// The first answer counts. What Rules and Vectors say is what a finding does;
// Mode is the strictest that findings may do, each as its rule says.
type GuardScope struct {
	Mode    string            `json:"mode,omitempty"`    // off, observe, flag, redact, hold, block
	Rules   map[string]string `json:"rules,omitempty"`   // a mode by rule
	Vectors map[string]string `json:"vectors,omitempty"` // a mode by vector

	// What upstreams and tools are, for the flow of data. What is left empty is
	// taken from the wider scope, and guessed from names at last.
	Trust  string `json:"trust,omitempty"`  // of what they return: trusted, untrusted
	Data   string `json:"data,omitempty"`   // that they return: public, internal, personal, secret
	Effect string `json:"effect,omitempty"` // of a call: reads, writes, sends, irreversible
	// To are patterns of addresses and hosts that a call may send to; none
	// leaves it to the other rules.
	To []string `json:"to,omitempty"`
	// Restore puts secrets that came from the upstream back in the place of
	// their tokens when a call goes to that upstream again.
	Restore bool `json:"restore,omitempty"`
}

// GuardClassifier is a text classifier behind an HTTP address.
type GuardClassifier struct {
	URL     string            `json:"url,omitempty"` // none without
	Headers map[string]string `json:"headers,omitempty"`
	// Timeout of one question; zero means 500 ms.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Fail is what happens when it does not answer: "" or "pass" (the detectors'
	// own verdict holds), "hold", "block".
	Fail string `json:"fail,omitempty"`
	// Carriers are what it is asked about: results, prompts, resources, asks,
	// definitions that are new; none means all.
	Carriers []string `json:"carriers,omitempty"`
	// From and To bound the percentage of an attack's probability between which
	// it is asked about messages; both zero mean 10 and 90.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
}

// GuardRule is a row of the guard's table, with what it does at the moment.
type GuardRule struct {
	ID       string `json:"id"`
	Vector   string `json:"vector"`
	OWASP    string `json:"owasp"` // of the OWASP MCP Top 10 (v0.1, 2025)
	Severity string `json:"severity"`
	Mode     string `json:"mode"`
	// From tells where the mode was set: "rule" for the table's own, else the
	// scope and its part.
	From string `json:"from"`
	// Flag and Act are the scores from which a finding is flagged and from which
	// it does what Mode says.
	Flag float64 `json:"flag"`
	Act  float64 `json:"act"`
	Help string  `json:"help"`
}

// GuardCount is how often a rule found something since the start, by what was
// done about it, and by what would have been done where it only observes.
type GuardCount struct {
	Rule        string `json:"rule"`
	Vector      string `json:"vector"`
	Observed    uint64 `json:"observed"`
	Flagged     uint64 `json:"flagged"`
	Redacted    uint64 `json:"redacted"`
	Held        uint64 `json:"held"`
	Blocked     uint64 `json:"blocked"`
	WouldFlag   uint64 `json:"would_flag"`
	WouldRedact uint64 `json:"would_redact"`
	WouldHold   uint64 `json:"would_hold"`
	WouldBlock  uint64 `json:"would_block"`
}

// GuardStats is what the guard has done since the start.
type GuardStats struct {
	Messages      uint64       `json:"messages"`      // read
	Conversations int          `json:"conversations"` // remembered
	Forgotten     uint64       `json:"forgotten"`     // conversations, for want of room
	Artefacts     int          `json:"artefacts"`     // kept
	Rules         []GuardCount `json:"rules"`         // that found something
}

// Artefact is a reply that was withheld, kept for the operator.
type Artefact struct {
	Handle   string    `json:"handle"`
	Time     time.Time `json:"time"`
	Until    time.Time `json:"until"`
	Call     string    `json:"call"` // the record's id
	Agent    string    `json:"agent"`
	Upstream string    `json:"upstream"`
	Tool     string    `json:"tool"`
	Findings []Finding `json:"findings"`
	Size     int       `json:"size"` // of what came
	// Body is what the server sent, hostile as it is; cut where it was too long.
	Body []byte `json:"body,omitempty"`
}
