package guard

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// quick is a schema of the simple kind that most tools have, compiled to
// something that can be held against the bytes of the arguments as they are.
// It only ever says "certainly valid": whatever it does not understand, or
// finds at fault, goes to the full validator, which also knows what to say.
type quick struct {
	types      typeSet // zero: any
	properties map[string]*quick
	bit        map[string]int // of a required property
	required   uint64         // all bits that must be seen
	closed     bool           // additionalProperties: false
	items      *quick
	enum       []string // texts only
	min, max   float64  // of numbers
	length     bounds   // minLength, maxLength
	count      bounds   // minItems, maxItems
}

type bounds struct{ least, most int }

func (b bounds) hold(n int) bool { return n >= b.least && n <= b.most }

type typeSet uint8

const (
	isString typeSet = 1 << iota
	isInteger
	isNumber
	isBoolean
	isNull
	isObject
	isArray
)

var typeNames = map[string]typeSet{
	"string": isString, "integer": isInteger, "number": isNumber | isInteger, "boolean": isBoolean,
	"null": isNull, "object": isObject, "array": isArray,
}

// silent are the keywords that say nothing about validity. Others that are
// not handled in compileQuick make a schema one for the full validator.
var silent = []string{"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "x-mcp-header"}

const (
	maxQuickDepth    = 16
	maxQuickRequired = 64
)

// compileQuick compiles a decoded schema; nil when it is not simple.
func compileQuick(doc any, depth int) *quick {
	m, ok := doc.(map[string]any)
	if !ok || depth > maxQuickDepth {
		return nil
	}
	unbounded := bounds{most: math.MaxInt}
	q := &quick{min: math.Inf(-1), max: math.Inf(1), length: unbounded, count: unbounded}
	for key, v := range m {
		if !slices.Contains(silent, key) && !q.keyword(key, v, depth) {
			return nil
		}
	}
	return q
}

// keyword takes over one keyword; false when it cannot.
func (q *quick) keyword(key string, v any, depth int) (ok bool) {
	switch key {
	case "$schema":
		return depth == 0 && v == "https://json-schema.org/draft/2020-12/schema"
	case "type":
		return q.setTypes(v)
	case "properties":
		return q.setProperties(v, depth)
	case "required":
		return q.setRequired(v)
	case "additionalProperties":
		open, isBool := v.(bool)
		q.closed = !open
		return isBool
	case "items":
		q.items = compileQuick(v, depth+1)
		return q.items != nil
	case "enum":
		return q.setEnum(v)
	case "minimum":
		q.min, ok = number(v)
	case "maximum":
		q.max, ok = number(v)
	case "minLength":
		q.length.least, ok = count(v)
	case "maxLength":
		q.length.most, ok = count(v)
	case "minItems":
		q.count.least, ok = count(v)
	case "maxItems":
		q.count.most, ok = count(v)
	}
	return ok
}

func (q *quick) setTypes(v any) bool {
	names, list := v.([]any)
	if !list {
		names = []any{v}
	}
	for _, n := range names {
		name, ok := n.(string)
		if !ok || typeNames[name] == 0 {
			return false
		}
		q.types |= typeNames[name]
	}
	return len(names) > 0
}

func (q *quick) setProperties(v any, depth int) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	q.properties = make(map[string]*quick, len(m))
	for name, sub := range m {
		if q.properties[name] = compileQuick(sub, depth+1); q.properties[name] == nil {
			return false
		}
	}
	return true
}

func (q *quick) setRequired(v any) bool {
	list, ok := v.([]any)
	if !ok || len(list) > maxQuickRequired {
		return false
	}
	q.bit = make(map[string]int, len(list))
	for i, n := range list {
		name, ok := n.(string)
		if !ok {
			return false
		}
		q.bit[name] = i
		q.required |= 1 << i
	}
	return len(q.bit) == len(list)
}

func (q *quick) setEnum(v any) bool {
	list, ok := v.([]any)
	for _, e := range list {
		text, isText := e.(string)
		if !isText {
			return false
		}
		q.enum = append(q.enum, text)
	}
	return ok && len(q.enum) > 0
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && math.Abs(f) < 1<<53
}

func count(v any) (int, bool) {
	f, ok := number(v)
	return int(f), ok && f == math.Trunc(f) && f >= 0
}

// accepts tells whether scanned JSON is certainly valid.
func (q *quick) accepts(raw []byte) bool {
	d := decoder{raw: raw}
	return q.value(&d)
}

func (q *quick) value(d *decoder) bool {
	switch d.skip(); d.raw[d.at] {
	case '{':
		return q.allows(isObject) && q.enum == nil && q.object(d)
	case '[':
		return q.allows(isArray) && q.enum == nil && q.array(d)
	case '"':
		return q.allows(isString) && q.text(d.rawText())
	case 't', 'f', 'n':
		t := isBoolean
		if d.raw[d.at] == 'n' {
			t = isNull
		}
		d.pass()
		return q.allows(t) && q.enum == nil
	default:
		start := d.at
		d.pass()
		return q.enum == nil && q.number(d.raw[start:d.at])
	}
}

func (q *quick) allows(t typeSet) bool { return q.types == 0 || q.types&t != 0 }

func (q *quick) object(d *decoder) bool {
	seen := uint64(0)
	for d.at++; d.skip() != '}'; {
		if d.raw[d.at] == ',' {
			d.at++
			d.skip()
		}
		key := d.rawText()
		if bytes.IndexByte(key, '\\') >= 0 {
			return false
		}
		d.skip() // the colon
		d.at++
		if i, needed := q.bit[string(key)]; needed {
			seen |= 1 << i
		}
		sub := q.properties[string(key)]
		switch {
		case sub != nil && !sub.value(d):
			return false
		case sub == nil && q.closed:
			return false
		case sub == nil:
			d.pass()
		}
	}
	d.at++
	return seen == q.required
}

func (q *quick) array(d *decoder) bool {
	n := 0
	for d.at++; d.skip() != ']'; n++ {
		if d.raw[d.at] == ',' {
			d.at++
		}
		if q.items == nil {
			d.skip()
			d.pass()
		} else if !q.items.value(d) {
			return false
		}
	}
	d.at++
	return q.count.hold(n)
}

func (q *quick) text(raw []byte) bool {
	if q.enum == nil && q.length == (bounds{most: math.MaxInt}) {
		return true
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		return false
	}
	if q.enum != nil && !slices.Contains(q.enum, string(raw)) {
		return false
	}
	return q.length.hold(utf8.RuneCount(raw))
}

// number takes integers that every parser holds exactly, and other numbers
// where nothing depends on their value.
func (q *quick) number(raw []byte) bool {
	n, err := strconv.ParseInt(string(raw), 10, 54)
	if err != nil {
		return q.allows(isNumber) && math.IsInf(q.min, -1) && math.IsInf(q.max, 1)
	}
	return q.allows(isInteger) && float64(n) >= q.min && float64(n) <= q.max
}
