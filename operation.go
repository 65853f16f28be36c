package durward

// Kind tells what an [Operation] is.
type Kind uint8

// The kinds of operations of the agent lane.
const (
	KindTool Kind = iota + 1
	KindPrompt
	KindResource
	KindTemplate
)

// String returns the word that rules and records use.
func (k Kind) String() string {
	switch k {
	case KindTool:
		return "tool"
	case KindPrompt:
		return "prompt"
	case KindResource:
		return "resource"
	case KindTemplate:
		return "template"
	}
	return "unknown"
}

// Operation is one thing that an [Upstream] can do. It never changes after it
// was built: a new definition is a new Operation.
type Operation struct {
	Kind     Kind
	Upstream string
	// Name is the upstream's own name: a tool's or prompt's name, a resource's
	// URI, a template's uriTemplate.
	Name string
	// Public is the name that agents see. For resources and templates it is the URI itself.
	Public string
	// PolicyName is what rules match: <upstream>__<Name>, whatever the prefix mode.
	// Where agents see a tool or prompt under another name, they match that, too
	// (see Shown).
	PolicyName string
	// Definition is the JSON object as received, byte for byte.
	Definition []byte
	// InputSchema is the raw JSON Schema of a tool's arguments; nil otherwise.
	InputSchema []byte
	// ReadOnly is the tool's readOnlyHint, true for prompts and resources. A hint
	// is the upstream's word: it chooses how the record is written and whether a
	// call may be sent again after a broken connection, never permission.
	ReadOnly bool
	// TaskSupport is how a tool of 2025-11-25 runs as a task: "required",
	// "optional" or "" for never; "" also where its upstream serves no tasks.
	TaskSupport string
	// Destructive, Idempotent and OpenWorld are the hints of those names, as the
	// tool's definition has them: the upstream's word, and often unsaid.
	Destructive, Idempotent, OpenWorld Hint
	// ParamHeaders are the arguments that travel as Mcp-Param-* headers (x-mcp-header).
	ParamHeaders []ParamHeader
	// Standing is nil for a definition that is in use as it was approved.
	Standing *Standing
}

// Shown is the public name of a tool or prompt where it is another than
// PolicyName, because that had to be cleaned, shortened or told apart; else "".
func (op *Operation) Shown() string {
	if op.Public == op.PolicyName || op.Kind != KindTool && op.Kind != KindPrompt {
		return ""
	}
	return op.Public
}

// Hint is what a definition says of something.
type Hint uint8

// The hints.
const (
	Unsaid Hint = iota
	No
	Yes
)

// Or is the hint as yes or no, with what holds where nothing is said.
func (h Hint) Or(unsaid bool) bool {
	if h == Unsaid {
		return unsaid
	}
	return h == Yes
}

// ParamHeader maps one tool argument to its Mcp-Param-* header (MCP 2026-07-28).
type ParamHeader struct {
	Header string   // the part after Mcp-Param-
	Path   []string // from the root of arguments, through properties only
	Type   string   // string, integer or boolean
}
