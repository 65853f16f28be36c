package guard

import (
	"strings"

	"durward/internal/mcpwire"
)

// NewReport returns the report of nothing: allowed, without findings.
func NewReport() *Report { return newReport() }

// Merge takes over what another report saw.
func (r *Report) Merge(o *Report) {
	r.Effect, r.Would = min(r.Effect, o.Effect), min(r.Would, o.Would)
	r.Score = max(r.Score, o.Score)
	r.Partial, r.Changed = r.Partial || o.Partial, r.Changed || o.Changed
	r.Findings = append(r.Findings, o.Findings...)
}

// Prefix puts the place of a part before the places of its findings.
func (r *Report) Prefix(at string) {
	for i := range r.Findings {
		r.Findings[i].Where = at + r.Findings[i].Where
	}
}

// members are the names of a schema's properties.
func members(schema []byte) []string {
	props, ok := mcpwire.Field(schema, "properties")
	if !ok || !mcpwire.IsObject(props) {
		return nil
	}
	var out []string
	for name := range mcpwire.Fields(props) {
		out = append(out, name)
	}
	return out
}

// Formats reads the formats that a schema declares for its properties, by the
// JSON pointer of the argument.
func Formats(schema []byte) map[string]string {
	props, ok := mcpwire.Field(schema, "properties")
	if !ok || !mcpwire.IsObject(props) {
		return nil
	}
	var out map[string]string
	for name, def := range mcpwire.Fields(props) {
		if !mcpwire.IsObject(def) {
			continue
		}
		if f, ok := mcpwire.FieldText(def, "format"); ok {
			if out == nil {
				out = map[string]string{}
			}
			out["/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name)] = f
		}
	}
	return out
}
