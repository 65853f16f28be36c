package durward

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Fault is one thing that is wrong with a declaration, without any value that
// could be secret.
type Fault struct {
	Field string // as in JSON: "url", "headers.Authorization"
	Text  string // what is wrong
	Hint  string // what to do; may be empty
}

// Error implements error.
func (f Fault) Error() string {
	text := f.Text
	if f.Field != "" {
		text = f.Field + ": " + text
	}
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return text
}

// Faults says all that is wrong with the shape of u; nil when nothing is.
func (u *Upstream) Faults() []Fault {
	c := faultList{}
	if err := CheckUpstreamName(u.Name); err != nil {
		c.add("name", err.Error(), "")
	}
	u.checkTransport(&c)
	u.checkProcess(&c)
	u.checkHTTP(&c)
	c.oneOf("era", u.Era, "auto", "legacy", "modern")
	c.oneOf("prefix", u.Prefix, "always", "none")
	c.oneOf("sharing", u.Sharing, "auto", "shared", "principal", "session")
	c.oneOf("arguments", u.Arguments, "enforce", "report", "off")
	c.oneOf("record", u.Record, "off", "digest", "redacted", "full")
	c.oneOf("first_sight", u.FirstSight, TrustFirst, Quarantine, ScanThenTrust)
	if u.Timeout < 0 || u.Timeout > 24*time.Hour {
		c.add("timeout", "is not between 0 and 24h", "")
	}
	return c.faults
}

func (u *Upstream) checkTransport(c *faultList) {
	c.oneOf("transport", u.Transport, "stdio", "http", "sse")
	switch {
	case u.Command == "" && u.URL == "":
		c.add("", "has neither command nor url", "set command for a local server, url for a remote one")
	case u.Command != "" && u.URL != "":
		c.add("url", "is set besides command", "keep one of them")
	case u.Command != "" && (u.Transport == "http" || u.Transport == "sse"):
		c.add("transport", u.Transport+" needs url, not command", "")
	case u.URL != "" && u.Transport == "stdio":
		c.add("transport", "stdio needs command, not url", "")
	}
}

func (u *Upstream) checkProcess(c *faultList) {
	if u.Command == "" {
		if len(u.Args) > 0 {
			c.add("args", "needs command", "")
		}
		if len(u.Env) > 0 {
			c.add("env", "needs command", "use headers for a server with a url")
		}
		if u.Dir != "" {
			c.add("dir", "needs command", "")
		}
		return
	}
	c.noNUL("command", u.Command)
	c.noNUL("dir", u.Dir)
	for _, a := range u.Args {
		c.noNUL("args", a)
	}
	for name, value := range u.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			c.add("env", "has a name that is empty or contains = or NUL", "")
		}
		c.noNUL("env."+name, value)
	}
}

func (u *Upstream) checkHTTP(c *faultList) {
	if u.URL == "" {
		if len(u.Headers) > 0 {
			c.add("headers", "needs url", "use env for a server with a command")
		}
		return
	}
	if text, hint := checkURL(u.URL); text != "" {
		c.add("url", text, hint)
	}
	for name, value := range u.Headers {
		if text := checkHeader(name, value); text != "" {
			c.add("headers."+name, text, "")
		}
	}
}

// checkURL never repeats the URL: it may hold a secret.
func checkURL(raw string) (text, hint string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "is not a URL", "write it as https://host/path"
	case u.Scheme != "http" && u.Scheme != "https":
		return "is not an http or https URL", "write it as https://host/path"
	case u.Hostname() == "":
		return "has no host", "write it as https://host/path"
	case u.User != nil:
		return "has a user or password in it", "put credentials into headers"
	case strings.Contains(raw, "#"):
		return "has a #fragment", "remove it"
	case strings.ContainsAny(raw, " \t\r\n"):
		return "has a space in it", "write %20"
	}
	return "", ""
}

// ownedHeaders are written by the gateway for each request.
func ownedHeaders() []string {
	return []string{
		"accept", "connection", "content-length", "content-type", "content-encoding", "host", "keep-alive", "last-event-id",
		"mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "te", "trailer", "transfer-encoding", "upgrade",
	}
}

func checkHeader(name, value string) string {
	lower := strings.ToLower(name)
	switch {
	case !isToken(name):
		return "is not a header name"
	case slices.Contains(ownedHeaders(), lower) || strings.HasPrefix(lower, "mcp-param-"):
		return "is written by the gateway and cannot be set"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "has a value with control characters"
	case value != strings.TrimSpace(value):
		return "has a value that begins or ends with a space"
	}
	return ""
}

// isToken reports whether s is a token of RFC 9110.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !isAlnum(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

type faultList struct{ faults []Fault }

func (l *faultList) add(field, text, hint string) {
	l.faults = append(l.faults, Fault{Field: field, Text: text, Hint: hint})
}

func (l *faultList) oneOf(field, value string, words ...string) {
	if value != "" && !slices.Contains(words, value) {
		l.add(field, fmt.Sprintf("is %q", value), "use one of "+strings.Join(words, ", "))
	}
}

func (l *faultList) noNUL(field, value string) {
	if strings.ContainsRune(value, 0) {
		l.add(field, "has a NUL character", "")
	}
}
