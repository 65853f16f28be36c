package mcpwire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"durward"
)

// The routing headers, in the spelling of net/http.
const (
	HeaderVersion     = "Mcp-Protocol-Version"
	HeaderMethod      = "Mcp-Method"
	HeaderName        = "Mcp-Name"
	HeaderParamPrefix = "Mcp-Param-"
	HeaderSession     = "Mcp-Session-Id"
	HeaderLastEvent   = "Last-Event-Id"
)

const (
	sentinelOpen  = "=?base64?"
	sentinelClose = "?="
	maxSafe       = 1<<53 - 1
)

// EncodeHeader makes a value fit for Mcp-Name or Mcp-Param-*: as it is when it
// is printable ASCII without space around, else in the base64 sentinel (MCP
// 2026-07-28, value encoding).
func EncodeHeader(v string) string {
	if isPlainHeader(v) && !(strings.HasPrefix(v, sentinelOpen) && strings.HasSuffix(v, sentinelClose)) {
		return v
	}
	return sentinelOpen + base64.StdEncoding.EncodeToString([]byte(v)) + sentinelClose
}

func isPlainHeader(v string) bool {
	if v == "" {
		return true
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return false
		}
	}
	return v[0] != ' ' && v[len(v)-1] != ' '
}

// DecodeHeader undoes [EncodeHeader] after trimming white space. It refuses
// what is not printable ASCII, a sentinel that holds no base64, and text that
// is not UTF-8.
func DecodeHeader(h string) (string, error) {
	h = strings.Trim(h, " \t")
	for i := range len(h) {
		if (h[i] < ' ' && h[i] != '\t') || h[i] > '~' {
			return "", errors.New("invalid character")
		}
	}
	if len(h) < len(sentinelOpen)+len(sentinelClose) || !strings.HasPrefix(h, sentinelOpen) || !strings.HasSuffix(h, sentinelClose) {
		return h, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(h[len(sentinelOpen) : len(h)-len(sentinelClose)])
	if err != nil {
		return "", errors.New("invalid base64")
	}
	if !utf8.Valid(b) {
		return "", errors.New("invalid UTF-8")
	}
	return string(b), nil
}

// HeaderField is one header to send.
type HeaderField struct{ Name, Value string }

// ParamFields returns the Mcp-Param-* headers that mirror a call's arguments
// (MCP 2026-07-28, client behaviour). Values that are absent, null, or of no
// type that can be mirrored have no header.
func ParamFields(arguments []byte, headers []durward.ParamHeader) []HeaderField {
	var out []HeaderField
	for _, h := range headers {
		v, ok := Path(arguments, h.Path...)
		if !ok {
			continue
		}
		if text, ok := mirrored(v); ok {
			out = append(out, HeaderField{HeaderParamPrefix + h.Header, EncodeHeader(text)})
		}
	}
	return out
}

// mirrored returns what a header says for an argument.
func mirrored(v []byte) (string, bool) {
	if text, ok := Text(v); ok {
		return text, true
	}
	if is, ok := Bool(v); ok {
		return strconv.FormatBool(is), true
	}
	if n, ok := safeInteger(string(v)); ok {
		return strconv.FormatInt(n, 10), true
	}
	return "", false
}

// safeInteger reads a number that is an integer within what every JSON parser
// holds exactly; 42.0 is 42.
func safeInteger(s string) (int64, bool) {
	if s == "" || len(s) > 64 || scanNumber([]byte(s), 0) != len(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > maxSafe {
		return 0, false
	}
	return int64(f), true
}

// CheckParams compares the Mcp-Param-* headers of a modern HTTP request with
// its arguments: each argument that is present and not null needs its header,
// each header its argument, and they must agree; integers are compared
// numerically. values returns the values of a header, as http.Header.Values
// does. Headers that the tool does not declare are not looked at.
func CheckParams(arguments []byte, headers []durward.ParamHeader, values func(name string) []string) *durward.RPCError {
	for _, h := range headers {
		name := HeaderParamPrefix + h.Header
		v, ok := Path(arguments, h.Path...)
		if bad := checkParam(v, ok && !IsNull(v), values(name)); bad != "" {
			return HeaderMismatch(name + " " + bad)
		}
	}
	return nil
}

func checkParam(arg []byte, present bool, values []string) (bad string) {
	switch {
	case len(values) == 0 && !present:
		return ""
	case len(values) == 0:
		return "is missing"
	case !present:
		return "has no argument in the body"
	case len(values) > 1:
		return "appears more than once"
	}
	said, err := DecodeHeader(values[0])
	if err != nil {
		return "has an " + err.Error()
	}
	want, ok := mirrored(arg)
	if !ok {
		return "cannot mirror its argument"
	}
	if said == want {
		return ""
	}
	n, isNumber := safeInteger(said)
	if isNumber && !IsString(arg) && strconv.FormatInt(n, 10) == want {
		return ""
	}
	return "does not match the body"
}

// ParamHeaders reads the x-mcp-header annotations of a tool's inputSchema. An
// error says why the annotations, and with them the tool, are invalid: an HTTP
// client has to drop such a tool from its list (MCP 2026-07-28, custom headers
// from tool parameters).
func ParamHeaders(inputSchema []byte) ([]durward.ParamHeader, error) {
	w := paramWalk{seen: map[string]bool{}}
	if err := w.schema(inputSchema, nil, true); err != nil {
		return nil, err
	}
	return w.out, nil
}

type paramWalk struct {
	out  []durward.ParamHeader
	seen map[string]bool // lower-case header names
}

// schema walks one schema; reachable tells that only properties led here.
func (w *paramWalk) schema(schema []byte, path []string, reachable bool) error {
	for m := range members(schema) {
		v := m.of(schema)
		var err error
		switch key := rawText(m.rawKey(schema)); key {
		case "x-mcp-header":
			err = w.annotation(v, schema, path, reachable)
		case "properties":
			err = w.properties(v, path, reachable)
		case "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
			err = w.properties(v, path, false)
		case "items", "prefixItems", "contains", "additionalItems", "unevaluatedItems", "additionalProperties",
			"unevaluatedProperties", "propertyNames", "oneOf", "anyOf", "allOf", "not", "if", "then", "else", "contentSchema":
			err = w.unreachable(v, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *paramWalk) properties(props []byte, path []string, reachable bool) error {
	for m := range members(props) {
		step := append(path[:len(path):len(path)], rawText(m.rawKey(props)))
		if err := w.schema(m.of(props), step, reachable); err != nil {
			return err
		}
	}
	return nil
}

func (w *paramWalk) unreachable(v []byte, path []string) error {
	for e := range Elements(v) {
		if err := w.schema(e, path, false); err != nil {
			return err
		}
	}
	return w.schema(v, path, false)
}

func (w *paramWalk) annotation(v, schema []byte, path []string, reachable bool) error {
	name, ok := Text(v)
	if !ok || !isToken(name) {
		return fmt.Errorf("x-mcp-header %.64s is no header name", v)
	}
	if !reachable || len(path) == 0 {
		return fmt.Errorf("x-mcp-header %q is not reachable through properties alone", clip(name))
	}
	kind, _ := FieldText(schema, "type")
	if kind != "string" && kind != "integer" && kind != "boolean" {
		return fmt.Errorf("x-mcp-header %q is on a parameter that is no string, integer or boolean", clip(name))
	}
	low := strings.ToLower(name)
	if w.seen[low] {
		return fmt.Errorf("x-mcp-header %q appears twice", clip(name))
	}
	w.seen[low] = true
	w.out = append(w.out, durward.ParamHeader{Header: name, Path: path, Type: kind})
	return nil
}

// isToken reports whether s is an RFC 9110 token.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
