package guard

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"durward"
)

// violations flattens the validator's tree to its leaves, which say what is
// wrong where. name is that of the property whose name is judged; "" for none.
func (s *Schemas) violations(e *jsonschema.ValidationError, name string, out []durward.Finding) []durward.Finding {
	if n, ok := e.ErrorKind.(*kind.PropertyNames); ok {
		name = n.Property
	}
	_, contains := e.ErrorKind.(*kind.Contains) // none of its causes need be mended: one item would do
	for _, cause := range e.Causes {
		if len(out) == maxFindings || contains {
			break
		}
		out = s.violations(cause, name, out)
	}
	if len(e.Causes) > 0 && !contains || len(out) == maxFindings {
		return out
	}
	if _, group := e.ErrorKind.(*kind.Group); group {
		return out
	}
	text := s.say(e)
	if name != "" {
		text = fmt.Sprintf("propertyNames: the name %s: %s", quoted(name), text)
	}
	return append(out, durward.Finding{
		Rule: RuleArguments, Vector: vectorInput, Severity: "low",
		Where:    pointer(e.InstanceLocation),
		Evidence: cut(text),
	})
}

// say names the rule and what is wrong.
func (s *Schemas) say(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Not:
		return "not: this is what the schema excludes"
	case *kind.FalseSchema: // of which the library names no rule: the schema's own place does
		return e.SchemaURL[strings.LastIndexByte(e.SchemaURL, '/')+1:] + ": not allowed here"
	case *kind.DependentRequired:
		return "dependentRequired: " + needs(k.Prop, k.Missing)
	case *kind.Dependency:
		return "dependencies: " + needs(k.Prop, k.Missing)
	case *kind.Minimum:
		return limit("minimum", k.Got, "at least", k.Want)
	case *kind.Maximum:
		return limit("maximum", k.Got, "at most", k.Want)
	case *kind.ExclusiveMinimum:
		return limit("exclusiveMinimum", k.Got, "more than", k.Want)
	case *kind.ExclusiveMaximum:
		return limit("exclusiveMaximum", k.Got, "less than", k.Want)
	case *kind.MultipleOf:
		return limit("multipleOf", k.Got, "a multiple of", k.Want)
	}
	text := e.ErrorKind.LocalizedString(s.printer)
	path := e.ErrorKind.KeywordPath()
	if len(path) == 0 || strings.HasPrefix(text, path[len(path)-1]+":") {
		return text
	}
	return path[len(path)-1] + ": " + text
}

// needs tells of properties that another one brings with it.
func needs(property string, missing []string) string {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = quoted(m)
	}
	return fmt.Sprintf("with %s there must be %s", quoted(property), strings.Join(names, ", "))
}

// limit tells of a number in the figures in which it stands, not rounded.
func limit(rule string, got *big.Rat, how string, want *big.Rat) string {
	return fmt.Sprintf("%s: got %s, want %s %s", rule, decimal(got), how, decimal(want))
}

// decimal writes a number out, unless that is long.
func decimal(r *big.Rat) string {
	const most = 30
	if text := r.RatString(); r.IsInt() && len(text) <= most {
		return text
	}
	if places, exact := r.FloatPrec(); exact && places <= most {
		return r.FloatString(places)
	}
	f, _ := r.Float64()
	return fmt.Sprint(f)
}

// quoted writes a name as JSON does.
func quoted(name string) string {
	b, err := json.Marshal(name)
	if err != nil { // a string always marshals
		return name
	}
	return string(b)
}
