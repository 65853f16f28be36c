package guard

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"durward"
)

// Bounds on schemas and on what is said about a violation.
const (
	maxSchema    = 512 << 10
	maxSchemas   = 20_000
	maxFindings  = 5
	maxStatement = 300
)

// Names of the findings of argument validation.
const (
	RuleArguments = "arguments.schema"   // a value breaks the tool's schema
	RuleNumber    = "arguments.number"   // a number that cannot be compared with anything
	RuleSchema    = "arguments.unusable" // the schema itself cannot be used
	vectorInput   = "parameter_validation"
)

// Schemas checks arguments against the tools' schemas (JSON Schema 2020-12,
// or draft-07 where a schema says so). Each schema is compiled when it is
// first needed and kept by its digest. References to other documents are
// refused, never fetched; what a validation may cost is bounded (see bounds.go).
// It is safe for concurrent use.
type Schemas struct {
	mu       sync.RWMutex // guards both maps
	byOp     map[*durward.Operation]*schema
	compiled map[[32]byte]*schema
	printer  *message.Printer
}

// schema is one compiled schema, in as many copies as are at work, so that a
// validation that takes its time holds up nobody else's.
type schema struct {
	once  sync.Once
	raw   []byte
	quick *quick // nil when the schema is not simple
	idle  chan *validator
	err   error
}

// idleMost is how many copies of a schema are kept that are not at work.
const idleMost = 4

// validator is one copy, for one validation at a time.
type validator struct {
	valid *jsonschema.Schema
	budget
}

// NewSchemas returns an empty cache of compiled schemas.
func NewSchemas() *Schemas {
	return &Schemas{byOp: make(map[*durward.Operation]*schema), compiled: make(map[[32]byte]*schema), printer: message.NewPrinter(language.English)}
}

// Check validates a call's arguments, a scanned JSON object or nil for none.
// No finding means that they are as the tool asked for. An unusable schema is
// a finding too: what cannot be checked was not checked.
func (s *Schemas) Check(op *durward.Operation, arguments []byte) []durward.Finding {
	if op.InputSchema == nil {
		return nil
	}
	sch := s.get(op)
	sch.once.Do(func() { sch.compile(op.InputSchema) })
	if sch.err != nil {
		return unusable(sch.err)
	}
	if arguments == nil {
		arguments = []byte("{}")
	}
	if sch.quick != nil && sch.quick.accepts(arguments) {
		return nil
	}
	values, number := decodeChecked(arguments)
	if number != nil {
		return []durward.Finding{*number}
	}
	err := sch.validate(values, len(arguments))
	if err == nil {
		return nil
	}
	var bad *jsonschema.ValidationError
	if !errors.As(err, &bad) {
		return unusable(err)
	}
	return s.judged(bad)
}

// judged tells what is wrong with arguments; a schema that leads back to itself
// without end judges nothing.
func (s *Schemas) judged(bad *jsonschema.ValidationError) []durward.Finding {
	if cyclic(bad) {
		return unusable(errors.New("it refers to itself without an end"))
	}
	return s.violations(bad, "", nil)
}

func cyclic(e *jsonschema.ValidationError) bool {
	if _, ok := e.ErrorKind.(*kind.RefCycle); ok {
		return true
	}
	return slices.ContainsFunc(e.Causes, cyclic)
}

// unusable says that nothing could be checked, whatever the arguments.
func unusable(err error) []durward.Finding {
	return []durward.Finding{{Rule: RuleSchema, Vector: vectorInput, Severity: "medium", Where: "inputSchema",
		Evidence: cut("the tool's input schema cannot be used: " + err.Error())}}
}

// validate spends a budget. Whatever goes wrong in the library is an error,
// never an end of the process.
func (s *schema) validate(values any, size int) (err error) {
	v, err := s.validator()
	if err != nil {
		return err
	}
	defer s.rest(v)
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case tooCostly:
			err = errors.New("checking these arguments takes too many steps")
		default:
			err = fmt.Errorf("the validator failed: %v", r)
		}
	}()
	v.full(size)
	return v.valid.Validate(values)
}

