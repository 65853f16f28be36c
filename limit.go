package durward

import "time"

// Unit is what a [Limit] counts.
type Unit string

// The units.
const (
	UnitCalls       Unit = "calls"
	UnitBytes       Unit = "bytes" // of requests and replies
	UnitCost        Unit = "cost"  // as [Price] says
	UnitConcurrency Unit = "concurrency"
)

// Dimension is by what a [Limit] is counted apart.
type Dimension string

// The dimensions.
const (
	PerKey      Dimension = "key"
	PerAgent    Dimension = "agent"
	PerUser     Dimension = "user"
	PerRole     Dimension = "role"
	PerUpstream Dimension = "upstream"
	PerTool     Dimension = "tool"
)

// The calendar windows of a [Limit].
const (
	PerDay   = "day"
	PerMonth = "month"
)

// Limit bounds one thing about some calls. Each combination of values of Per
// has a counter of its own; with no Per there is one for all.
type Limit struct {
	// Name tells operators, callers and records which limit it was. It is also
	// what its counters are kept under: a limit that keeps name, unit and window
	// keeps what was counted.
	Name string `json:"name"`
	Unit Unit   `json:"unit"`
	Most int64  `json:"most"`
	// Every is the time in which Most come back, evenly; Burst is how many may
	// be used at once, Most when zero. Calendar counts by day or month instead.
	Every    time.Duration `json:"every,omitempty"`
	Burst    int64         `json:"burst,omitempty"`
	Calendar string        `json:"calendar,omitempty"`

	Per []Dimension `json:"per,omitempty"`

	// What calls it speaks of; nothing said means all. Roles are those of the
	// agent, Tools are patterns as in a [Role].
	Agents    []string `json:"agents,omitempty"`
	Roles     []string `json:"roles,omitempty"`
	Upstreams []string `json:"upstreams,omitempty"`
	Tools     []string `json:"tools,omitempty"`
}

// Price is what a call costs. Of the patterns that match, the one with the
// most literal characters counts; what none matches costs 1.
type Price struct {
	Tool  string `json:"tool"`
	Units int64  `json:"units"`
}

// Limits are all limits of a [Snapshot].
type Limits struct {
	Rules  []Limit `json:"rules,omitempty"`
	Prices []Price `json:"prices,omitempty"`
	// Zone is where days and months begin; UTC when empty.
	Zone string `json:"zone,omitempty"`
}

// LimitState is how one counter of a limit is at one moment.
type LimitState struct {
	Name string               `json:"name"`
	Of   map[Dimension]string `json:"of,omitempty"` // the values that it counts apart
	Unit Unit                 `json:"unit"`
	Most int64                `json:"limit"`
	Left int64                `json:"remaining"`
	// Window is how long it takes for all of it to come back; of a calendar
	// month 30 days. Zero for concurrency.
	Window time.Duration `json:"-"`
	// Reset is when all of it is back.
	Reset time.Duration `json:"-"`
}
