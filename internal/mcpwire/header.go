package mcpwire

import (
	"encoding/base64"
	"errors"
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
	looksEncoded := strings.HasPrefix(v, sentinelOpen) && strings.HasSuffix(v, sentinelClose)
	if isPlainHeader(v) && !looksEncoded {
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
