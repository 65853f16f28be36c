package args

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// traversalPlain judges fields of unknown type more mildly.
func traversalPlain(s string) Finding {
	flat := strings.ReplaceAll(strings.ToLower(s), "\\", "/")
	if strings.IndexByte(flat, '[') >= 0 {
		flat = globbed(flat)
	}
	if strings.Contains(flat, "/etc/passwd") || strings.Contains(flat, "/etc/shadow") { // a file first, whatever else
		f := Finding{Rule: "traversal", Score: 0.96, What: "a file that holds secrets of the system"}
		if prose(s) { // it is spoken of
			f.Score = 0.6
		}
		return f
	}
	if strings.Count(flat, "../") >= 2 || strings.Contains(flat, "../etc/") {
		return Finding{Rule: "traversal", Score: 0.8, What: "leaves its directory"}
	}
	return Finding{}
}

// address judges a URL: its scheme, where it points, what clings to it.
func address(s string) Finding {
	t := strings.TrimSpace(s)
	if f := aims(t); f.Rule != "" {
		return f
	}
	if f := passed(t); f.Rule != "" {
		return f
	}
	u, err := url.Parse(t)
	if err != nil || u.Opaque != "" || u.Host == "" {
		if f := forbidden(hostOf(t)); f.Rule != "" {
			return f
		}
	}
	if err == nil && strings.ContainsAny(t, " \"'<>|`{}\t\n") && !prose(t) {
		return Finding{Rule: "type", Score: 0.72, What: "marks that no address has"}
	}
	if err != nil {
		if prose(t) {
			return Finding{}
		}
		return Finding{Rule: "type", Score: 0.6, What: "not an address"}
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https", "git", "ssh", "ws", "wss", "s3", "gs", "":
	case "ftp":
		if f := forbidden(u.Hostname()); f.Score > 0.6 {
			return f
		}
		return Finding{Rule: "address", Score: 0.6, What: "scheme ftp"}
	case "file", "gopher", "dict", "ldap", "tftp", "jar", "netdoc", "php", "expect", "data", "javascript", "vbscript", "phar", "ext":
		return Finding{Rule: "address", Score: 0.85, What: "scheme " + u.Scheme}
	}
	if u.User != nil && u.Host != "" {
		if _, has := u.User.Password(); has {
			return Finding{Rule: "address", Score: 0.6, What: "credentials in an address"}
		}
	}
	return forbidden(u.Hostname())
}

// forbidden judges the host of an address that the gateway's network must not
// be asked for.
func forbidden(h string) Finding {
	said := h
	h = strings.ToLower(strings.TrimSuffix(folded(h), "."))
	switch h {
	case "metadata.google.internal", "metadata", "instance-data", "169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254":
		return Finding{Rule: "address", Score: 0.95, What: "cloud metadata service"}
	case "localhost", "localhost.localdomain", "ip6-localhost":
		return Finding{Rule: "address", Score: 0.6, What: "this machine"}
	}
	a, ok := parseIP(h)
	if !ok {
		return Finding{}
	}
	if inner, ok := translated(a); ok {
		return forbidden(inner.String())
	}
	switch a = a.Unmap(); {
	case a.IsLinkLocalUnicast():
		return Finding{Rule: "address", Score: 0.95, What: "link-local address"}
	case said == "127.0.0.1", said == "::1": // as plain as localhost
		return Finding{Rule: "address", Score: 0.6, What: "this machine"}
	case a.IsLoopback(), a.IsUnspecified():
		return Finding{Rule: "address", Score: 0.75, What: "this machine, spelled unusually"}
	case a.IsPrivate(), a.IsMulticast():
		return Finding{Rule: "address", Score: 0.5, What: "private address"}
	}
	return Finding{}
}

// folded is a host as clients map it before they look it up (UTS #46): circled
// and full-width digits are digits, some marks are dots, some are nothing.
func folded(h string) string {
	for i := range len(h) {
		if h[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				switch r {
				case '\u00ad', '\u200b', '\u2060', '\ufeff', '\u200c', '\u200d', '\u034f':
					return -1
				case '\u3002', '\uff0e', '\uff61':
					return '.'
				}
				return r
			}, norm.NFKC.String(h))
		}
	}
	return h
}

// host judges a host name field.
func host(s string) Finding {
	if f := forbidden(s); f.Score >= 0.9 {
		return f
	}
	if strings.ContainsAny(strings.TrimRight(s, " \r\n"), ";|&$`<>(){}'\"\n\r") && !prose(s) {
		return Finding{Rule: "command", Score: 0.75, What: "marks in a host name"}
	}
	for i := range len(s) {
		c := s[i]
		if !letter(c) && (c < '0' || c > '9') && c != '.' && c != '-' && c != ':' && c != '[' && c != ']' && c != '_' && c < 0x80 {
			if prose(s) {
				return Finding{}
			}
			return Finding{Rule: "type", Score: 0.4, What: "not a host name"}
		}
	}
	if strings.HasPrefix(s, "-") {
		return Finding{Rule: "command", Score: 0.8, What: "a host that reads as an option"}
	}
	return Finding{}
}

// handler finds an event handler within a tag.
func handler(s string) bool {
	i := strings.IndexByte(s, '<')
	for i >= 0 && i < len(s) {
		rest := s[i:]
		for _, sep := range []string{" on", "/on", "\ton", "\non", "\"on", "'on"} {
			k := strings.Index(rest, sep)
			if k < 0 {
				continue
			}
			name := rest[k+len(sep):]
			e := 0
			for e < len(name) && letter(name[e]) {
				e++
			}
			if e >= 3 && strings.HasPrefix(strings.TrimLeft(name[e:], " \t\n"), "=") {
				return true
			}
		}
		next := strings.IndexByte(s[i+1:], '<')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// parseIP reads addresses also in decimal, octal and hexadecimal spelling.
func parseIP(h string) (netip.Addr, bool) {
	h = strings.Trim(h, "[]")
	if a, err := netip.ParseAddr(h); err == nil {
		return a, true
	}
	return looseIPv4(h)
}
