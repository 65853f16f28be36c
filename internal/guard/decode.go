package guard

import (
	"bytes"
	"encoding/json"
	"unsafe"

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

type decoder struct {
	raw []byte
	at  int
}

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
	for d.at++; ; {
		n := bytes.IndexByte(d.raw[d.at:], '"')
		d.at += n + 1
		if !escaped(d.raw[start:d.at]) {
			break
		}
	}
	raw := d.raw[start:d.at]
	if plain := raw[1 : len(raw)-1]; bytes.IndexByte(plain, '\\') < 0 {
		// The text stays where it is: a call's bytes never change, and what is
		// decoded here does not outlive the check. Texts can be megabytes.
		return unsafe.String(unsafe.SliceData(plain), len(plain))
	}
	s, _ := mcpwire.Text(raw)
	return s
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

func (d *decoder) number() any {
	start := d.at
	for d.at < len(d.raw) && !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(d.raw[d.at])) {
		d.at++
	}
	return json.Number(d.raw[start:d.at])
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
