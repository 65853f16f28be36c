package httpwire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strings"
)

// simpleHead reads the head of a response that lies in the buffer and leaves
// nothing to interpret: HTTP/1.1, a final status with a body, plain header
// lines, one Content-Length and no other framing. That is what nearly every
// answer looks like, and a tenth of the work. Of any other head it takes
// nothing and says so: net/http reads it.
func (c *plainConn) simpleHead() (head, bool) {
	buffered, _ := c.in.Peek(c.in.Buffered())
	end := bytes.Index(buffered, []byte("\r\n\r\n"))
	if end < 0 {
		return head{}, false
	}
	text := string(buffered[:end])
	line, rest, _ := strings.Cut(text, "\r\n")
	h := head{length: -1}
	if h.status = simpleStatus(line); h.status == 0 {
		return head{}, false
	}
	lines := strings.Count(rest, "\n") + 1
	h.header = make(http.Header, lines)
	values := make([]string, 0, lines) // of all headers, in one piece
	for more := rest != ""; more; {
		line, rest, more = strings.Cut(rest, "\r\n")
		name, value, ok := simpleField(line)
		if !ok || h.header[name] != nil { // several of a name are for net/http to judge
			return head{}, false
		}
		switch name {
		case "Transfer-Encoding", "Trailer", "Upgrade":
			return head{}, false
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return head{}, false
			}
		case "Content-Length":
			if h.length = simpleLength(value); h.length < 0 {
				return head{}, false
			}
		}
		values = append(values, value)
		h.header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if h.length < 0 {
		return head{}, false
	}
	_, _ = c.in.Discard(end + 4) // they are in the buffer
	h.body = &measured{in: c.in, left: h.length}
	return h, true
}

// simpleStatus returns the code of a status line, 0 when the line is not
// simple or responses of that status have no body.
func simpleStatus(line string) int {
	const before = "HTTP/1.1 "
	if len(line) < len(before)+3 || line[:len(before)] != before || (len(line) > len(before)+3 && line[len(before)+3] != ' ') {
		return 0
	}
	code := int(simpleLength(line[len(before) : len(before)+3]))
	if code < 200 || code > 599 || code == http.StatusNoContent || code == http.StatusNotModified || !visible(line) {
		return 0
	}
	return code
}

// simpleField takes a header line apart.
func simpleField(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || !isToken(name) || !visible(value) {
		return "", "", false
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, true
}

// visible reports whether a text has no control characters but tabs.
func visible(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// simpleLength reads digits, -1 when they are none or too many.
func simpleLength(s string) int64 {
	const most = 15
	if s == "" || len(s) > most {
		return -1
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

// measured reads a body of a known length.
type measured struct {
	in   *bufio.Reader
	left int64
}

// Read implements io.Reader.
func (m *measured) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	n, err := m.in.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if m.left == 0 && err == nil {
		err = io.EOF // so that the connection is given back at once
	}
	return n, err
}
