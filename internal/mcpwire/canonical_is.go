package mcpwire

import "bytes"

// Canonical returns the canonical form of a scanned JSON value (RFC 8785):
// value itself where a glance shows that it is canonical, else what
// [AppendCanonical] appends to room.
func Canonical(room, value []byte) ([]byte, error) {
	if n := glance(value, 0, 0); n > 0 && n == len(value) {
		return value, nil
	}
	return AppendCanonical(room, value)
}

// glance returns where the value at i ends when it is canonical for sure: no
// white space, no escapes, keys of ASCII in order, numbers as short as can be.
// Otherwise it returns -1.
func glance(src []byte, i, depth int) (end int) {
	if i >= len(src) || depth > MaxDepth {
		return -1
	}
	switch src[i] {
	case '{':
		return glanceObject(src, i, depth)
	case '[':
		return glanceArray(src, i, depth)
	case '"':
		return glanceString(src, i)
	case 't', 'f', 'n':
		end = skipValue(src, i)
		switch string(src[i:end]) {
		case "true", "false", "null":
			return end
		}
		return -1
	}
	if end = scanNumber(src, i); end < 0 || !isShortest(src[i:end]) {
		return -1
	}
	return end
}

func glanceArray(src []byte, i, depth int) int {
	if i++; i < len(src) && src[i] == ']' {
		return i + 1
	}
	for {
		if i = glance(src, i, depth+1); i < 0 || i >= len(src) || (src[i] != ',' && src[i] != ']') {
			return -1
		}
		if i++; src[i-1] == ']' {
			return i
		}
	}
}

func glanceObject(src []byte, i, depth int) int {
	if i++; i < len(src) && src[i] == '}' {
		return i + 1
	}
	var last []byte // key
	for {
		colon := glanceString(src, i)
		if colon < 0 || colon >= len(src) || src[colon] != ':' {
			return -1
		}
		key := src[i : colon-1]
		if bytes.Compare(last, key) >= 0 || !isASCII(key) {
			return -1
		}
		last = key
		if i = glance(src, colon+1, depth+1); i < 0 || i >= len(src) || (src[i] != ',' && src[i] != '}') {
			return -1
		}
		if i++; src[i-1] == '}' {
			return i
		}
	}
}

// glanceString goes over a string without escapes.
func glanceString(src []byte, i int) int {
	if i >= len(src) || src[i] != '"' {
		return -1
	}
	for i++; ; {
		if i = plain(src, i); i >= len(src) {
			return -1
		}
		switch {
		case src[i] == '"':
			return i + 1
		case src[i] < 0x80: // an escape, or none of JSON's
			return -1
		}
		if i = foreign(src, i); i < 0 {
			return -1
		}
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
