package carrier

import (
	"bytes"
	"slices"
	"strings"

	"durward/internal/guard/lexicon"
	"durward/internal/guard/model"
)

// Definition takes apart a tool, prompt or resource definition: every string
// and key. A parameter's name and its description are read together, since
// one explains the other.
func (r *Reader) Definition(raw []byte, see func(*Piece)) bool {
	whole := true
	d := &definition{reader: r, see: see, whole: &whole, params: map[string][]byte{}}
	if !Walk(raw, d.leaf) {
		whole = false
	}
	return d.finish() && whole
}

type definition struct {
	reader *Reader
	see    func(*Piece)
	whole  *bool
	params map[string][]byte // pointer of a parameter -> its name, until described
	order  []string
}

func (d *definition) leaf(path []string, value []byte, key bool) {
	switch {
	case key:
		d.key(path, value)
	case formal(path, value):
	case d.describes(path):
		at := strings.Join(path[:len(path)-1], "/")
		name := d.params[at]
		delete(d.params, at)
		joined := append(append(append([]byte(nil), name...), ": "...), value...)
		d.text(joined, path, d.place(path))
	default:
		d.text(value, path, d.place(path))
	}
}

// formal reports values that JSON Schema defines, and addresses of the
// protocol itself: they carry no sentence. A short address of a few words has
// no room for one.
func formal(path []string, value []byte) bool {
	if len(path) == 0 {
		return false
	}
	switch path[len(path)-1] {
	case "$schema", "$ref", "$id", "type", "format", "resourceUri", "mimeType":
		return len(value) < 128 && !bytes.ContainsAny(value, " \n") && !hasHigh(value)
	case "uri", "uriTemplate":
		return len(path) == 1 && len(value) <= 48 && !hasHigh(value) && bytes.IndexFunc(value, unusual) < 0 && len(bytes.FieldsFunc(value, apart)) <= 5
	}
	return false
}

// unusual characters encode others in an address.
func unusual(c rune) bool { return c <= ' ' || c == '%' }

// apart parts the words of an address; more of them than a few are a sentence.
func apart(c rune) bool { return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') }

func hasHigh(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// key reads a key: parameter names wait for their description, the words of
// JSON Schema itself say nothing.
func (d *definition) key(path []string, name []byte) {
	if n := len(path); n > 0 && (path[n-1] == "properties" || path[n-1] == "$defs" || path[n-1] == "definitions") {
		at := strings.Join(append(path[:n:n], string(name)), "/")
		d.params[at] = append([]byte(nil), name...)
		d.order = append(d.order, at)
		return
	}
	if len(name) > 24 || slices.Contains(path, "_meta") {
		d.text(name, path, model.Place(d.reader.lex, model.PlaceMeta))
	}
}

func (d *definition) describes(path []string) bool {
	if len(path) < 2 || path[len(path)-1] != "description" {
		return false
	}
	_, ok := d.params[strings.Join(path[:len(path)-1], "/")]
	return ok
}

// finish reads the parameters that nothing described.
func (d *definition) finish() bool {
	for _, at := range d.order {
		if name, ok := d.params[at]; ok {
			d.text(name, strings.Split(at, "/"), model.Place(d.reader.lex, model.PlaceParam, model.PlaceName))
		}
	}
	return *d.whole
}

func (d *definition) text(b []byte, path []string, place lexicon.Set) {
	if len(b) < 3 {
		return
	}
	if !d.reader.Text(b, "/"+strings.Join(path, "/"), place, d.see) {
		*d.whole = false
	}
}

// place tells where in the definition a string stands.
func (d *definition) place(path []string) lexicon.Set {
	var s []model.Shape
	if len(path) == 0 {
		return lexicon.Set{}
	}
	if slices.Contains(path, "inputSchema") || slices.Contains(path, "outputSchema") || slices.Contains(path, "arguments") {
		s = append(s, model.PlaceParam)
	}
	switch last := path[len(path)-1]; {
	case slices.Contains(path, "_meta") || slices.Contains(path, "annotations") && last != "title":
		s = append(s, model.PlaceMeta)
	case last == "title":
		s = append(s, model.PlaceTitle)
	case last == "name" && len(path) == 1:
		s = append(s, model.PlaceName)
	case slices.Contains(path, "enum"), slices.Contains(path, "examples"), last == "default", last == "const", last == "example", last == "pattern":
		s = append(s, model.PlaceEnum)
	case slices.Contains(path, "required"), last == "type", last == "format", last == "$ref":
		s = append(s, model.PlaceRequired)
	}
	return model.Place(d.reader.lex, s...)
}
