package scan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"durward"
	"durward/internal/mcpwire"
)

// lineOf is the line of the source that a finding stands in; 0 when the source
// has no lines of its own: a server, or lines that are told by their number.
func (r *Result) lineOf(f *durward.Finding) int {
	if r.Line > 0 || r.doc == nil {
		return r.Line
	}
	if n, ok := strings.CutPrefix(f.Where, "line "); ok {
		n, _, _ = strings.Cut(n, ",")
		if line, err := strconv.Atoi(n); err == nil {
			return line
		}
	}
	var start, end int
	if n, err := fmt.Sscanf(f.Where, "bytes %d-%d", &start, &end); n == 2 && err == nil {
		return lineAt(r.doc, start)
	}
	return lineAt(r.doc, within(r.doc, deepest(r.raw, f.Where)))
}

func lineAt(doc []byte, i int) int {
	return 1 + bytes.Count(doc[:min(max(i, 0), len(doc))], []byte("\n"))
}

// deepest is the value at a JSON Pointer, or the last on the way that is there.
func deepest(value []byte, pointer string) []byte {
	for _, name := range strings.Split(pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		next, ok := mcpwire.Field(objectOr(value), name)
		if n, err := strconv.Atoi(name); err == nil && mcpwire.IsArray(value) {
			for e := range mcpwire.Elements(value) {
				if n--; n < 0 {
					next, ok = e, true
					break
				}
			}
		}
		if !ok {
			break
		}
		value = next
	}
	return value
}

func objectOr(v []byte) []byte {
	if mcpwire.IsObject(v) {
		return v
	}
	return []byte("{}")
}

// within is where a part of a document stands in it, by its address.
func within(doc, part []byte) int {
	if len(part) == 0 {
		return 0
	}
	for from := 0; ; {
		i := bytes.Index(doc[from:], part)
		if i < 0 {
			return 0
		}
		if from += i; &doc[from] == &part[0] {
			return from
		}
		from++
	}
}

// pathAt names the members that lead to a place in a JSON text:
// mcpServers/crm/env/TOKEN. It is "" where the text is none.
func pathAt(raw []byte, i int) string {
	if mcpwire.Value(raw, mcpwire.Limits{Bytes: LargestDocument}) != nil {
		return ""
	}
	var names []string
	for value := raw; mcpwire.IsObject(value); {
		next := []byte(nil)
		for name, v := range mcpwire.Fields(value) {
			if at := within(raw, v); at <= i && i < at+len(v) {
				names, next = append(names, name), v
				break
			}
		}
		value = next
	}
	return strings.Join(names, "/")
}

// fingerprint tells a finding from others, wherever its file and line have
// gone to meanwhile.
func (r *Result) fingerprint(f *durward.Finding) string {
	where := f.Where
	if !strings.HasPrefix(where, "/") {
		where = ""
	}
	h := sha256.New()
	for _, s := range []string{f.Rule, r.Part, where, f.Evidence} {
		fmt.Fprintf(h, "%d %s\n", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
