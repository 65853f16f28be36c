package guard

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unsafe"

	"durward"
	"durward/internal/mcpwire"
)

// decode turns JSON that was scanned strictly already into the values that
// the schema validator reads: map[string]any, []any, string, json.Number,
// bool, nil. It goes over the bytes once, whatever their nesting. The strings
// may share the bytes: use the value before they are given back.
func decode(raw []byte) any {
	d := decoder{raw: raw}
	return d.value()
}

// decodeChecked does the same and reports a number that no validator should
// be asked about: exact arithmetic on 1e999999999 ends badly.
func decodeChecked(raw []byte) (any, *durward.Finding) {
	d := decoder{raw: raw}
	v := d.value()
	if d.wild == nil {
		return v, nil
	}
	return nil, &durward.Finding{Rule: RuleNumber, Vector: vectorInput, Severity: "low", Where: "/" + escapePointer(d.wildKey),
		Evidence: cut("number: " + string(d.wild) + " is out of range")}
}

type decoder struct {
	raw     []byte
	at      int
	key     string // the last one that was read
	wild    []byte // the first number out of range, and under which key
	wildKey string
}

// Numbers beyond these bounds are out of range: longer than any that is meant,
// or beyond what a double can hold.
const (
	maxNumber   = 400 // characters
	maxExponent = 400
)

func (d *decoder) value() any {
	switch d.skip(); d.raw[d.at] {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		return d.text()
	case 't':
		d.at += len("true")
		return true
	case 'f':
		d.at += len("false")
		return false
	case 'n':
		d.at += len("null")
		return nil
	default:
		return d.number()
	}
}

func (d *decoder) object() any {
	m := make(map[string]any)
	for d.at++; d.skip() != '}'; {
		if d.raw[d.at] == ',' {
			d.at++
			d.skip()
		}
		key := d.text()
		d.skip() // the colon
		d.at++
		d.key = key
		m[key] = d.value()
	}
	d.at++
	return m
}

func (d *decoder) array() any {
	list := []any{}
	for d.at++; d.skip() != ']'; {
		if d.raw[d.at] == ',' {
			d.at++
		}
		list = append(list, d.value())
	}
	d.at++
	return list
}

func (d *decoder) text() string {
	start := d.at
	plain := d.rawText()
	if bytes.IndexByte(plain, '\\') < 0 {
		// The text stays where it is: a call's bytes never change, and what is
		// decoded here does not outlive the check. Texts can be megabytes.
		return unsafe.String(unsafe.SliceData(plain), len(plain))
	}
	s, _ := mcpwire.Text(d.raw[start:d.at])
	return s
}

// rawText goes over a string and returns what stands between its quotes.
func (d *decoder) rawText() []byte {
	start := d.at
	for d.at++; ; {
		d.at += bytes.IndexByte(d.raw[d.at:], '"') + 1
		if !escaped(d.raw[start:d.at]) {
			return d.raw[start+1 : d.at-1]
		}
	}
}

// pass goes over one value.
func (d *decoder) pass() {
	for depth := 0; ; {
		switch d.raw[d.at] {
		case '"':
			d.rawText()
		case '{', '[':
			depth++
			d.at++
		case '}', ']':
			depth--
			d.at++
		case ' ', '\t', '\r', '\n', ',', ':':
			d.at++
			continue
		default:
			d.number()
		}
		if depth == 0 {
			return
		}
	}
}

// escaped tells whether the last quote of a string under way is escaped: an
// odd number of backslashes stands before it.
func escaped(s []byte) bool {
	n := 0
	for i := len(s) - 2; i > 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// number goes over a number, or a word.
func (d *decoder) number() json.Number {
	start := d.at
	for d.at < len(d.raw) && strings.IndexByte(" \t\r\n,]}", d.raw[d.at]) < 0 {
		d.at++
	}
	if n := d.raw[start:d.at]; d.wild == nil && isWild(n) {
		d.wild, d.wildKey = n, d.key
	}
	return json.Number(d.raw[start:d.at])
}

func isWild(n []byte) bool {
	if len(n) > maxNumber {
		return true
	}
	i := bytes.IndexAny(n, "eE")
	if i < 0 {
		return false
	}
	exponent, err := strconv.Atoi(string(n[i+1:]))
	return err != nil || exponent > maxExponent || exponent < -maxExponent
}

// skip goes over white space and returns the byte behind it.
func (d *decoder) skip() byte {
	for {
		switch d.raw[d.at] {
		case ' ', '\t', '\r', '\n':
			d.at++
		default:
			return d.raw[d.at]
		}
	}
}
