package httpwire

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// frontWriter writes the answer to one request of a [front]. What is small
// leaves in one write with its head; what is flushed before its length is
// known goes out in chunks (RFC 9112, section 7.1).
type frontWriter struct {
	conn    *frontConn
	request *received // the body of the request; nil for none
	header  http.Header
	status  int   // 0 before WriteHeader
	length  int64 // of the body as declared, or unknownLength
	written int64 // of the body
	body    []byte
	begun   bool // the head has left
	chunked bool
	close   bool // the connection ends with this answer
	failed  error
}

const (
	unknownLength = int64(-1)
	frontHeld     = 4 << 10 // of a body of unknown length, until it goes out in chunks
)

// Header implements http.ResponseWriter.
func (w *frontWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter; the header is taken as it is now.
func (w *frontWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	out := append(w.conn.out[:0], "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(append(append(out, ' '), http.StatusText(status)...), "\r\n"...)
	for name, values := range w.header {
		for _, v := range values {
			switch name {
			case "Content-Length":
				w.length = simpleLength(v)
				continue // with the framing
			case "Transfer-Encoding":
				continue // ours to say
			case "Connection":
				w.close = w.close || strings.EqualFold(v, "close")
				continue
			}
			if isToken(name) {
				out = append(append(append(append(out, name...), ": "...), oneLine(v)...), "\r\n"...)
			}
		}
	}
	if w.header["Date"] == nil {
		out = append(append(append(out, "Date: "...), w.conn.front.now()...), "\r\n"...)
	}
	w.conn.out = out
}

// oneLine keeps a value from becoming another header.
func oneLine(v string) string {
	if strings.ContainsAny(v, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
	}
	return v
}

// bodyless reports whether answers of the status have no body (RFC 9110, section 6.4.1).
func (w *frontWriter) bodyless() bool {
	return w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// Write implements http.ResponseWriter.
func (w *frontWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.failed != nil:
		return 0, w.failed
	case w.bodyless():
		return 0, http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(len(p)) > w.length:
		return 0, http.ErrContentLength
	}
	w.written += int64(len(p))
	if len(w.body)+len(p) <= frontHeld {
		w.body = append(w.body, p...)
		return len(p), nil
	}
	held := w.body
	w.body = nil
	if err := w.send(held, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeParts writes the whole body at once, when its length was declared.
func (w *frontWriter) writeParts(parts [][]byte) error {
	n := int64(0)
	for _, p := range parts {
		n += int64(len(p))
	}
	if w.begun || len(w.body) > 0 || w.bodyless() || n != w.length {
		for _, p := range parts {
			if _, err := w.Write(p); err != nil {
				return err
			}
		}
		return nil
	}
	w.written = n
	return w.send(parts...)
}

// send writes what there is of the head, and pieces of the body.
func (w *frontWriter) send(pieces ...[]byte) error {
	if w.failed != nil {
		return w.failed
	}
	n := 0
	for _, p := range pieces {
		n += len(p)
	}
	out := w.conn.out
	if !w.begun {
		w.begun = true
		out = w.frame(out)
	} else {
		out = out[:0]
	}
	if w.chunked && n > 0 {
		out = append(strconv.AppendInt(out, int64(n), 16), "\r\n"...)
	}
	if n <= joinedBody {
		for _, p := range pieces {
			out = append(out, p...)
		}
		pieces = nil
	}
	tail := []byte(nil)
	if w.chunked && n > 0 {
		tail = []byte("\r\n")
	}
	if pieces == nil {
		out = append(out, tail...)
		_, w.failed = w.conn.Write(out)
	} else {
		all := append(append(net.Buffers{out}, pieces...), tail)
		_, w.failed = all.WriteTo(w.conn.Conn)
	}
	if w.conn.out = out[:0]; cap(out) > frontHeld {
		w.conn.out = nil
	}
	return w.failed
}

// frame ends the head with what bounds the body.
func (w *frontWriter) frame(out []byte) []byte {
	switch {
	case w.bodyless():
	case w.length >= 0:
		out = append(strconv.AppendInt(append(out, "Content-Length: "...), w.length, 10), "\r\n"...)
	default:
		w.chunked = true
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	if w.close = w.close || w.conn.front.closing.Load(); w.close {
		out = append(out, "Connection: close\r\n"...)
	}
	return append(out, "\r\n"...)
}

// FlushError sends what is held back; http.ResponseController calls it.
func (w *frontWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.begun && len(w.body) == 0 {
		return w.failed
	}
	held := w.body
	w.body = w.body[:0]
	return w.send(held)
}

// Flush implements http.Flusher.
func (w *frontWriter) Flush() { _ = w.FlushError() } // the next write says it

// SetReadDeadline is for http.ResponseController. What has come already needs
// no deadline, and after it nothing is read.
func (w *frontWriter) SetReadDeadline(t time.Time) error {
	if w.request == nil || w.request.whole.Load() || w.request.left <= int64(w.conn.in.Buffered()) {
		return nil
	}
	return w.conn.SetReadDeadline(t)
}

// SetWriteDeadline is for http.ResponseController.
func (w *frontWriter) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }

// finish sends the rest, and reports whether the connection can be used again.
func (w *frontWriter) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun {
		if w.length < 0 && !w.bodyless() {
			w.length = w.written
		}
		if w.length == w.written || w.bodyless() {
			return w.send(w.body) == nil && !w.close
		}
	}
	if len(w.body) > 0 && w.send(w.body) != nil {
		return false
	}
	if w.chunked {
		_, w.failed = w.conn.Write([]byte("0\r\n\r\n"))
	}
	short := w.length >= 0 && w.written != w.length && !w.bodyless()
	if short {
		w.conn.front.server.opts.Log.Debug("http engine", "says", fmt.Sprintf("the handler wrote %d of %d bytes", w.written, w.length))
	}
	return w.failed == nil && !w.close && !short
}

// dated is the Date header of one second.
type dated struct {
	second int64
	text   string
}

// now is the value of the Date header (RFC 9110, section 6.6.1).
func (f *front) now() string {
	t := time.Now()
	if d := f.date.Load(); d != nil && d.second == t.Unix() {
		return d.text
	}
	d := &dated{t.Unix(), t.UTC().Format(http.TimeFormat)}
	f.date.Store(d)
	return d.text
}
