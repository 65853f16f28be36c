package pin

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"durward/internal/guard/text"
	"durward/internal/mcpwire"
)

// Class orders differences by how far they reach.
type Class uint8

// The classes of difference.
const (
	Notation Class = iota // same value, written otherwise
	Cosmetic              // wording only, no new reach
	Widening              // optional additions
	Risky                 // what a rug pull would do
)

// String returns the word for the class.
func (c Class) String() string {
	return [...]string{"notation", "cosmetic", "widening", "risky"}[c]
}

// Change is one difference between two definitions.
type Change struct {
	Path   string // JSON pointer
	Class  Class
	Why    string // a sentence for people
	Before string // as JSON, hidden characters escaped, bounded
	After  string
}

// Drift is the difference between two definitions.
type Drift struct {
	Same    bool
	Class   Class
	Changes []Change
}

// Compare explains the difference between what was approved and what came.
func Compare(before, after []byte) (Drift, error) {
	p, err := Of(before)
	if err != nil {
		return Drift{}, err
	}
	q, err := Of(after)
	if err != nil {
		return Drift{}, err
	}
	d := Drift{Same: p.Digest == q.Digest}
	if d.Same {
		return d, nil
	}
	w := &differ{}
	w.value("", before, after)
	d.Changes = w.changes
	for _, c := range d.Changes {
		d.Class = max(d.Class, c.Class)
	}
	return d, nil
}

const maxChanges = 256

type differ struct{ changes []Change }

func (w *differ) value(path string, a, b []byte) {
	if len(w.changes) >= maxChanges || equal(a, b) {
		return
	}
	if mcpwire.IsObject(a) && mcpwire.IsObject(b) {
		w.object(path, a, b)
		return
	}
	if path == "/inputSchema/required" || strings.HasSuffix(path, "/required") {
		w.required(path, a, b)
		return
	}
	class, why := judge(path, a, b)
	w.add(path, class, why, a, b)
}

func (w *differ) object(path string, a, b []byte) {
	names := map[string]bool{}
	for n := range mcpwire.Fields(a) {
		names[n] = true
	}
	for n := range mcpwire.Fields(b) {
		names[n] = true
	}
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	sort.Strings(sorted)
	for _, n := range sorted {
		at := path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n)
		x, inA := mcpwire.Field(a, n)
		y, inB := mcpwire.Field(b, n)
		switch {
		case !inA:
			w.appeared(at, y)
		case !inB:
			w.add(at, gone(at), "removed", x, nil)
		default:
			w.value(at, x, y)
		}
	}
}

func (w *differ) appeared(path string, v []byte) {
	class, why := Widening, "new"
	switch top := topField(path); {
	case strings.HasPrefix(path, "/annotations/"):
		class, why = annotation(path, nil, v)
	case top == "annotations":
		class, why = Widening, "hints appeared"
		if claimsSafety(v) {
			class, why = Risky, "hints appeared that claim it to be harmless"
		}
	case top == "_meta":
		class, why = Risky, "metadata appeared that people do not see"
	case top == "outputSchema":
		class, why = Widening, "the shape of results is new"
	case top == "description" || top == "title" || strings.HasSuffix(path, "/description"):
		class, why = Cosmetic, "text is new"
	case strings.HasSuffix(path, "/required"):
		class, why = Risky, "parameters became mandatory"
	case parameter(path):
		class, why = Widening, "a new parameter"
		if channel(lastField(path)) {
			class, why = Risky, "a new parameter that could carry the conversation or secrets"
		}
	case unknownTop(top):
		class, why = Risky, "a field that MCP does not know"
	}
	w.add(path, class, why, nil, v)
}

func (w *differ) required(path string, a, b []byte) {
	old := map[string]bool{}
	for v := range mcpwire.Elements(a) {
		old[string(v)] = true
	}
	for v := range mcpwire.Elements(b) {
		if !old[string(v)] {
			w.add(path, Risky, "a parameter became mandatory", a, b)
			return
		}
	}
	w.add(path, Cosmetic, "fewer mandatory parameters, or another order", a, b)
}

