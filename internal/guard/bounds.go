package guard

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A schema comes from an upstream and may be made to cost: a few hundred bytes
// of nested anyOf are 2^30 evaluations. Three bounds hold together: how many
// ways lead through the schema, counted when it is compiled; which keywords may
// stand in one that refers to itself; and a budget that each validation spends
// as it goes.
const (
	maxWays    = 20_000
	baseBudget = 100_000 // evaluations of one validation, and one more for each byte of the arguments
)

// tooCostly ends a validation that has spent its budget. It travels as a panic
// through the library, which has no other way to be stopped.
type tooCostly struct{}

// budget is spent by one validation at a time.
type budget struct {
	left int
	slow time.Duration // left for patterns that go back and try again
}

// full is the budget of one validation of size bytes.
func (b *budget) full(size int) { b.left, b.slow = baseBudget+size, slowMost }

func (b *budget) spend(n int) {
	if b.left -= n; b.left < 0 {
		panic(tooCostly{})
	}
}

// Validate implements jsonschema.SchemaExt: each evaluation of each subschema
// passes here.
func (b *budget) Validate(_ *jsonschema.ValidatorContext, v any) {
	cost := 1
	if text, ok := v.(string); ok {
		cost += len(text) >> 6
	}
	b.spend(cost)
}

// vocabulary makes the library ask the budget at every subschema.
func (b *budget) vocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL:     "urn:durward:budget",
		Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) { return b, nil },
	}
}

// ways counts the ways that lead through a schema, and finds out whether it
// refers to itself.
type ways struct {
	root      any
	known     map[string]int // by JSON Pointer; 0 while it is being counted
	recursive bool           // a way leads back, or where it leads cannot be told
	twice     bool           // a keyword looks at the same value again, without passing the budget first
}

// checkWays refuses schemas that could cost more than the budget can stop.
func checkWays(doc any) error {
	w := &ways{root: doc, known: make(map[string]int)}
	n := w.count("#", doc)
	switch {
	case n > maxWays:
		return fmt.Errorf("it is too branched: more than %d ways lead through it", maxWays)
	case w.recursive && w.twice:
		return errors.New("it refers to itself and uses contains or dependent schemas, which cannot be bounded")
	}
	return nil
}

func (w *ways) count(at string, v any) int {
	if n, seen := w.known[at]; seen {
		w.recursive = w.recursive || n == 0
		return max(n, 1)
	}
	w.known[at] = 0
	n := 1
	switch v := v.(type) {
	case map[string]any:
		n += w.countObject(at, v)
	case []any:
		for i, e := range v {
			n += w.count(fmt.Sprintf("%s/%d", at, i), e)
		}
	}
	n = min(n, maxWays+1)
	w.known[at] = n
	return n
}

func (w *ways) countObject(at string, m map[string]any) (n int) {
	for key, sub := range m {
		switch key {
		case "contains", "dependentSchemas", "dependencies":
			w.twice = true
		case "$dynamicRef", "$recursiveRef":
			w.recursive = true
		case "$ref":
			ref, _ := sub.(string)
			target, ok := w.resolve(ref)
			if !ok {
				w.recursive = true // an anchor or an $id: who knows
				continue
			}
			n += w.count(ref, target)
			continue
		}
		n = min(n+w.count(at+"/"+escapePointer(key), sub), maxWays+1)
	}
	return n
}

// resolve follows a local JSON Pointer.
func (w *ways) resolve(ref string) (any, bool) {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok || (path != "" && path[0] != '/') {
		return nil, false
	}
	at := w.root
	for _, part := range strings.Split(path, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch v := at.(type) {
		case map[string]any:
			if at, ok = v[part]; !ok {
				return nil, false
			}
		default: // into a list, or percent-encoded: leave it to the library
			return nil, false
		}
	}
	return at, true
}
