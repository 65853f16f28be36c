package httpwire

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// simpleRequest reads the head of a request that lies in the buffer and leaves
// nothing to interpret: HTTP/1.1, a method that agents use, a plain path, one
// Host, at most one Content-Length, no other framing and no wish about the
// connection. That is what nearly every call looks like. Of any other head it
// takes nothing and says so: net/http serves that connection from there on.
func (c *frontConn) simpleRequest() (*http.Request, bool) {
	buffered, _ := c.in.Peek(c.in.Buffered())
	end := bytes.Index(buffered, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, false
	}
	line, rest, _ := strings.Cut(string(buffered[:end]), "\r\n")
	r := http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: c.remote}
	if !simpleLine(&r, line) || !simpleHeader(&r, rest) {
		return nil, false
	}
	_, _ = c.in.Discard(end + 4) // they are in the buffer
	return &r, true
}

// simpleLine takes a request line apart.
func simpleLine(r *http.Request, line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, proto, ok := strings.Cut(rest, " ")
	if !ok || proto != r.Proto || !simpleTarget(target) {
		return false
	}
	switch method {
	case http.MethodPost, http.MethodGet, http.MethodDelete:
	default:
		return false
	}
	path, query, _ := strings.Cut(target, "?")
	if strings.HasSuffix(target, "?") { // which net/http tells from no query
		return false
	}
	r.Method, r.RequestURI = method, target
	r.URL = &url.URL{Path: path, RawQuery: query}
	return true
}

// simpleTarget accepts a path, and a query, that stand for themselves.
func simpleTarget(s string) bool {
	if s == "" || s[0] != '/' || strings.HasPrefix(s, "//") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("/-_.~?=&", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// simpleHeader takes the header lines apart.
func simpleHeader(r *http.Request, rest string) bool {
	lines := strings.Count(rest, "\n") + 1
	r.Header = make(http.Header, lines)
	values := make([]string, 0, lines) // of all headers, in one piece
	length, sized := int64(0), false
	for more := rest != ""; more; {
		var line string
		line, rest, more = strings.Cut(rest, "\r\n")
		name, value, ok := simpleField(line)
		if !ok {
			return false
		}
		switch name {
		case "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Pragma":
			return false
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return false
			}
		case "Host":
			if r.Host != "" || !simpleHost(value) {
				return false
			}
			r.Host = value
			continue // net/http leaves it out of the header
		case "Content-Length":
			if length = simpleLength(value); sized || length < 0 {
				return false
			}
			sized = true
		}
		values = append(values, value)
		if r.Header[name] == nil {
			r.Header[name] = values[len(values)-1 : len(values) : len(values)]
		} else {
			r.Header[name] = append(r.Header[name], value)
		}
	}
	r.ContentLength = length
	return r.Host != ""
}

// simpleHost accepts names and addresses, with a port or without.
func simpleHost(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '-', c == ':', c == '[', c == ']', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// received is the body of a request. When it was read to its end, the
// connection can be listened to.
type received struct {
	measured
	whole atomic.Bool
}

// Read implements io.Reader.
func (b *received) Read(p []byte) (int, error) {
	n, err := b.measured.Read(p)
	if b.left == 0 {
		b.whole.Store(true)
	}
	return n, err
}

// Close implements io.Closer; what is left of the body ends the connection.
func (b *received) Close() error { return nil }

var _ io.ReadCloser = (*received)(nil)
