package catalog

import "strings"

// plain tells whether a URI can be read in one way only, so that a rule which
// matched its text has matched what the upstream will make of it. It refuses
// dot segments, empty segments, backslashes, control characters, and escapes of
// what need not be escaped or would be a separator (RFC 3986, section 6.2.2).
// URIs that an upstream listed itself need not be plain.
func plain(uri string) bool {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || scheme == "" || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' || r == 0xFFFD }) {
		return false
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, _, _ := strings.Cut(rest, "?")
	if !plainEscapes(uri) {
		return false
	}
	path, slashed := strings.CutPrefix(path, "//")
	if slashed {
		_, path, _ = strings.Cut(path, "/") // behind the authority
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if s == "." || s == ".." || (s == "" && i > 0 && i < len(segments)-1) {
			return false
		}
	}
	return !slashed || len(segments) < 2 || segments[0] != ""
}

// plainEscapes refuses percent-escapes that are broken, that spell a separator
// or another escape, or that spell what stands for itself.
func plainEscapes(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return true
		}
		if len(s) < i+3 {
			return false
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return false
		}
		c := byte(hi<<4 | lo)
		alone := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
		if alone || c < ' ' || strings.IndexByte("/\\%", c) >= 0 {
			return false
		}
		s = s[i+3:]
	}
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