// judge rates a value that was replaced.
func judge(path string, a, b []byte) (Class, string) {
	switch top := topField(path); {
	case top == "annotations":
		return annotation(path, a, b)
	case top == "_meta":
		return Widening, "metadata changed"
	case top == "description" || top == "title" || strings.HasSuffix(path, "/description") || strings.HasSuffix(path, "/title"):
		if hosts(b) > hosts(a) {
			return Widening, "text changed and names a new address"
		}
		return Cosmetic, "text changed"
	case strings.HasSuffix(path, "/type") || strings.HasSuffix(path, "/enum"):
		return Widening, "accepted values changed"
	case strings.HasSuffix(path, "/default") || strings.HasSuffix(path, "/const"):
		return Widening, "a preset value changed"
	}
	return Widening, "changed"
}

// annotation rates a hint: claiming to be safer than approved is risky.
func annotation(path string, a, b []byte) (Class, string) {
	was, _ := mcpwire.Bool(a)
	is, _ := mcpwire.Bool(b)
	switch lastField(path) {
	case "readOnlyHint", "idempotentHint":
		if is && !was {
			return Risky, "claims to be harmless now"
		}
	case "destructiveHint", "openWorldHint":
		if !is && (was || a == nil) {
			return Risky, "claims to be harmless now"
		}
	}
	return Widening, "a hint changed"
}

func claimsSafety(v []byte) bool {
	read, _ := mcpwire.Field(v, "readOnlyHint")
	is, _ := mcpwire.Bool(read)
	if is {
		return true
	}
	d, ok := mcpwire.Field(v, "destructiveHint")
	destroys, _ := mcpwire.Bool(d)
	return ok && !destroys
}

func gone(path string) Class {
	if topField(path) == "annotations" {
		return Widening
	}
	return Cosmetic
}

func topField(path string) string {
	rest := strings.TrimPrefix(path, "/")
	top, _, _ := strings.Cut(rest, "/")
	return top
}

func lastField(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// parameter reports the pointer of a property in a schema.
func parameter(path string) bool {
	parts := strings.Split(path, "/")
	return len(parts) >= 2 && parts[len(parts)-2] == "properties"
}

// channel reports parameter names that ask for what the tool does not need.
func channel(name string) bool {
	n := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	for _, w := range []string{"sidenote", "context", "conversation", "history", "transcript", "systemprompt", "notes", "trace", "telemetry", "debug", "session", "modelname", "toolslist", "reasoning", "password", "token", "secret", "apikey", "credential", "memo", "annotation", "feedback", "metadata"} {
		if strings.Contains(n, w) {
			return true
		}
	}
	return false
}

func unknownTop(top string) bool {
	switch top {
	case "name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons", "execution", "_meta", "arguments", "uri", "uriTemplate", "mimeType", "size", "x-mcp-header":
		return false
	}
	return true
}

func hosts(v []byte) int { return bytes.Count(v, []byte("://")) }

func equal(a, b []byte) bool {
	x, errA := mcpwire.AppendCanonical(nil, a)
	y, errB := mcpwire.AppendCanonical(nil, b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func (w *differ) add(path string, c Class, why string, a, b []byte) {
	if len(w.changes) < maxChanges {
		w.changes = append(w.changes, Change{Path: path, Class: c, Why: why, Before: visible(a), After: visible(b)})
	}
}

const maxShown = 400

// visible shows JSON with everything that hides written as an escape.
func visible(v []byte) string {
	var b strings.Builder
	for _, r := range string(v) {
		if b.Len() > maxShown {
			b.WriteString("…")
			break
		}
		if r < 0x20 || r == 0x7f || r >= 0x80 && !text.Shown(r) {
			fmt.Fprintf(&b, "\\u{%x}", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