// validator returns a copy that nobody uses, and rest takes it back.
func (s *schema) validator() (*validator, error) {
	select {
	case v := <-s.idle:
		return v, nil
	default:
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(s.raw))
	if err != nil {
		return nil, err
	}
	return newValidator(doc)
}

func (s *schema) rest(v *validator) {
	select {
	case s.idle <- v:
	default:
	}
}

// Forget drops what is known by operation, when those of a plan have been
// replaced; compiled schemas stay.
func (s *Schemas) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byOp)
}

func (s *Schemas) get(op *durward.Operation) *schema {
	s.mu.RLock()
	sch := s.byOp[op]
	s.mu.RUnlock()
	if sch != nil {
		return sch
	}
	key := sha256.Sum256(op.InputSchema)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byOp) >= maxSchemas { // upstreams that keep changing: start over
		clear(s.byOp)
		clear(s.compiled)
	}
	if sch = s.compiled[key]; sch == nil {
		sch = &schema{}
		s.compiled[key] = sch
	}
	s.byOp[op] = sch
	return sch
}

// refuser is the loader that never loads: MCP 2026-07-28 forbids fetching
// what a schema refers to.
type refuser struct{}

func (refuser) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to another document (%s), which is never fetched", url)
}

func (s *schema) compile(raw []byte) {
	if len(raw) > maxSchema {
		s.err = fmt.Errorf("it is larger than %d KiB", maxSchema>>10)
		return
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		s.err = err
		return
	}
	if s.err = checkWays(doc); s.err != nil {
		return
	}
	v, err := newValidator(doc)
	if err != nil {
		s.err = err
		return
	}
	s.raw, s.idle, s.quick = bytes.Clone(raw), make(chan *validator, idleMost), compileQuick(doc, 0)
	s.rest(v)
}

// newValidator compiles a schema. Its budget is spent by whatever it evaluates.
func newValidator(doc any) (v *validator, err error) {
	v = &validator{}
	b := &v.budget
	defer func() {
		if r := recover(); r != nil { // a schema must not end the process either
			err = fmt.Errorf("the validator failed: %v", r)
		}
	}()
	b.full(0)
	c := jsonschema.NewCompiler()
	c.RegisterVocabulary(b.vocabulary())
	c.AssertVocabs()
	c.UseRegexpEngine(b.compilePattern)
	c.UseLoader(refuser{})
	c.DefaultDraft(jsonschema.Draft2020)
	const at = "tool:///inputSchema"
	if err := c.AddResource(at, doc); err != nil {
		return nil, err
	}
	v.valid, err = c.Compile(at)
	return v, err
}

// pointer is the JSON Pointer (RFC 6901) of a location.
func pointer(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteByte('/')
		b.WriteString(escapePointer(p))
	}
	return b.String()
}

func escapePointer(part string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
}

func cut(s string) string {
	if len(s) <= maxStatement {
		return s
	}
	return strings.ToValidUTF8(s[:maxStatement], "") + "..."
}

// Unusable tells that the schema is at fault, not the arguments.
func Unusable(findings []durward.Finding) bool {
	return len(findings) > 0 && findings[0].Rule == RuleSchema
}

// Explain says to the model what is wrong with its arguments and where, so
// that it can correct itself.
func Explain(tool string, findings []durward.Finding) string {
	if Unusable(findings) {
		return "The tool " + tool + " cannot be called: " + findings[0].Evidence +
			". No other arguments will help; the operator can repair the server, or set arguments: report for it."
	}
	var b strings.Builder
	b.WriteString("The arguments of " + tool + " do not match its schema; nothing was called.")
	for _, f := range findings {
		where := f.Where
		if where == "" {
			where = "(root)"
		}
		b.WriteString("\n- " + where + ": " + f.Evidence)
	}
	return b.String()
}
