package args

import (
	"strings"
	"unsafe"

	"durward/internal/guard/carrier"
)

// Tool is what is known of a tool before it is called. It never changes.
type Tool struct {
	words   []string // of its name
	public  bool     // it shows strangers what it is given, at once
	formats map[string]string
	fields  map[string]Field // what arguments are for, by name
}

// mostFields bounds the names of a tool's arguments that are typed beforehand.
const mostFields = 16

// For prepares the judgement of calls of a tool. name is the upstream's name
// of it; a schema, when given, types the fields by their format. names are the
// arguments that it takes, as far as they are known.
func For(name string, formats map[string]string, names ...string) *Tool {
	t := &Tool{words: words(name), formats: formats, fields: map[string]Field{}}
	t.public = any(t.words, "comment", "comments", "reply", "review", "feedback", "guestbook")
	for _, n := range names[:min(len(names), mostFields)] {
		t.fields[n] = fieldOf(t.words, []string{n}, t.format([]string{n}))
	}
	return t
}

// field is what an argument is for.
func (t *Tool) field(path []string) Field {
	if len(path) == 1 {
		if f, known := t.fields[path[0]]; known {
			return f
		}
	}
	return fieldOf(t.words, path, t.format(path))
}

func (t *Tool) format(path []string) string {
	if len(t.formats) == 0 {
		return ""
	}
	return t.formats[pointer(path)]
}

func pointer(path []string) string { return "/" + strings.Join(path, "/") }

// Inspect judges the arguments of one call. tool is the upstream's name of the
// tool; a schema, when given, types the fields by their format.
func Inspect(tool string, arguments []byte, formats map[string]string) ([]Finding, bool) {
	return For(tool, formats).Inspect(arguments)
}

// Inspect judges the arguments of one call.
func (t *Tool) Inspect(arguments []byte) ([]Finding, bool) {
	var out []Finding
	whole := true
	walked := carrier.Walk(arguments, func(path []string, value []byte, key bool) {
		if key && !carrier.IsName(value) {
			if f := member(t.words, path, string(value)); f.Rule != "" {
				f.Where = pointer(path)
				out = append(out, f)
			}
		}
		if key || len(value) == 0 {
			return
		}
		f := t.field(path)
		text := unsafe.String(unsafe.SliceData(value), len(value)) // it does not change, and no finding quotes it
		best, all := judgeAll(f, text, t.public)
		if x := placed(t.words, path, f, text); x.Score > best.Score {
			best = x
		}
		whole = whole && all
		if best.Rule != "" {
			best.Where = pointer(path)
			out = append(out, best)
		}
	})
	return out, whole && walked
}
